// Package systemd is the client of a service manager: of this machine, or of a place.
//
// Call [Connect], [ConnectSystemBus] or [ConnectPrivate] first. Every method takes a context and returns soon after the
// context has ended, even if PID 1 hangs. If the manager does not answer a call within a minute, the error wraps
// [ErrNoAnswer]. Several goroutines can call methods at the same time.
//
// Limits: the client trusts the answers of the manager. Whoever controls the bus or PID 1 can make it return anything.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	sdbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Names of org.freedesktop.systemd1(5) that go-systemd has no call for.
const (
	busName          = "org.freedesktop.systemd1"
	managerPath      = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerInterface = busName + ".Manager"
	getProperty      = "org.freedesktop.DBus.Properties.Get"
	getAllProperties = "org.freedesktop.DBus.Properties.GetAll"
	noSuchUnit       = busName + ".NoSuchUnit"
)

var (
	// ErrNoAnswer says that the manager or its bus did not answer in time.
	ErrNoAnswer = errors.New("systemd does not answer")
	// ErrGone says that the connection has ended.
	ErrGone = errors.New("the connection to systemd has ended")
	// ErrNotLoaded says that the manager has no such unit loaded.
	ErrNotLoaded = errors.New("the unit is not loaded")
)

const (
	answerWithin = time.Minute
	// reloadWithin is longer, as in systemctl(1): generators run, and every unit is read again.
	reloadWithin = 3 * time.Minute
)

// Client is a connection to a manager.
type Client struct {
	api     *sdbus.Conn
	bus     *dbus.Conn // of api, for calls; the manager counts references to units for this connection
	signals *dbus.Conn // of api
	answer  time.Duration
}

// Booted reports whether systemd is the init system of this machine; see sd_booted(3).
func Booted() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

// Close ends the connection. The manager then drops the references to units that were made over it.
func (c *Client) Close() { c.api.Close() }

// Connected reports whether the connection is still open.
func (c *Client) Connected() bool { return c.api.Connected() }

// Bus is the connection to the bus of the manager, to talk to other services there. [Client.Close] closes it.
func (c *Client) Bus() *dbus.Conn { return c.bus }

// Refused returns the message of the manager if err says that it refused a call. ok is false for errors of the bus,
// which have other names.
func Refused(err error) (message string, ok bool) {
	refusal, ok := errors.AsType[dbus.Error](err)
	if !ok || !strings.HasPrefix(refusal.Name, busName+".") {
		return "", false
	}
	return refusal.Error(), true
}

// call makes one call, which has to return within limit. The error begins with what.
func (c *Client) call(ctx context.Context, limit time.Duration, what string, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := withoutPanic(limited, do)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%w: no reply within %s", ErrNoAnswer, limit)
	case !c.Connected():
		err = fmt.Errorf("%w: %w", ErrGone, err)
	case named(err, noSuchUnit):
		err = fmt.Errorf("%w: %w", ErrNotLoaded, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// withoutPanic makes an error of a panic of godbus, which has them for values that have another type than was wanted:
// the manager of a hostile place chooses the types.
func withoutPanic(ctx context.Context, do func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the reply is none: %v", r)
		}
	}()
	return do(ctx)
}

func named(err error, name string) bool {
	e, ok := errors.AsType[dbus.Error](err)
	return ok && e.Name == name
}

// ask calls a method of the manager for which go-systemd has no function.
func (c *Client) ask(ctx context.Context, what string, into any, method string, args ...any) error {
	return c.call(ctx, c.answer, what, func(ctx context.Context) error {
		reply := c.bus.Object(busName, managerPath).CallWithContext(ctx, method, 0, args...)
		if into == nil {
			return reply.Err
		}
		return reply.Store(into)
	})
}
