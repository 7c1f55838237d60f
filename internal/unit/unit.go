// Package unit reads unit files as systemd does: it finds the fragment of a unit in the load path, follows aliases,
// collects the drop-ins in the order in which they count, and keeps every assignment with its file and line.
//
// Start with a [Loader] and its [Loader.Load]; [Parse] reads one file. The package does not interpret values:
// [Unit.All] returns all assignments of a list, also an empty one and those that it resets.
//
// The package reads files only. It starts no process, does not use D-Bus, and does not trust what it reads: a FIFO, a
// loop of links or a file of garbage is a [Problem] or an error.
package unit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"temper/internal/host"
)

// Position is a place in a file. Path is the file's name inside the root that it was read from, Line counts from 1; 0
// stands for the whole file.
type Position struct {
	Path string
	Line int
}

// String returns "path:line", or the path alone if there is no line.
func (p Position) String() string {
	if p.Line == 0 {
		return p.Path
	}
	return p.Path + ":" + strconv.Itoa(p.Line)
}

// Assignment is one Name=Value line. In Value, continuation lines are joined with a blank and blanks on both ends are
// removed; quotes, escapes and specifiers are as written. Pos is the first line of the assignment.
type Assignment struct {
	Section, Name, Value string
	Pos                  Position
}

// Problem is something in a unit file that systemd would ignore or refuse, or that was not read. It is also an error.
type Problem struct {
	Pos     Position
	Message string
	Unread  bool // systemd may have read it: see [Unit.Unread]
}

// Error returns "path:line: message".
func (p Problem) Error() string { return p.Pos.String() + ": " + p.Message }

// Unit is a unit as systemd loads it, before any value is interpreted.
type Unit struct {
	Name        string       // as asked for
	ID          string       // the main name: what aliases resolve to
	Aliases     []string     // every other name, Name among them if it is an alias; sorted
	Fragment    string       // the main unit file; "" if there is none
	Masked      bool         // the fragment is empty or a link to /dev/null: nothing can start the unit
	Dropins     []string     // in the order read, as systemd lists them in DropInPaths=
	Masks       []string     // those Dropins that are empty or /dev/null: they only hide others of the same name
	Assignments []Assignment // the fragment's, then those of each drop-in
	Inherited   []Assignment // of a service: what systemd adds to its lists from the slices that it is in
	Problems    []Problem

	root    host.Root
	version int
}

// All returns every assignment of the name in the section, in the order in which they count, empty ones included.
func (u *Unit) All(section, name string) []Assignment {
	var all []Assignment
	for _, a := range u.Assignments {
		if a.Name == name && a.Section == section {
			all = append(all, a)
		}
	}
	return all
}

// Last returns the last assignment of the name in the section, which is the one that counts if the value is not a list.
func (u *Unit) Last(section, name string) (Assignment, bool) {
	for _, a := range slices.Backward(u.Assignments) {
		if a.Name == name && a.Section == section {
			return a, true
		}
	}
	return Assignment{}, false
}

// With returns a copy of u that has one more drop-in. The base name of its path decides in which order it is read. If
// the unit has a drop-in of this base name already, even a mask, the error wraps [fs.ErrExist]: use [Unit.Without]
// first. It is also an error if systemd would not read the text to its end; smaller problems are added to the copy's
// Problems.
func (u *Unit) With(dropin, text string) (*Unit, error) {
	base := path.Base(dropin)
	if !strings.HasSuffix(base, ".conf") || hidden(base) {
		return nil, fmt.Errorf("%s: systemd reads no drop-in of this name, want NAME.conf", dropin)
	}
	at := 0
	for ; at < len(u.Dropins) && path.Base(u.Dropins[at]) <= base; at++ {
		if path.Base(u.Dropins[at]) == base {
			return nil, fmt.Errorf("%s: %s is there already: %w", dropin, u.Dropins[at], fs.ErrExist)
		}
	}
	assignments, problems, err := parse(dropin, text)
	if err != nil {
		return nil, err
	}
	c := u.clone()
	split := u.firstOf(u.Dropins[at:])
	c.Dropins = slices.Insert(c.Dropins, at, dropin)
	c.Assignments = slices.Insert(c.Assignments, split, assignments...)
	c.Problems = append(c.Problems, append(problems, u.unknownSections(assignments)...)...)
	if text == "" {
		c.Masks = append(c.Masks, dropin)
	}
	return c, nil
}

// Without returns a copy of u without the drop-ins of this base name, their assignments and their problems.
func (u *Unit) Without(base string) *Unit {
	drop := func(name string) bool { return path.Base(name) == base && slices.Contains(u.Dropins, name) }
	c := u.clone()
	c.Dropins = slices.DeleteFunc(c.Dropins, drop)
	c.Masks = slices.DeleteFunc(c.Masks, drop)
	c.Assignments = slices.DeleteFunc(c.Assignments, func(a Assignment) bool { return drop(a.Pos.Path) })
	c.Problems = slices.DeleteFunc(c.Problems, func(p Problem) bool { return drop(p.Pos.Path) })
	return c
}

// Unread returns an error if systemd may have read something of the unit, or of its slices, that was not read here: the
// unit may forbid more than its assignments say. What systemd cannot read either is only one of the unit's Problems.
func (u *Unit) Unread() error {
	var unread []error
	for _, p := range u.Problems {
		if p.Unread {
			unread = append(unread, p)
		}
	}
	return errors.Join(unread...)
}

// Template returns "foo@.service" for this template or an instance of it, and "" for a unit without a template.
func (u *Unit) Template() string { return Template(u.ID) }

func (u *Unit) clone() *Unit {
	c := *u
	c.Aliases = slices.Clone(u.Aliases)
	c.Dropins = slices.Clone(u.Dropins)
	c.Masks = slices.Clone(u.Masks)
	c.Assignments = slices.Clone(u.Assignments)
	c.Problems = slices.Clone(u.Problems)
	return &c
}

// firstOf returns the index of the first assignment that comes from one of the files.
func (u *Unit) firstOf(files []string) int {
	i := slices.IndexFunc(u.Assignments, func(a Assignment) bool { return slices.Contains(files, a.Pos.Path) })
	if i < 0 {
		return len(u.Assignments)
	}
	return i
}
