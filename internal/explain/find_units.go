package explain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"temper/internal/hint"
	"temper/internal/unit"
)

// ServiceName completes the name of a service as systemctl(1) does. A name with the suffix of another type of unit is
// returned as it is.
func ServiceName(name string) string {
	if slices.Contains(otherTypes, unit.Type(name)) || strings.HasSuffix(name, ".service") {
		return name
	}
	return name + ".service"
}

// otherTypes are the types of units besides services.
var otherTypes = []string{
	"automount", "device", "mount", "path", "scope", "slice", "socket", "swap", "target", "timer",
}

// FindUnits loads the services that a user has named. The error tells every name that is not a service of the root, and
// has the name that the user probably meant as advice; command is what was typed before the names.
func FindUnits(l *unit.Loader, names []string, command string) ([]*unit.Unit, error) {
	var units []*unit.Unit
	var problems []error
	meant := ""
	for _, typed := range names {
		name := ServiceName(typed)
		if kind := unit.Type(name); kind != "service" {
			problems = append(problems, fmt.Errorf("%s is a %s, want a service", typed, kind))
			meant = orNearest(meant, l, strings.TrimSuffix(name, kind)+"service")
			continue
		}
		u, err := l.Load(name)
		switch {
		case err == nil:
			units = append(units, u)
		case errors.Is(err, unit.ErrNotFound):
			problems = append(problems, fmt.Errorf("there is no unit %s", name))
			meant = orNearest(meant, l, name)
		default:
			problems = append(problems, err)
		}
	}
	err := errors.Join(problems...)
	if meant != "" {
		return units, hint.With(err, command+" "+meant)
	}
	return units, hint.With(err, "systemctl list-unit-files --type=service")
}

// orNearest returns the word that was found before or else the service whose name is nearest to name, "" if none is.
func orNearest(before string, l *unit.Loader, name string) string {
	if before != "" {
		return before
	}
	known, _ := l.List(".service") // advice is not worth an error
	var bare []string
	for _, k := range known {
		bare = append(bare, strings.TrimSuffix(k, ".service"))
	}
	if near := hint.Nearest(strings.TrimSuffix(name, ".service"), bare); near != "" {
		return near + ".service"
	}
	return ""
}
