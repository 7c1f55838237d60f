// Package servicedata finds the directories in which a service of this machine keeps its data.
//
// [Of] lists them from the unit and its profile. It reads which of them are there, and writes nothing.
package servicedata

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"temper/harness/blame"
	"temper/harness/clone"
	"temper/harness/place/hostcopy"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/unit"
	"temper/profiles"
)

// ownDirectories are the settings that give a service directories of its own below another; systemd.exec(5).
var ownDirectories = []struct {
	name, below string
	private     bool // those of a dynamic user are below "private", and a link leads there
}{
	{"StateDirectory", "/var/lib", true},
	{"CacheDirectory", "/var/cache", true},
	{"LogsDirectory", "/var/log", true},
	{"ConfigurationDirectory", "/etc", false},
}

// Of lists where a service keeps what it knows: in the directories that systemd makes for it, and in those that its
// unit or its profile opens for writing, as far as they are there. What the machine itself forgets is not among them.
func Of(u *unit.Unit, p *profiles.Profile) hostcopy.Directories {
	var c hostcopy.Directories
	dynamic := clone.IsDynamic(u)
	for _, d := range ownDirectories {
		for _, word := range listed(u, d.name) {
			name, _, _ := strings.Cut(word, ":") // links and flags follow
			dir := path.Join(d.below, name)
			if dynamic && d.private {
				c.Links = append(c.Links, dir)
				dir = path.Join(d.below, "private", name)
			}
			if real, err := filepath.EvalSymlinks(dir); err == nil {
				dir = real
			}
			c.Make = append(c.Make, dir)
		}
	}
	c.Over = slices.Clone(c.Make)
	for _, dir := range opened(u, p) {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || volatile.MatchString(real) {
			continue
		}
		if info, err := os.Stat(real); err == nil && info.IsDir() {
			c.Over = append(c.Over, real)
		}
	}
	c.Over = outermost(c.Over)
	return c
}

// volatile matches what is gone after a reboot, and what is no file of anybody.
var volatile = regexp.MustCompile(`^/(run|tmp|dev|proc|sys)(/|$)`)

// opened lists the paths that a unit and its profile open for writing, where they are outside the sandbox.
func opened(u *unit.Unit, p *profiles.Profile) []string {
	d := blame.LiftingDirective(refusal.PathReadOnly)
	list := listed(u, d.Name)
	for _, s := range p.Service {
		if s.Name == d.Name {
			for _, value := range s.Values {
				more, _ := unit.Words(value)
				list = append(list, more...)
			}
		}
	}
	for _, bind := range listed(u, "BindPaths") {
		source, _, _ := strings.Cut(bind, ":")
		list = append(list, source)
	}
	root, _ := u.Last("Service", "RootDirectory")
	for i, word := range list {
		list[i] = strings.TrimLeft(word, "-+")
		if strings.Contains(word[:len(word)-len(list[i])], "+") { // in the root of the service
			list[i] = path.Join(root.Value, list[i])
		}
	}
	return list
}

// Moves reports whether the profile gives a user of its own to a service that has none: systemd then moves the
// directories that it made for the service before, which it cannot while they are covered.
func Moves(u *unit.Unit, p *profiles.Profile) bool {
	return !clone.IsDynamic(u) && slices.ContainsFunc(p.Service, func(s profiles.Setting) bool {
		d, ok := directive.Lookup(s.Name)
		yes, _ := unit.Bool(s.Values[len(s.Values)-1])
		return ok && yes && d.Trace.Kind == directive.NotRoot
	})
}

// listed is what the assignments of a setting leave, without what has no value here.
func listed(u *unit.Unit, name string) []string {
	var list []string
	for _, a := range u.All("Service", name) {
		if a.Value == "" {
			list = nil
		}
		found, _ := unit.Words(a.Value)
		for _, word := range found {
			if value, err := u.Expand(word); err == nil {
				list = append(list, value)
			}
		}
	}
	return list
}

// outermost sorts directories, leaves out those that are below others, and each that comes twice.
func outermost(dirs []string) []string {
	slices.Sort(dirs)
	var list []string
	for _, dir := range dirs {
		if n := len(list); n == 0 || !host.Below(list[n-1], dir) {
			list = append(list, dir)
		}
	}
	return list
}

// Overlap returns a directory of one list that is one of the other, or above or below one; "" if there is none.
func Overlap(a, b []string) string {
	for _, dir := range a {
		for _, other := range b {
			if host.Below(other, dir) || host.Below(dir, other) {
				return dir
			}
		}
	}
	return ""
}
