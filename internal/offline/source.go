// Package offline scores services by their unit files, as "systemd-analyze security --offline=yes" does.
//
// A [Source] finds units: by name, by file, or all of a root; [Score] scores one and [Advise] ranks what would gain
// most. Files are found as "systemd-analyze security --offline=yes" finds them: their directories go in front of the
// load path, and a template is read as an instance of it.
package offline

import (
	"iter"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
)

// Source says where units come from.
type Source struct {
	Root    host.Root
	Path    []string // the load path; nil is systemd's own
	Dir     string   // where units given by name are looked for first, as files; "" is nowhere
	Version int      // systemd's major version
	// Instance is what stands for the instance of a template; "" is what systemd-analyze takes.
	Instance string
}

// sinceTestInstance is the first systemd version whose systemd-analyze reads a template as the instance
// "test_instance"; before it was "i".
const sinceTestInstance = 257

// InstanceOf returns the name of the instance that is scored in place of a template. Other names are returned as they
// are.
func (s Source) InstanceOf(name string) string {
	instance := s.Instance
	switch {
	case !unit.IsTemplate(name):
		return name
	case instance != "":
	case s.Version >= sinceTestInstance:
		instance = "test_instance"
	default:
		instance = "i"
	}
	return unit.Instantiate(name, instance)
}

// Named loads units, one after the other: each by name or, if there is a "/" in it, as a unit file. A name without a
// suffix is a service's. The directories of all files, and Dir if there is one, go in front of the load path, as
// systemd-analyze does it: an instance is found by the path of its template's directory. Each unit comes with the name
// that was asked for; errors name it too.
func (s Source) Named(args []string) iter.Seq2[*unit.Unit, error] {
	var names, dirs []string
	for _, arg := range args {
		dir, name := s.split(arg)
		names = append(names, path.Join(dir, name))
		if dir != "" && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	l := s.loader(dirs)
	return func(yield func(*unit.Unit, error) bool) {
		for _, name := range names {
			if !yield(s.one(l, name)) {
				return
			}
		}
	}
}

// One loads one unit, as [Source.Named] does.
func (s Source) One(arg string) (u *unit.Unit, err error) {
	for u, err = range s.Named([]string{arg}) {
	}
	return u, err
}

// split returns the directory in which a unit is looked for before the load path, "" if there is none, and its name.
func (s Source) split(arg string) (dir, name string) {
	if !strings.Contains(arg, "/") {
		if !strings.Contains(arg, ".") {
			arg += ".service"
		}
		return s.Dir, arg
	}
	if s.Root.IsHost() {
		if abs, err := filepath.Abs(arg); err == nil {
			arg = abs
		}
	}
	arg = path.Clean("/" + arg)
	return path.Dir(arg), path.Base(arg)
}

// one loads a unit by its name. Where it was given as a file, and one of that name in an earlier directory hides it, it is
// loaded by itself.
func (s Source) one(l *unit.Loader, arg string) (*unit.Unit, error) {
	dir, name := path.Split(arg)
	u, err := l.Load(s.InstanceOf(name))
	if err != nil || dir == "" || u.Fragment == "" || path.Dir(u.Fragment) == path.Clean(dir) || u.ID != u.Name {
		return u, err
	}
	if _, err := s.Root.Stat(arg); err != nil {
		return u, nil
	}
	return s.loader([]string{path.Clean(dir)}).Load(s.InstanceOf(name))
}

// All loads every service of the root, sorted by name. Aliases are left out, since the unit that they name is there; so
// are masked units.
func (s Source) All() iter.Seq2[*unit.Unit, error] {
	return func(yield func(*unit.Unit, error) bool) {
		l := s.loader(nil)
		names, err := l.List(".service")
		if err != nil && !yield(nil, err) {
			return
		}
		for _, name := range names {
			u, err := l.Load(s.InstanceOf(name))
			if err == nil && (u.Masked || u.ID != u.Name) {
				continue
			}
			if !yield(u, err) {
				return
			}
		}
	}
}

func (s Source) loader(dirs []string) *unit.Loader {
	rest := s.Path
	if rest == nil {
		rest = unit.DefaultPath
	}
	return &unit.Loader{Root: s.Root, Version: s.Version, Path: append(slices.Clone(dirs), rest...)}
}
