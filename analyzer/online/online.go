// Package online scores the services of a running systemd, as "systemd-analyze security UNIT" does.
//
// Start with [Score]. What the manager says over D-Bus differs in places from the unit files, and systemd-analyze
// scores it differently: another directive can imply PrivateMounts=, only 127.0.0.0/8 and ::1 count as addresses of
// this host, and a call on an allow-list counts as allowed even if its entry has an error number.
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
	// Unit loads a unit if necessary and returns its properties as godbus decodes them; see
	// org.freedesktop.systemd1(5).
	Unit(ctx context.Context, name string) (map[string]any, error)
	// Units lists the loaded units that are in one of the states and whose names match one of the patterns. No states
	// means any state; no patterns means any name.
	Units(ctx context.Context, states, patterns []string) ([]dbus.UnitStatus, error)
}

// ErrNotLoaded says that the manager has no such unit, refuses to load it, or has it masked.
var ErrNotLoaded = errors.New("the unit is not loaded")

// Score scores a service as the manager knows it; the manager loads it if necessary. ".service" is added to a name
// without a suffix. The error wraps [ErrNotLoaded] or [exposure.ErrNotService]; any other error comes from D-Bus.
func Score(ctx context.Context, m Manager, name string, o exposure.Options) (exposure.Report, error) {
	s, err := Read(ctx, m, name, o)
	if err != nil {
		return exposure.Report{}, err
	}
	return exposure.Assess(s, o)
}

// Read returns what the manager knows about a service. Its errors are those of [Score].
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

// Services returns the services that "systemd-analyze security" lists when no unit is named: all loaded services except
// those with Type=oneshot, sorted.
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
		if errors.Is(err, ErrNotLoaded) { // the unit was unloaded after it was listed
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
