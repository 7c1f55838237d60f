// Package recorder records the needs of a service that runs, without touching it.
//
// Call [Recorder.Run]. It begins with what the processes of the service hold already, such as files that they have open
// for writing, and goes on with what they do; see [witness.StartUses].
package recorder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/harness/proc"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/needs"
)

// A Recorder records the needs of one unit.
type Recorder struct {
	Unit   string
	Cgroup string // its control group, a directory
	Root   host.Root
	Store  needs.Store
	// Files says that all files are recorded that it sees, also those that no directive hides by itself.
	Files bool
	// Every is how often what was seen is stored: so much is lost if the machine crashes.
	Every time.Duration
	// Ready is called once all that the service does is seen; nil tells nobody.
	Ready func()
	// Ended reports whether there is nothing more to record; nil is never.
	Ended func(context.Context) (bool, error)
}

// Run records until the context ends, or Ended says so, and returns what is known then. An error that wraps
// [witness.ErrUnsupported] says that this kernel does not tell. What was seen before an error is stored.
func (r Recorder) Run(ctx context.Context) (needs.Record, error) {
	if record, err := r.Store.Get(r.Unit); err != nil {
		return record, err
	}
	uses, err := witness.StartUses(r.Cgroup, r.matters)
	if err != nil {
		return needs.Record{}, err
	}
	if r.Ready != nil {
		r.Ready()
	}
	err = r.follow(ctx, uses)
	last, lost, stopErr := uses.Stop()
	record, storeErr := r.store(last, lost)
	return record, errors.Join(err, stopErr, storeErr)
}

// store adds what was seen to what is known. Somebody may have accepted or forgotten some of that meanwhile.
func (r Recorder) store(uses []witness.Use, lost uint64) (needs.Record, error) {
	seen := r.needs(uses)
	return r.Store.Update(r.Unit, func(record *needs.Record) { record.Add(seen, lost, time.Now()) })
}

// follow stores what the service holds, and then what it is seen to do, again and again until the recording ends.
func (r Recorder) follow(ctx context.Context, uses *witness.Uses) error {
	tick := time.NewTicker(r.Every)
	defer tick.Stop()
	some, lost, err := held(r.Cgroup, r.matters), uint64(0), error(nil)
	for {
		_, storeErr := r.store(some, lost)
		if err = errors.Join(err, storeErr); err != nil {
			return err
		}
		if r.Ended != nil {
			if ended, err := r.Ended(ctx); err != nil || ended {
				if ctx.Err() != nil {
					err = nil
				}
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		some, lost, err = uses.Take()
	}
}

// matters says which uses are recorded.
func (r Recorder) matters(use witness.Restriction, made bool) bool {
	sees := r.Files && use.Kind == refusal.PathHidden && !made && directive.IsCovered(use.Subject)
	return sees || needs.Matters(use.Kind, use.Subject, made) && !r.isOwn(use)
}

// isOwn reports whether a use is about the files in /proc of a process of the service itself: no directive hides them.
func (r Recorder) isOwn(use witness.Restriction) bool {
	if use.Kind != refusal.ProcessHidden {
		return false
	}
	entry, _, _ := strings.Cut(strings.TrimPrefix(use.Subject, "/proc/"), "/")
	pid, err := strconv.Atoi(entry)
	if err != nil {
		return false
	}
	for _, line := range proc.Machine.Process(pid).Lines("cgroup") {
		if _, group, _ := strings.Cut(line, "::"); group != "" && isBelow(r.Cgroup, group) {
			return true
		}
	}
	return false
}

// isBelow reports whether a control group, as /proc/PID/cgroup names it, is one of a directory or below it.
func isBelow(dir, group string) bool {
	for ; group != "/" && group != "."; group = filepath.Dir(group) {
		if strings.HasSuffix(dir, group) {
			return true
		}
	}
	return false
}

// needs turns uses into needs.
func (r Recorder) needs(uses []witness.Use) []needs.Need {
	var list []needs.Need
	add := func(u witness.Use) {
		list = append(list, needs.Need{
			Kind: u.Kind, Subject: needs.Normal(u.Kind, u.Subject), Program: u.Program, Count: u.Count,
		})
	}
	for _, u := range uses {
		add(u)
		if u.Kind == refusal.PathNoExec && r.givesPrivileges(u.Subject) {
			u.Kind = refusal.NewPrivileges
			add(u)
		}
	}
	return list
}

// givesPrivileges reports whether a program gives privileges to whoever executes it.
func (r Recorder) givesPrivileges(program string) bool {
	info, err := r.Root.Stat(program)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		return true
	}
	file, err := r.Root.Open(program)
	if err != nil {
		return false
	}
	defer file.Close()
	size, err := unix.Fgetxattr(int(file.Fd()), "security.capability", nil)
	return err == nil && size > 0
}

// Cgroup is the directory of a control group that systemd names.
func Cgroup(name string) (string, error) {
	if name == "" {
		return "", errors.New("it has no control group: it does not run")
	}
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2"))
	if err != nil {
		return "", err
	}
	for _, m := range mounts {
		dir := filepath.Join(m.Mountpoint, name)
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%w: no cgroup2 file system has %s", witness.ErrUnsupported, name)
}
