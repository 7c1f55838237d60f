// Package offline scores services by their unit files, as "systemd-analyze security --offline=yes" does.
//
// A [Source] finds units: by name, by file, or all of a root; [Score] scores one and [Advise] ranks what would gain
// most. Files are found as "systemd-analyze security --offline=yes" finds them: their directories go in front of the
// load path, and a template is read as an instance of it.
package offline

import (
	"fmt"
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

// Names loads units by name, one after the other. A name without a suffix is a service's. Each unit comes with the name
// that was asked for; errors name it too.
func (s Source) Names(names []string) iter.Seq2[*unit.Unit, error] {
	l := s.loader(nil)
	return func(yield func(*unit.Unit, error) bool) {
		for _, name := range names {
			if !strings.Contains(name, ".") {
				name += ".service"
			}
			if !yield(l.Load(s.InstanceOf(name))) {
				return
			}
		}
	}
}

// One loads one unit, by name or, if there is a "/" in it, from a file.
func (s Source) One(arg string) (u *unit.Unit, err error) {
	from := s.Names
	if strings.Contains(arg, "/") {
		from = s.Files
	}
	for u, err = range from([]string{arg}) {
	}
	return u, err
}

// Files loads unit files, one after the other. The directories of all of them go in front of the load path, as
// systemd-analyze does it.
func (s Source) Files(files []string) iter.Seq2[*unit.Unit, error] {
	var clean, dirs []string
	for _, file := range files {
		if s.Root.IsHost() {
			if abs, err := filepath.Abs(file); err == nil {
				file = abs
			}
		}
		file = path.Clean("/" + file)
		clean = append(clean, file)
		if dir := path.Dir(file); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	l := s.loader(dirs)
	return func(yield func(*unit.Unit, error) bool) {
		for _, file := range clean {
			u, err := s.file(l, file)
			if !yield(u, err) {
				return
			}
		}
	}
}

// file loads one file by the name that it has. Where a file of that name in an earlier directory hides it, it is loaded
// by itself.
func (s Source) file(l *unit.Loader, file string) (*unit.Unit, error) {
	if _, err := s.Root.Stat(file); err != nil {
		return nil, fmt.Errorf("%s: %w", file, unit.ErrNotFound)
	}
	u, err := l.Load(s.InstanceOf(path.Base(file)))
	if err == nil && u.Fragment != "" && path.Dir(u.Fragment) != path.Dir(file) && u.ID == u.Name {
		return s.loader([]string{path.Dir(file)}).Load(s.InstanceOf(path.Base(file)))
	}
	return u, err
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
