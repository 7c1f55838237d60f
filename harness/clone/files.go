package clone

import (
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"temper/harness/place"
	"temper/harness/place/owner"
)

// Dir is the directory of the drop-ins of a clone. systemd reads them when it makes the transient unit.
const Dir = "/run/systemd/system"

// stem is the beginning of the names of all clones. The id and the start time of this process follow.
const stem = "temper-trial"

// trialName matches the part of a name that trials of one process share.
var trialName = regexp.MustCompile(`^` + stem + `-[0-9]+-[0-9]+-[0-9]+`)

var (
	proofs   atomic.Int64 // number of proofs of this process
	launches atomic.Int64 // number of launches of this process in all places: names must not collide on one manager
)

// NewStem returns the beginning of the names of the units of one proof.
func NewStem() (string, error) { return owner.Name(stem, fmt.Sprint(proofs.Add(1))) }

// NewName returns the name of a unit of a proof, without its suffix.
func NewName(stem string) string { return fmt.Sprintf("%s-%d", stem, launches.Add(1)) }

// IsClone reports whether a unit belongs to a trial.
func IsClone(name string) bool { return strings.HasPrefix(name, stem) }

// Write writes files below [Dir].
func Write(where *place.Place, files map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := where.WriteFile(path.Join(Dir, name), []byte(files[name]), 0o644); err != nil {
			return fmt.Errorf("write the unit of a trial: %w", err)
		}
	}
	return nil
}

// Remove removes files below [Dir], and with each the directory of drop-ins in which it is.
func Remove(where *place.Place, files []string) {
	for _, file := range files {
		base, _, _ := strings.Cut(file, "/")
		_ = where.Root().RemoveAll(path.Join(Dir, base)) // a place that has ended has no files
	}
}

// RemoveLeftovers removes the clones of processes that were killed. Only the host can have some, since the files of a
// container end with it.
func RemoveLeftovers(ctx context.Context, where *place.Place) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	entries, _ := where.Root().ReadDir(Dir) // if it does not exist, there are none
	for _, e := range entries {
		if !owner.Gone(trialName.FindString(e.Name())) {
			continue
		}
		pattern := strings.Replace(strings.TrimSuffix(e.Name(), ".d"), "@.", "@*.", 1)
		units, _ := where.Manager().Units(ctx, nil, []string{pattern}) // a unit that is not loaded has only files
		for _, u := range units {
			where.Manager().Release(ctx, u.Name)
		}
		Remove(where, []string{e.Name()})
	}
}
