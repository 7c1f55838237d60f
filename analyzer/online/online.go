// Package online scores the services of a running systemd, as "systemd-analyze security UNIT" does.
//
// Start with [Score]. What the manager says over D-Bus differs in places from what its unit files say, and
// systemd-analyze counts it differently: another directive can imply PrivateMounts=, of addresses only 127.0.0.0/8 and
// ::1 are this host, and a call on an allow-list counts as allowed though it be refused with an error of its own.
package online

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"

	"temper/analyzer/exposure"
)

// Manager is a running systemd.
type Manager interface {
	// Unit loads a unit if need be and returns its properties, as godbus decodes them; org.freedesktop.systemd1(5).
	Unit(ctx context.Context, name string) (map[string]any, error)
	// Units lists the loaded units in one of the states, if there are states, whose names match one of the patterns, if
	// there are patterns.
	Units(ctx context.Context, states, patterns []string) ([]dbus.UnitStatus, error)
}

// ErrNotLoaded says that the manager has no such unit, or one that it refuses or that is masked.
var ErrNotLoaded = errors.New("the unit is not loaded")

// Score scores a service as the manager knows it, which loads it if need be. A name without a suffix is a service's.
// The error wraps [ErrNotLoaded], or [exposure.ErrNotService]; any other is the bus's.
func Score(ctx context.Context, m Manager, name string, o exposure.Options) (exposure.Report, error) {
	s, err := Read(ctx, m, name, o)
	if err != nil {
		return exposure.Report{}, err
	}
	return exposure.Assess(s, o)
}

// Read returns what the manager knows about a service. Errors are those of [Score].
func Read(ctx context.Context, m Manager, name string, o exposure.Options) (exposure.Service, error) {
	if !strings.Contains(name, ".") {
		name += ".service"
	}
	if !strings.HasSuffix(name, ".service") {
		return exposure.Service{}, fmt.Errorf("%s: %w", name, exposure.ErrNotService)
	}
	all, err := m.Unit(ctx, name)
	if err != nil {
		return exposure.Service{}, err
	}
	p := properties(all)
	if state := get[string](p, "LoadState"); state != "loaded" {
		return exposure.Service{}, fmt.Errorf("%s: %w: it is %s", name, ErrNotLoaded, state)
	}
	return p.settings(o), nil
}

// Services returns the services that "systemd-analyze security" lists when none is named: all that are loaded,
// sorted, but for Type=oneshot.
func Services(ctx context.Context, m Manager, o exposure.Options) ([]exposure.Service, error) {
	units, err := m.Units(ctx, nil, []string{"*.service"})
	if err != nil {
		return nil, err
	}
	var services []exposure.Service
	for _, u := range units {
		if u.LoadState != "loaded" {
			continue
		}
		s, err := Read(ctx, m, u.Name, o)
		if errors.Is(err, ErrNotLoaded) { // meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		if s.Type != "oneshot" {
			services = append(services, s)
		}
	}
	slices.SortFunc(services, func(a, b exposure.Service) int { return strings.Compare(a.Unit, b.Unit) })
	return services, nil
}
