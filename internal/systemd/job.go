package systemd

import (
	"context"
	"fmt"
	"time"

	sdbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// A Mode says what happens to other jobs; see --job-mode= in systemctl(1).
type Mode string

const (
	Replace            Mode = "replace"
	Fail               Mode = "fail"
	IgnoreDependencies Mode = "ignore-dependencies"
)

// Done is the result of a successful job. Other results are failed, timeout, dependency, canceled and skipped.
const Done = "done"

// StartUnit starts a unit and waits for the result of the job. The error is that of ctx if ctx ends first.
func (c *Client) StartUnit(ctx context.Context, name string) (result string, err error) {
	return c.job(ctx, "start "+name, func(ctx context.Context, result chan<- string) (int, error) {
		return c.api.StartUnitContext(ctx, name, string(Replace), result)
	})
}

// StopUnit stops a unit and waits, as [Client.StartUnit] does.
func (c *Client) StopUnit(ctx context.Context, name string) (result string, err error) {
	return c.job(ctx, "stop "+name, func(ctx context.Context, result chan<- string) (int, error) {
		return c.api.StopUnitContext(ctx, name, string(Replace), result)
	})
}

// RestartUnit stops a unit if it runs, and then starts it.
func (c *Client) RestartUnit(ctx context.Context, name string) (result string, err error) {
	return c.job(ctx, "restart "+name, func(ctx context.Context, result chan<- string) (int, error) {
		return c.api.RestartUnitContext(ctx, name, string(Replace), result)
	})
}

// ReloadUnit makes a running unit read its configuration again.
func (c *Client) ReloadUnit(ctx context.Context, name string) (result string, err error) {
	return c.job(ctx, "reload "+name, func(ctx context.Context, result chan<- string) (int, error) {
		return c.api.ReloadUnitContext(ctx, name, string(Replace), result)
	})
}

// Transient is a transient unit to make, with properties of org.freedesktop.systemd1(5).
type Transient struct {
	Name       string
	Properties []Property
}

// Property is one property of a [Transient].
type Property struct {
	Name  string
	Value any
}

// StartTransientUnit makes transient units, starts the first of them and waits for the result of that job.
func (c *Client) StartTransientUnit(
	ctx context.Context, mode Mode, unit Transient, others ...Transient,
) (result string, err error) {
	aux := []sdbus.PropertyCollection{}
	for _, other := range others {
		aux = append(aux, sdbus.PropertyCollection{Name: other.Name, Properties: other.list()})
	}
	return c.job(ctx, "start "+unit.Name, func(ctx context.Context, result chan<- string) (int, error) {
		return c.api.StartTransientUnitAux(ctx, unit.Name, string(mode), unit.list(), aux, result)
	})
}

func (t Transient) list() []sdbus.Property {
	list := []sdbus.Property{}
	for _, p := range t.Properties {
		list = append(list, sdbus.Property{Name: p.Name, Value: dbus.MakeVariant(p.Value)})
	}
	return list
}

// job starts a job and waits for its result.
func (c *Client) job(
	ctx context.Context, what string, start func(context.Context, chan<- string) (int, error),
) (string, error) {
	result := make(chan string, 1)
	err := c.call(ctx, c.answer, what, func(ctx context.Context) error {
		_, err := start(ctx, result)
		return err
	})
	if err != nil {
		return "", err
	}
	select {
	case r := <-result:
		return r, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.bus.Context().Done():
		err = ErrGone
	case <-c.signals.Context().Done():
		err = ErrGone
	}
	return "", fmt.Errorf("%s: %w", what, err)
}

// Release stops a unit that may still run, kills the remaining processes, also those that it starts while it stops, and
// makes the manager unload it. It returns no error, since each step fails if there is nothing left to do.
func (c *Client) Release(ctx context.Context, name string) {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_, _ = c.StopUnit(ctx, name)
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for over := false; !over; {
		_ = c.call(ctx, c.answer, "kill "+name, func(ctx context.Context) error {
			return c.api.KillUnitWithTarget(ctx, name, sdbus.All, int32(unix.SIGKILL))
		})
		select {
		case <-stopped:
			over = true
		case <-tick.C:
		}
	}
	_ = c.ResetFailed(ctx, name)
	_ = c.Unref(ctx, name)
}

// ResetFailed makes a failed unit inactive.
func (c *Client) ResetFailed(ctx context.Context, name string) error {
	return c.call(ctx, c.answer, "reset "+name, func(ctx context.Context) error {
		return c.api.ResetFailedUnitContext(ctx, name)
	})
}

// Unref drops the reference to a transient unit that was made with the property AddRef.
func (c *Client) Unref(ctx context.Context, name string) error {
	return c.ask(ctx, "release "+name, nil, managerInterface+".UnrefUnit", name)
}
