package analysis

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"temper/generator"
	"temper/internal/unit"
	"temper/profiles"
)

// hardening returns a function that applies the profiles to a unit.
func (a *Analysis) hardening() (func(*unit.Unit) (*unit.Unit, error), error) {
	portable, err := a.portableProfile()
	if err != nil {
		return nil, err
	}
	apply, err := a.profile()
	if err != nil {
		return nil, err
	}
	return func(u *unit.Unit) (*unit.Unit, error) {
		u, err := portable(u)
		if err != nil {
			return nil, err
		}
		return apply(u)
	}, nil
}

func unchanged(u *unit.Unit) (*unit.Unit, error) { return u, nil }

// profile returns a function that applies the profile to a unit.
func (a *Analysis) profile() (func(*unit.Unit) (*unit.Unit, error), error) {
	if a.Profile == "" {
		return unchanged, nil
	}
	file, err := filepath.Abs(a.Profile)
	if err != nil {
		return nil, err
	}
	set, _ := a.profiles()
	p, err := profiles.LoadFile(file, set)
	if err != nil {
		return nil, err
	}
	settings, err := generator.LoadSettings(a.Source.Root)
	if err != nil {
		a.Warn(err)
	}
	return func(u *unit.Unit) (*unit.Unit, error) {
		plan := generator.NewPlan(generator.Input{
			Unit: u, Profile: p, Named: true, Version: a.Options.Version, Secrets: generator.Secrets(set, settings, u),
		})
		for _, l := range plan.LeftOut {
			a.Warn(fmt.Errorf("%s: %s= is left out: %s", u.ID, l.Directive, l.Reason))
		}
		return u.Without(generator.Dropin).With(generator.Dropin, plan.Text())
	}, nil
}

// profiles reads the profiles of the root and, after them, those that are built into temper. `temper check` reports
// what is wrong with them.
func (a *Analysis) profiles() (*profiles.Set, []error) {
	return profiles.Load(a.Source.Root, append(slices.Clone(profiles.SearchPath), profiles.Builtin))
}

// portableDirs are the directories for portable profiles on this machine; see portablectl(1).
var portableDirs = []string{
	"/etc/systemd/portable/profile", "/run/systemd/portable/profile", "/usr/local/lib/systemd/portable/profile",
	"/usr/lib/systemd/portable/profile",
}

// portableDropin is the drop-in name under which a portable profile is read. A drop-in of that name that the unit
// already has counts instead.
const portableDropin = "profile.conf"

// portableProfile returns a function that adds the portable profile to a unit, as systemd-analyze security --profile=
// does.
func (a *Analysis) portableProfile() (func(*unit.Unit) (*unit.Unit, error), error) {
	if a.Portable == "" {
		return unchanged, nil
	}
	file, err := findPortable(a.Portable)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return func(u *unit.Unit) (*unit.Unit, error) {
		with, err := u.With(portableDropin, string(text))
		if errors.Is(err, fs.ErrExist) {
			return u, nil
		}
		return with, err
	}, nil
}

// findPortable returns the file of a portable profile: a path, which ends in .conf, or a name.
func findPortable(name string) (string, error) {
	if strings.Contains(name, "/") {
		if !strings.HasSuffix(name, ".conf") {
			return "", fmt.Errorf("the portable profile %s does not end in .conf", name)
		}
		return name, nil
	}
	for _, dir := range portableDirs {
		file := path.Join(dir, name, "service.conf")
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no portable profile %q in %s", name, strings.Join(portableDirs, ", "))
}
