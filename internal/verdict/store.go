package verdict

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"temper/internal/host"
	"temper/internal/ready"
)

// Dirs are where verdicts are looked for, the first that has one for a unit wins: what this machine proved, then what a
// packager proved and shipped.
var Dirs = []string{"/etc/temper/verdicts", "/usr/lib/temper/verdicts"}

const suffix = ".json"

// maxVerdict is the size of a verdict in bytes beyond which it is refused. Those that temper writes have about ten
// thousand.
const maxVerdict = 1 << 20

// A Store is the verdicts of one root.
type Store struct {
	Root host.Root
	Dirs []string // nil = Dirs; the first is written to
}

func (s Store) dirs() []string {
	if s.Dirs == nil {
		return Dirs
	}
	return s.Dirs
}

// Own is the verdicts of this machine.
func (s Store) Own() Store { return Store{Root: s.Root, Dirs: s.dirs()[:1]} }

// Shipped is the verdicts that packages brought.
func (s Store) Shipped() Store { return Store{Root: s.Root, Dirs: s.dirs()[1:]} }

// Get returns the verdict on a unit. Without one the error wraps [fs.ErrNotExist]; a damaged one is an error with its
// path and line, and counts as none.
func (s Store) Get(unit string) (Verdict, error) {
	var missing error = &fs.PathError{Op: "verdict", Path: unit, Err: fs.ErrNotExist}
	for _, dir := range s.dirs() {
		v, err := s.read(filepath.Join(dir, unit+suffix))
		if err == nil && v.Unit != unit {
			err = fmt.Errorf("%s:1: is about %q, want %q", filepath.Join(dir, unit+suffix), v.Unit, unit)
		}
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return v, err
		}
	}
	return Verdict{}, missing
}

func (s Store) read(path string) (Verdict, error) {
	data, err := s.Root.ReadTrusted(path, maxVerdict)
	if err != nil {
		return Verdict{}, err
	}
	var v Verdict
	if err := json.Unmarshal(data, &v); err != nil {
		return Verdict{}, fmt.Errorf(
			"%s:%d: %w, want a verdict as `temper prove` writes it",
			path,
			line(data, err),
			err,
		)
	}
	return v, nil
}

// line returns the line of a JSON error; 1 where the error has no place.
func line(data []byte, err error) int {
	offset := int64(0)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = e.Offset
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = e.Offset
	}
	return 1 + strings.Count(string(data[:min(offset, int64(len(data)))]), "\n")
}

// Put stores a verdict, replacing the one that this machine had: a reader finds the old or the new one, never a part.
// Only its owner can read it, since the evidence has lines of the service's log.
func (s Store) Put(v Verdict) error {
	return s.put(v, private, s.dropReady)
}

// PutShared stores a verdict without what services logged, for everybody to read: what a package ships.
func (s Store) PutShared(v Verdict) error {
	return s.put(v.Shared(), shared, s.dropReady)
}

// PutProof is Put with the log of the trials. Where it fails, or is killed, there may be no log, never that of another
// proof.
func (s Store) PutProof(v Verdict, trials []Trial) error {
	log, err := s.stage(s.logFile(v.Unit), private, trials)
	if err != nil {
		return fmt.Errorf("write the trials of %s: %w", v.Unit, err)
	}
	defer log.Discard()
	if err := s.put(v, private, func() error { return errors.Join(s.dropReady(), s.dropLog(v.Unit)) }); err != nil {
		return err
	}
	return log.Commit()
}

// put stores a verdict once it is written whole and what goes before has gone.
func (s Store) put(v Verdict, who access, before func() error) error {
	pending, err := s.stage(filepath.Join(s.dirs()[0], v.Unit+suffix), who, v)
	if err == nil {
		defer pending.Discard()
		err = before()
	}
	if err == nil {
		err = pending.Commit()
	}
	if err != nil {
		return fmt.Errorf("write verdict on %s: %w", v.Unit, err)
	}
	return nil
}

// stage writes what is to replace a file beside it, and takes away what a process has left there that was killed.
func (s Store) stage(name string, who access, what any) (*host.Staged, error) {
	data, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return nil, err
	}
	dir := path.Dir(name)
	if err := s.makeDir(dir, who); err != nil {
		return nil, err
	}
	const long = time.Minute          // for a file to be written
	entries, _ := s.Root.ReadDir(dir) // writing says why it cannot be read
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), "."+path.Base(name)) && time.Since(info.ModTime()) > long {
			_ = s.Root.Remove(path.Join(dir, e.Name()))
		}
	}
	return s.Root.Stage(name, append(data, '\n'), who.file)
}

// Revoke stores that a person wants nothing applied to a unit.
func (s Store) Revoke(unit string) error {
	return s.Put(Verdict{
		Unit: unit, Result: Revoked,
		Applied: []Applied{}, Demotions: []Demotion{}, LeftOut: []LeftOut{}, Advisories: []Evidence{},
	})
}

// Remove forgets the verdict that this machine has on a unit; a shipped one stays. Without one the error wraps
// [fs.ErrNotExist].
func (s Store) Remove(unit string) error {
	if err := s.dropReady(); err != nil {
		return err
	}
	return s.Root.Remove(filepath.Join(s.dirs()[0], unit+suffix))
}

// dropReady makes what lies ready for the boot void: it was decided without what is stored now. A boot knows no store
// elsewhere.
func (s Store) dropReady() error {
	if s.dirs()[0] != Dirs[0] {
		return nil
	}
	if err := s.Root.Remove(ready.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Units lists the units that have a verdict, sorted.
func (s Store) Units() []string {
	var units []string
	for _, dir := range s.dirs() {
		entries, _ := s.Root.ReadDir(dir) // no directory, no verdicts
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), suffix); ok {
				units = append(units, name)
			}
		}
	}
	slices.Sort(units)
	return slices.Compact(units)
}
