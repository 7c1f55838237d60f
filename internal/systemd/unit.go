package systemd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	sdbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Properties are the properties of a unit, general ones and those of its type, as godbus decodes them; see
// org.freedesktop.systemd1(5).
type Properties = map[string]any

// Get returns a property, or the zero value if this systemd has no property of that name and type.
func Get[T any](p Properties, name string) T {
	var value, zero T
	if v, ok := p[name]; !ok || dbus.Store([]any{v}, &value) != nil {
		return zero
	}
	return value
}

// Unit loads a unit if necessary and returns its properties. A unit that does not exist has LoadState=not-found.
func (c *Client) Unit(ctx context.Context, name string) (Properties, error) {
	var p Properties
	err := c.call(ctx, c.answer, "ask for "+name, func(ctx context.Context) (err error) {
		p, err = c.api.GetAllPropertiesContext(ctx, name)
		return err
	})
	return p, err
}

// LoadedUnit returns the properties of a unit, or an error that wraps [ErrNotLoaded] if it is not loaded.
func (c *Client) LoadedUnit(ctx context.Context, name string) (Properties, error) {
	if err := c.loaded(ctx, name); err != nil {
		return nil, err
	}
	return c.Unit(ctx, name)
}

func (c *Client) loaded(ctx context.Context, name string) error {
	var path dbus.ObjectPath
	return c.ask(ctx, "look up "+name, &path, managerInterface+".GetUnit", name)
}

// LoadedUnitChanged returns when the state of a unit last changed, on the monotonic clock in microseconds. It is cheap.
func (c *Client) LoadedUnitChanged(ctx context.Context, name string) (uint64, error) {
	if err := c.loaded(ctx, name); err != nil {
		return 0, err
	}
	var changed uint64
	err := c.call(ctx, c.answer, "ask for "+name, func(ctx context.Context) error {
		p, err := c.api.GetUnitPropertyContext(ctx, name, "StateChangeTimestampMonotonic")
		if err != nil {
			return err
		}
		return p.Value.Store(&changed)
	})
	return changed, err
}

// UnitStatus is a line of a list of units.
type UnitStatus = sdbus.UnitStatus

// Units lists the loaded units. If there are states, such as "failed", it lists only units in one of them; if there are
// patterns of glob(7), only units whose names match one of them.
func (c *Client) Units(ctx context.Context, states, patterns []string) ([]UnitStatus, error) {
	var units []UnitStatus
	err := c.call(ctx, c.answer, "list units", func(ctx context.Context) (err error) {
		units, err = c.api.ListUnitsByPatternsContext(
			ctx,
			append([]string{}, states...),
			append([]string{}, patterns...),
		)
		return err
	})
	return units, err
}

// Reload makes the manager run its generators and read its units again, as systemctl daemon-reload does.
func (c *Client) Reload(ctx context.Context) error {
	return c.call(ctx, reloadWithin, "reload the manager", c.api.ReloadContext)
}

// Version is the major version of the manager, such as 257.
func (c *Client) Version(ctx context.Context) (int, error) {
	text, err := managerProperty[string](ctx, c, "Version") // "257.7-1" or "247 (247.3-7+deb11u4)"
	if err != nil {
		return 0, err
	}
	digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	version, err := strconv.Atoi(digits)
	if err != nil {
		return 0, fmt.Errorf("the manager calls its version %q, want it to begin with a number", text)
	}
	return version, nil
}

// Features are what the manager was built with, as in "+PAM -BPF_FRAMEWORK".
func (c *Client) Features(ctx context.Context) (string, error) {
	return managerProperty[string](ctx, c, "Features")
}

// Starting reports whether the manager is still booting.
func (c *Client) Starting(ctx context.Context) (bool, error) {
	state, err := managerProperty[string](ctx, c, "SystemState")
	return state == "initializing" || state == "starting", err
}

// Jobs returns how many jobs are queued or running.
func (c *Client) Jobs(ctx context.Context) (uint32, error) {
	return managerProperty[uint32](ctx, c, "NJobs")
}

// Settings are what the manager was told to be, by itself or by who may: its environment for units, where and how much
// it logs, and the defaults of units, each as text.
func (c *Client) Settings(ctx context.Context) (map[string]string, error) {
	var all map[string]dbus.Variant
	err := c.ask(ctx, "read the manager's settings", &all, getAllProperties, managerInterface)
	settings := map[string]string{}
	for name, value := range all {
		if strings.HasPrefix(name, "Default") || slices.Contains(settable, name) {
			settings["the manager's "+name] = value.String()
		}
	}
	return settings, err
}

// settable are properties of the manager that a call can change, apart from the defaults.
var settable = []string{"Environment", "LogLevel", "LogTarget", "ServiceWatchdogs", "UnitPath"}

func managerProperty[T any](ctx context.Context, c *Client, name string) (T, error) {
	var value T
	var v dbus.Variant
	err := c.ask(ctx, "read the manager's "+name, &v, getProperty, managerInterface, name)
	if err == nil {
		err = v.Store(&value)
	}
	return value, err
}
