package needs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
)

// Dir is where the needs of units are.
const Dir = "/var/lib/temper/needs"

// Schema is the version of the format. A file with a greater one is of a newer temper.
const Schema = 1

// maxFile is the most bytes that the file of one unit may have.
const maxFile = 1 << 20

const suffix = ".json"

// A Store has the needs of the units of one root. Only root can read it: paths tell what a service does.
type Store struct{ Root host.Root }

// Get returns what is known of a unit: an empty record if nothing is.
func (s Store) Get(unit string) (Record, error) {
	r := Record{Schema: Schema, Unit: unit, Needs: []Need{}}
	name, err := file(unit)
	if err != nil {
		return r, err
	}
	data, err := s.Root.ReadTrusted(name, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	read, err := parse(data)
	if err == nil && read.Unit != unit {
		err = fmt.Errorf("is about %q", read.Unit)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	return read, nil
}

// parse reads the file of a unit.
func parse(data []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("%w, want what `temper observe` writes", err)
	}
	if r.Schema != Schema {
		return Record{}, fmt.Errorf("has the format %d, want %d", r.Schema, Schema)
	}
	if r.Since.IsZero() || r.Until.Before(r.Since) {
		return Record{}, errors.New("does not say when the unit was observed")
	}
	known := map[key]bool{}
	for _, n := range r.Needs {
		if err := n.check(); err != nil {
			return Record{}, err
		}
		if known[n.key()] {
			return Record{}, fmt.Errorf("has %.80q twice", n.String())
		}
		known[n.key()] = true
	}
	return r, nil
}

// Update changes what is known of a unit in one step, and returns it. Nobody else changes it meanwhile. Where it
// becomes too large, it leaves out needs that nobody has accepted and that were not seen for the longest time.
func (s Store) Update(unit string, change func(*Record)) (Record, error) {
	if err := s.Root.MkdirAll(Dir, 0o700); err != nil {
		return Record{}, err
	}
	unlock, err := s.Root.Lock(context.Background(), path.Join(Dir, ".lock"))
	if err != nil {
		return Record{}, err
	}
	defer unlock()
	r, err := s.Get(unit)
	if err != nil {
		return r, err
	}
	change(&r)
	return r, s.put(r)
}

func (s Store) put(r Record) error {
	name, err := file(r.Unit)
	if err != nil {
		return err
	}
	r.Schema, r.Needs = Schema, slices.Clone(r.Needs)
	data, err := json.MarshalIndent(r, "", "\t")
	for err == nil && len(data) >= maxFile {
		n := r.unaccepted()
		if n == 0 {
			return fmt.Errorf("%s: more than a megabyte of needs is accepted: temper observe --forget %s", name, r.Unit)
		}
		r.forgetOldest(n/4 + 1)
		data, err = json.MarshalIndent(r, "", "\t")
	}
	if err != nil {
		return err
	}
	return s.Root.WriteFile(name, append(data, '\n'), 0o600)
}

// Forget removes what is known of a unit. If nothing is, the error wraps [fs.ErrNotExist].
func (s Store) Forget(unit string) error {
	name, err := file(unit)
	if err != nil {
		return err
	}
	unlock, err := s.Root.Lock(context.Background(), path.Join(Dir, ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	return s.Root.Remove(name)
}

// Units lists the units that were observed.
func (s Store) Units() []string {
	var units []string
	entries, _ := s.Root.ReadDir(Dir) // without the directory none was
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok && !strings.HasPrefix(name, ".") {
			units = append(units, name)
		}
	}
	return units
}

// file is the name of the file of a unit.
func file(unit string) (string, error) {
	if unit == "" || strings.ContainsAny(unit, "/\x00") || strings.HasPrefix(unit, ".") {
		return "", fmt.Errorf("%q is no name of a unit", unit)
	}
	return path.Join(Dir, unit+suffix), nil
}
