// Package servicedata finds the directories in which a service of this machine keeps its data.
//
// [Of] lists them by the unit and its profile. It only reads.
package servicedata

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"temper/harness/blame"
	"temper/harness/clone"
	"temper/harness/place/hostcopy"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/unit"
	"temper/profiles"
)

// ownDirectories are the directives by which systemd makes directories for a service; systemd.exec(5).
var ownDirectories = []struct {
	name, below string
	private     bool // for a dynamic user they are below "private", with a link at the usual path
}{
	{"StateDirectory", "/var/lib", true},
	{"CacheDirectory", "/var/cache", true},
	{"LogsDirectory", "/var/log", true},
	{"ConfigurationDirectory", "/etc", false},
}

// Of lists the directories in which a service keeps data: those that systemd makes for it, and existing ones that its
// unit or its profile opens for writing. It leaves out directories that are empty after a boot.
//
// The error names links on the way that others than root can exchange, since what is behind them is what the service
// wants, and directories of which it is not known what is there.
func Of(u *unit.Unit, p *profiles.Profile) (hostcopy.Directories, error) {
	var c hostcopy.Directories
	var errs []error
	dynamic := clone.IsDynamic(u)
	for _, d := range ownDirectories {
		for _, word := range listed(u, d.name) {
			name, _, _ := strings.Cut(word, ":") // links and flags follow
			dir := path.Join(d.below, name)
			if dynamic && d.private {
				c.Links = append(c.Links, dir)
				dir = path.Join(d.below, "private", name)
			}
			real, err := resolve(dir)
			errs = append(errs, err, exchangeableLink(dir))
			c.Make = append(c.Make, cmp.Or(real, dir))
		}
	}
	c.Over = slices.Clone(c.Make)
	for _, dir := range opened(u, p) {
		real, err := resolve(dir)
		if real != "" && !volatile.MatchString(real) {
			var info fs.FileInfo
			if info, err = os.Stat(real); err == nil && info.IsDir() {
				errs = append(errs, exchangeableLink(dir))
				c.Over = append(c.Over, real)
			}
		}
		errs = append(errs, err)
	}
	c.Over = outermost(c.Over)
	return c, errors.Join(errs...)
}

// resolve returns a name without links; "" if nothing is there for systemd either. The error says that it is not known
// what is there, such as where a user has mounted a file system into which root may not look.
func resolve(name string) (string, error) {
	_, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return "", nil
	case err != nil:
		return "", err
	}
	return filepath.EvalSymlinks(name)
}

// exchangeableLink returns an error if a link on the way to an existing file is one that others than root can exchange.
func exchangeableLink(name string) error {
	if real, err := resolve(name); real == "" {
		return err
	}
	parts := strings.Split(strings.Trim(name, "/"), "/")
	for i := range parts {
		dir, link := "/"+path.Join(parts[:i]...), "/"+path.Join(parts[:i+1]...)
		to, err := os.Readlink(link)
		if errors.Is(err, unix.EINVAL) { // it is no link
			continue
		}
		if err != nil {
			return err
		}
		info, err := os.Stat(dir)
		if err == nil {
			err = host.At("/").Trusts(dir, info)
		}
		if err != nil {
			return fmt.Errorf("%s is a link that others than root can exchange: %w", link, err)
		}
		if !path.IsAbs(to) {
			to = path.Join(dir, to)
		}
		return exchangeableLink(path.Join(append([]string{to}, parts[i+1:]...)...))
	}
	return nil
}

// volatile matches directories that are empty after a boot, and those of the kernel.
var volatile = regexp.MustCompile(`^/(run|tmp|dev|proc|sys)(/|$)`)

// opened lists the paths that a unit and its profile open for writing, as they are outside the sandbox.
func opened(u *unit.Unit, p *profiles.Profile) []string {
	opens := []string{blame.LiftingDirective(refusal.PathReadOnly).Name, "BindPaths"}
	list := listed(u, opens[0])
	for _, s := range p.Service {
		if slices.Contains(opens, s.Name) {
			for _, value := range s.Values {
				more, _ := unit.Words(value)
				list = append(list, more...)
			}
		}
	}
	for _, bind := range listed(u, opens[1]) {
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

// Moves reports whether the profile gives a dynamic user to a service that has none. systemd then moves the directories
// of the service below "private", which fails while copies are mounted over them.
func Moves(u *unit.Unit, p *profiles.Profile) bool {
	return !clone.IsDynamic(u) && slices.ContainsFunc(p.Service, func(s profiles.Setting) bool {
		d, ok := directive.Lookup(s.Name)
		yes, _ := unit.Bool(s.Values[len(s.Values)-1])
		return ok && yes && d.Trace.Kind == directive.NotRoot
	})
}

// listed returns the words of a list in a unit, expanded, without those that cannot be expanded.
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

// outermost sorts directories and removes duplicates and directories below others.
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

// Overlap returns a directory of the first list that is equal to, above or below one of the second list; "" if there is
// none.
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
