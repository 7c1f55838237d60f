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

	"github.com/godbus/dbus/v5"

	"temper/analyzer/exposure"
)

const (
	busName    = "org.freedesktop.systemd1"
	managerObj = "/org/freedesktop/systemd1"
	managerIfc = "org.freedesktop.systemd1.Manager"
	unitIfc    = "org.freedesktop.systemd1.Unit"
	serviceIfc = "org.freedesktop.systemd1.Service"
)

// ErrNotLoaded says that the manager has no such unit, or one that it refuses or that is masked.
var ErrNotLoaded = errors.New("the unit is not loaded")

// Score scores a service as the manager knows it, which loads it if need be. A name without a suffix is a service's.
// The error wraps [ErrNotLoaded], or [exposure.ErrNotService]; any other is the bus's.
func Score(ctx context.Context, conn *dbus.Conn, name string, o exposure.Options) (exposure.Report, error) {
	s, err := Read(ctx, conn, name, o)
	if err != nil {
		return exposure.Report{}, err
	}
	return exposure.Assess(s, o)
}

// Read returns what the manager knows about a service. Errors are those of [Score].
func Read(ctx context.Context, conn *dbus.Conn, name string, o exposure.Options) (exposure.Service, error) {
	if !strings.Contains(name, ".") {
		name += ".service"
	}
	if !strings.HasSuffix(name, ".service") {
		return exposure.Service{}, fmt.Errorf("%s: %w", name, exposure.ErrNotService)
	}
	path := dbus.ObjectPath(managerObj + "/unit/" + label(name))
	p := properties{}
	for _, ifc := range []string{unitIfc, serviceIfc} {
		more := properties{}
		err := conn.Object(busName, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.GetAll", 0, ifc).Store(&more)
		if err != nil {
			return exposure.Service{}, fmt.Errorf("ask for %s: %w", name, err)
		}
		for k, v := range more {
			p[k] = v
		}
	}
	if state := get[string](p, "LoadState"); state != "loaded" {
		return exposure.Service{}, fmt.Errorf("%s: %w: it is %s", name, ErrNotLoaded, state)
	}
	return p.settings(o), nil
}

// Services returns the services that "systemd-analyze security" lists when none is named: all that are loaded, sorted,
// but for Type=oneshot.
func Services(ctx context.Context, conn *dbus.Conn, o exposure.Options) ([]exposure.Service, error) {
	type listed struct {
		Name, Description, LoadState, ActiveState, SubState, Following string
		Path                                                           dbus.ObjectPath
		Job                                                            uint32
		JobType                                                        string
		JobPath                                                        dbus.ObjectPath
	}
	var units []listed
	err := conn.Object(busName, managerObj).CallWithContext(ctx, managerIfc+".ListUnits", 0).Store(&units)
	if err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	var services []exposure.Service
	for _, u := range units {
		if !strings.HasSuffix(u.Name, ".service") || u.LoadState != "loaded" {
			continue
		}
		s, err := Read(ctx, conn, u.Name, o)
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

// label writes a name as one part of an object path, as systemd does: letters and digits stay, but for a digit in
// front, everything else becomes "_" and two hexadecimal digits.
func label(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}
