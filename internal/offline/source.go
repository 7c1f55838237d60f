// Package offline scores services by their unit files, as "systemd-analyze security --offline=yes" does.
//
// A [Source] finds units: by name, by file, or all of a root; [Score] scores one unit, and [Advise] ranks the
// assignments that would lower its exposure most. Files are found as "systemd-analyze security --offline=yes" finds
// them: their directories are put in front of the load path, and a template is read as one of its instances.
package offline

import (
	"cmp"
	"fmt"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
)

// UserPath is the unit load path of a user manager; see systemd.unit(5).
func UserPath() []string {
	home := os.Getenv("HOME")
	config := cmp.Or(os.Getenv("XDG_CONFIG_HOME"), path.Join(home, ".config"))
	data := cmp.Or(os.Getenv("XDG_DATA_HOME"), path.Join(home, ".local/share"))
	run := cmp.Or(os.Getenv("XDG_RUNTIME_DIR"), fmt.Sprintf("/run/user/%d", os.Getuid()))
	list := []string{
		config + "/systemd/user.control", run + "/systemd/user.control", run + "/systemd/transient",
		run + "/systemd/generator.early", config + "/systemd/user", config + "/systemd/user.attached",
	}
	for dir := range strings.SplitSeq(cmp.Or(os.Getenv("XDG_CONFIG_DIRS"), "/etc/xdg"), ":") {
		list = append(list, dir+"/systemd/user")
	}
	list = append(list, "/etc/systemd/user", run+"/systemd/user", run+"/systemd/user.attached", "/run/systemd/user",
		run+"/systemd/generator", data+"/systemd/user")
	for dir := range strings.SplitSeq(cmp.Or(os.Getenv("XDG_DATA_DIRS"), "/usr/local/share:/usr/share"), ":") {
		list = append(list, dir+"/systemd/user")
	}
	return append(list, "/usr/local/lib/systemd/user", "/usr/lib/systemd/user", run+"/systemd/generator.late")
}

// Source says where units come from.
type Source struct {
	Root    host.Root
	Path    []string // the load path; nil is systemd's own
	Dir     string   // the directory in which units given by name are looked for first; "" is none
	Version int      // systemd's major version
	// Instance is the instance name given to a template; "" is the one that systemd-analyze uses.
	Instance string
}

// sinceTestInstance is the first systemd version whose systemd-analyze reads a template as the instance
// "test_instance"; older ones use "i".
const sinceTestInstance = 257

// InstanceOf returns the name of the instance that is scored in place of a template. Other names are returned
// unchanged.
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

// Named loads units, one after the other: each by name or, if there is a "/" in it, as a unit file. ".service" is added
// to a name without a suffix. The directories of all files, and Dir if it is set, are put in front of the load path, as
// systemd-analyze does it, so that the path of an instance finds its template in the same directory. Errors have the
// argument in their text.
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

// split returns the name of a unit, and the directory in which it is looked for before the load path, "" if there is
// none.
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

// one loads a unit by its name. If the unit was given as a file, but a file of that name in an earlier directory hides
// it, the given file is loaded.
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

// All loads every service of the root once, sorted by name: templates as one instance, and all instances that have
// files or drop-ins in the root. Aliases are left out, since the unit that they name is listed; so are masked units.
func (s Source) All() iter.Seq2[*unit.Unit, error] {
	return func(yield func(*unit.Unit, error) bool) {
		l := s.loader(nil)
		names, err := l.List(".service")
		if err != nil && !yield(nil, err) {
			return
		}
		names = append(names, l.Instances()...)
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
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
