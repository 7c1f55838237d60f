// Package refusallog keeps what the kernel was seen to refuse hardened services in production: a file for each unit,
// which temper watch writes, temper status and temper show read, and in which temper review notes what a person
// answered.
//
// Call [Store.Get] and [Store.Update]. A file has at most 1 MiB, whatever a service does: what has no room is counted.
package refusallog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/unit"
)

// Dir is the directory of the logs.
const Dir = "/var/lib/temper/refusals"

// Schema is the number of the format of a log.
const Schema = 1

const (
	// MaxRefusals is how many different refusals of a unit are kept.
	MaxRefusals = 500
	maxBytes    = 1 << 20
)

// What a person can answer to a refusal.
const (
	Accepted = "accepted" // the profile was to allow it
	Ignored  = "ignored"  // it is right to refuse it
)

// A Refusal is something that a hardened service was refused, once or often.
type Refusal struct {
	Directives  []string     `json:"directives"`  // of the plan, that refuse it
	Restriction refusal.Kind `json:"restriction"` // what sort of thing is refused
	Subject     string       `json:"subject"`     // what exactly: a path, a capability, a call
	Program     string       `json:"program"`     // name of the thread
	Call        string       `json:"call"`        // the first call: `openat("/x", 0x41): EROFS`
	Count       uint64       `json:"count"`
	First       time.Time    `json:"first"`
	Last        time.Time    `json:"last"`
	Answer      string       `json:"answer,omitempty"` // "" if nobody has answered yet
}

// Key is what makes a refusal another one than those that are known.
func (r Refusal) Key() string {
	return strings.Join([]string{string(r.Restriction), r.Subject, r.Program}, "\x00")
}

// A Log has the refusals of one unit.
type Log struct {
	Schema   int       `json:"schema"`
	Unit     string    `json:"unit"`
	Since    time.Time `json:"since"` // since when the unit is watched
	Refusals []Refusal `json:"refusals"`
	// More counts the refusals that are not among Refusals, since there are too many different ones.
	More uint64 `json:"more,omitempty"`
	// Missed counts calls that failed too fast to tell whether a directive had refused them.
	Missed uint64 `json:"missed,omitempty"`
}

// Add adds a refusal: to the count of one that is known, or as another one. It counts it only if there is no room.
func (l *Log) Add(r Refusal) {
	i := slices.IndexFunc(l.Refusals, func(known Refusal) bool { return known.Key() == r.Key() })
	switch {
	case i < 0 && len(l.Refusals) >= MaxRefusals:
		l.More += r.Count
	case i < 0:
		l.Refusals = append(l.Refusals, r)
	default:
		known := &l.Refusals[i]
		known.Count += r.Count
		known.Last = r.Last
		known.Directives = r.Directives
	}
}

// Open lists the refusals that nobody has answered yet, the most frequent first.
func (l Log) Open() []Refusal {
	list := slices.DeleteFunc(slices.Clone(l.Refusals), func(r Refusal) bool { return r.Answer != "" })
	slices.SortStableFunc(list, func(a, b Refusal) int {
		switch {
		case a.Count > b.Count:
			return -1
		case a.Count < b.Count:
			return 1
		}
		return strings.Compare(a.Key(), b.Key())
	})
	return list
}

// A Summary counts the refusals of a unit.
type Summary struct {
	Since time.Time `json:"since"` // since when the unit is watched
	Open  int       `json:"open"`  // different refusals that nobody has answered yet
	Calls uint64    `json:"calls"` // all that were refused
}

// Summary counts what the log has.
func (l Log) Summary() Summary {
	s := Summary{Since: l.Since, Open: len(l.Open()), Calls: l.More}
	for _, r := range l.Refusals {
		s.Calls += r.Count
	}
	return s
}

// Store has the logs of one root.
type Store struct{ Root host.Root }

func file(name string) string { return path.Join(Dir, name+".json") }

// Get returns the log of a unit. If there is none, the error wraps [fs.ErrNotExist].
func (s Store) Get(name string) (Log, error) {
	if !unit.ValidName(name) {
		return Log{}, fmt.Errorf("%q is no name of a unit", name)
	}
	data, err := s.Root.ReadTrusted(file(name), maxBytes)
	if err != nil {
		return Log{}, err
	}
	var l Log
	err = json.Unmarshal(data, &l)
	switch {
	case l.Schema > Schema: // it may be right and another kind of JSON
		return Log{}, fmt.Errorf("%s: is of a newer temper, in format %d, want %d", file(name), l.Schema, Schema)
	case err != nil:
		return Log{}, fmt.Errorf("%s: %w, %w", file(name), err, errDamaged)
	case l.Unit != name || l.Schema != Schema:
		return Log{}, fmt.Errorf("%s: is about %q in format %d, want %q in format %d",
			file(name), l.Unit, l.Schema, name, Schema)
	}
	return l, nil
}

// errDamaged says that a file is no log, as after a crash of the machine.
var errDamaged = errors.New("want what temper watch writes")

// Update changes the log of a unit, or makes one. Nobody else changes it meanwhile. A damaged log is begun anew; one
// that cannot be read now, or by this temper, is left alone, since it has what a person answered.
func (s Store) Update(name string, change func(*Log)) error {
	if err := s.Root.MkdirAll(Dir, 0o700); err != nil {
		return err
	}
	unlock, err := s.Root.Lock(context.Background(), path.Join(Dir, ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	l, err := s.Get(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errDamaged):
		l = Log{Unit: name, Since: time.Now().Truncate(time.Second)}
	case err != nil:
		return err
	}
	l.Schema = Schema
	change(&l)
	data, err := l.encode()
	if err != nil {
		return err
	}
	return s.Root.WriteFile(file(name), data, 0o600)
}

// encode writes the log within its limit: what does not fit is only counted, the newest first.
func (l Log) encode() ([]byte, error) {
	for {
		data, err := json.MarshalIndent(l, "", " ")
		if err != nil || len(data) < maxBytes {
			return append(data, '\n'), err
		}
		keep := len(l.Refusals) * 3 / 4
		for _, r := range l.Refusals[keep:] {
			l.More += r.Count
		}
		l.Refusals = l.Refusals[:keep]
	}
}

// Units lists the units that have a log.
func (s Store) Units() ([]string, error) {
	entries, err := s.Root.ReadDir(Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok && unit.ValidName(name) {
			names = append(names, name)
		}
	}
	return names, err
}
