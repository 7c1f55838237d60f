package batch

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
	"temper/profiles"
)

// Startable lists the service units of a root that profiles name and systemd could start: the units that `temper prove`
// proves when no unit is given. It leaves out templates, and instances for which a file of AssertPathExists= is
// missing.
func Startable(l *unit.Loader, set *profiles.Set) []string {
	var names []string
	for _, p := range set.All() {
		for _, name := range p.Units {
			u, err := l.Load(name)
			if err != nil || u.Masked || u.Fragment == "" || unit.IsTemplate(u.ID) {
				continue
			}
			if configured(l.Root, u) && !slices.Contains(names, u.ID) {
				names = append(names, u.ID)
			}
		}
	}
	return names
}

// configured reports whether the files of AssertPathExists= exist, without which an instance does not start. Any other
// unit counts as configured.
func configured(root host.Root, u *unit.Unit) bool {
	if !unit.IsInstance(u.ID) {
		return true
	}
	return !slices.ContainsFunc(u.All("Unit", "AssertPathExists"), func(a unit.Assignment) bool {
		file, err := u.Expand(a.Value)
		if err != nil || !strings.HasPrefix(file, "/") { // a "!" or "|" before the path does not require the file
			return false
		}
		_, err = root.Stat(file)
		return errors.Is(err, fs.ErrNotExist)
	})
}
