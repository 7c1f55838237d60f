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

// Startable lists the service units of a root that its profiles name, as far as they can be started: what `temper
// prove` proves when no unit is given. A template is not among them, its instances are if they are named and what they
// assert is there.
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

// configured reports whether an instance has the files without which it does not start: of a template, any name makes
// an instance.
func configured(root host.Root, u *unit.Unit) bool {
	if !unit.IsInstance(u.ID) {
		return true
	}
	return !slices.ContainsFunc(u.All("Unit", "AssertPathExists"), func(a unit.Assignment) bool {
		file, err := u.Expand(a.Value)
		if err != nil || !strings.HasPrefix(file, "/") { // "!" and "|" promise nothing
			return false
		}
		_, err = root.Stat(file)
		return errors.Is(err, fs.ErrNotExist)
	})
}
