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

	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/unit"
)

// Dirs are the directories of verdicts: first those that this machine proved, then those that a packager proved and
// shipped. The first one that has a verdict on a unit wins.
var Dirs = []string{"/etc/temper/verdicts", "/usr/lib/temper/verdicts"}

const suffix = ".json"

// maxVerdict is the largest size of a verdict in bytes. temper writes about ten thousand.
const maxVerdict = 1 << 20

// A Store has the verdicts of one root.
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

// Own returns the store of the verdicts that this machine proved.
func (s Store) Own() Store { return Store{Root: s.Root, Dirs: s.dirs()[:1]} }

// Shipped returns the store of the verdicts that packages shipped.
func (s Store) Shipped() Store { return Store{Root: s.Root, Dirs: s.dirs()[1:]} }

// Get returns the verdict on a unit. If there is none, the error wraps [fs.ErrNotExist]; if it is damaged, the error
// has its path and line.
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
	return Parse(path, data)
}

// Parse reads a verdict as it is stored; path is for errors.
func Parse(path string, data []byte) (v Verdict, err error) {
	if err := json.Unmarshal(data, &v); err != nil {
		return Verdict{}, fmt.Errorf("%s:%d: %w, want a verdict as `temper prove` writes it", path, line(data, err), err)
	}
	return v, nil
}

// line returns the line of a JSON error; 1 if the error has no position.
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

// Put stores a verdict and replaces the one that this machine had: a reader finds the old or the new one, never a part
// of one. Only its owner can read it, since the evidence has lines of the service's log.
func (s Store) Put(v Verdict) error {
	return s.put(v, private, func() error { return s.outdateBootRecord(v) })
}

// PutShared stores a verdict, as a package ships it: without what the service logged, and readable by everybody.
func (s Store) PutShared(v Verdict) error {
	return s.put(v.Shared(), shared, func() error { return s.outdateBootRecord(v) })
}

// PutProof is Put with the log of the trials. If it fails or is killed, the log may be missing, but it is never that of
// another proof. A verdict of a newer temper is not replaced; the error is then an [ErrNewer].
func (s Store) PutProof(v Verdict, trials []Trial) error {
	if err := s.Replaceable(v.Unit); err != nil {
		return err
	}
	log, err := s.stageTrials(v.Unit, trials)
	if err != nil {
		return fmt.Errorf("write the trials of %s: %w", v.Unit, err)
	}
	defer log.Discard()
	drop := func() error { return errors.Join(s.outdateBootRecord(v), s.dropLog(v.Unit)) }
	if err := s.put(v, private, drop); err != nil {
		return err
	}
	return log.Commit()
}

// ErrNewer says that a newer temper has written a verdict.
var ErrNewer = errors.New("a newer temper has proven it, which is left alone")

// Replaceable returns an error that wraps [ErrNewer] where a proof may not replace the verdict on a unit.
func (s Store) Replaceable(unit string) error {
	if v, err := s.Own().Get(unit); err == nil && v.Newer() {
		return hint.With(fmt.Errorf("%s: %w", unit, ErrNewer), "to prove it all the same: temper revoke "+unit+" first")
	}
	return nil
}

// put writes a verdict to a temporary file, calls before, and then gives the file its name.
func (s Store) put(v Verdict, who access, before func() error) error {
	v.Schema = Schema
	data, err := v.encode(maxVerdict)
	var pending *host.Staged
	if err == nil {
		pending, err = s.stage(filepath.Join(s.dirs()[0], v.Unit+suffix), who, data)
	}
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

// stage writes the new content of a file to a temporary file, and removes temporary files of killed processes.
func (s Store) stage(name string, who access, data []byte) (*host.Staged, error) {
	dir := path.Dir(name)
	if err := s.makeDir(dir, who); err != nil {
		return nil, err
	}
	const long = time.Minute          // to write a file
	entries, _ := s.Root.ReadDir(dir) // if there is an error, writing fails too and says why
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), "."+path.Base(name)) && time.Since(info.ModTime()) > long {
			_ = s.Root.Remove(path.Join(dir, e.Name()))
		}
	}
	return s.Root.Stage(name, data, who.file)
}

// Revoke stores that a person wants nothing applied to a unit. It keeps the demotions that were known: they tell what a
// process runs with that was started before.
func (s Store) Revoke(unit string) error {
	v := Verdict{
		Unit: unit, Result: Revoked,
		Applied: []Applied{}, Demotions: []Demotion{}, LeftOut: []LeftOut{}, Advisories: []Evidence{},
	}
	if old, err := s.Get(unit); err == nil { // what cannot be read is replaced
		v.Demotions = old.Demotions
	}
	return s.Put(v)
}

// MayBeRevoked reports whether a person wants nothing applied to a unit, as far as can be known: where this machine's
// verdict cannot be read and the boot record has nothing for the unit, it may have said so.
func (s Store) MayBeRevoked(unit string) bool {
	v, err := s.Own().Get(unit)
	switch {
	case err == nil:
		return v.Result == Revoked
	case errors.Is(err, fs.ErrNotExist):
		return false
	}
	record, _ := ready.Load(s.Root.Dir())
	text := record.Text(unit)
	return text == nil || string(text) == nothing
}

// nothing is what the boot record has of an instance to which a verdict gives nothing. So it is known apart from its
// template where its verdict cannot be read.
const nothing = "# Nothing: its verdict says so.\n"

// Remove removes this machine's verdict on a unit; a shipped one stays. If there is none, the error wraps
// [fs.ErrNotExist].
func (s Store) Remove(unit string) error {
	if err := s.outdateBootRecord(Verdict{Unit: unit}); err != nil {
		return err
	}
	return s.Root.Remove(filepath.Join(s.dirs()[0], unit+suffix))
}

// outdateBootRecord makes sure that no boot uses the boot record, which was made without the verdict that is stored
// now. The record goes on saying what applied to other units, and what applies to this one by the new verdict. A store
// in another directory has no effect on a boot.
func (s Store) outdateBootRecord(v Verdict) error {
	if s.dirs()[0] != Dirs[0] {
		return nil
	}
	if r, ok := ready.Load(s.Root.Dir()); ok {
		text := r.Text(v.Unit)
		switch {
		case v.Result == Proven:
			text = []byte(v.Dropin)
		case v.Result != Started && unit.IsInstance(v.Unit):
			text = []byte(nothing)
		case v.Result != Started:
			text = nil
		}
		r = r.WithText(v.Unit, text).Outdated()
		if s.Root.WriteFile(ready.Path, r.Bytes(), 0o644) == nil {
			return nil
		}
	}
	if err := s.Root.Remove(ready.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Units lists the units that have a verdict, sorted. The error says that there may be more.
func (s Store) Units() ([]string, error) {
	var units []string
	var unlisted []error
	for _, dir := range s.dirs() {
		entries, err := s.list(dir)
		unlisted = append(unlisted, err)
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), suffix); ok {
				units = append(units, name)
			}
		}
	}
	slices.Sort(units)
	return slices.Compact(units), errors.Join(unlisted...)
}

// list lists a directory of verdicts. Of [Dirs], none needs to be there.
func (s Store) list(dir string) ([]fs.DirEntry, error) {
	entries, err := s.Root.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && slices.Contains(Dirs, dir):
		return nil, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("verdicts hold what services log: %w", err)
	}
	return entries, err
}
