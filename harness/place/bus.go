package place

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	managerName      = "org.freedesktop.systemd1"
	managerInterface = managerName + ".Manager"
	unitInterface    = managerName + ".Unit"
	serviceInterface = managerName + ".Service"
	properties       = "org.freedesktop.DBus.Properties"
)

func manager(conn *dbus.Conn) dbus.BusObject {
	return conn.Object(managerName, "/org/freedesktop/systemd1")
}

// connect opens the bus at the socket path as root, and is given up when ctx ends; afterwards only Close ends it.
func connect(ctx context.Context, socket string) (*dbus.Conn, error) {
	conn, err := dbus.Dial("unix:path=" + dbus.EscapeBusAddressValue(socket))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err = conn.Auth([]dbus.Auth{dbus.AuthExternal("0")}); err == nil {
		err = conn.Hello()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func property(ctx context.Context, obj dbus.BusObject, iface, name string, into any) error {
	var v dbus.Variant
	if err := obj.CallWithContext(ctx, properties+".Get", 0, iface, name).Store(&v); err != nil {
		return fmt.Errorf("property %s: %w", name, err)
	}
	return v.Store(into)
}

// managerVersion reads the manager's Version, which is "257.7-1" or "247 (247.3-7+deb11u4)" depending on who built it.
func managerVersion(ctx context.Context, conn *dbus.Conn) (int, error) {
	var text string
	if err := property(ctx, manager(conn), managerInterface, "Version", &text); err != nil {
		return 0, err
	}
	digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	version, err := strconv.Atoi(digits)
	if err != nil {
		return 0, fmt.Errorf("the manager calls its version %q, want it to begin with a number", text)
	}
	return version, nil
}

// unitObject is the object of a loaded unit.
func unitObject(ctx context.Context, conn *dbus.Conn, name string) (dbus.BusObject, error) {
	var path dbus.ObjectPath
	if err := manager(conn).CallWithContext(ctx, managerInterface+".GetUnit", 0, name).Store(&path); err != nil {
		return nil, err
	}
	return conn.Object(managerName, path), nil
}

func activeState(ctx context.Context, conn *dbus.Conn, name string) (string, error) {
	obj, err := unitObject(ctx, conn, name)
	if err != nil {
		return "", err
	}
	var state string
	err = property(ctx, obj, unitInterface, "ActiveState", &state)
	return state, err
}
