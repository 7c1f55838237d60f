package place

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"temper/harness/place/cgroup"
	"temper/internal/hint"
	"temper/internal/systemd"
)

// Host is the running systemd of this machine. Its error carries a hint where systemd is not PID 1 or has no bus.
func Host(ctx context.Context) (*Place, error) {
	if !systemd.Booted() {
		return nil, hint.With(errors.New("systemd does not run this machine"), "use a container: --place container")
	}
	unified, _, err := cgroup.Hierarchies()
	if err != nil {
		return nil, err
	}
	p := &Place{kind: "host", leader: 1, cgroup: unified, net: -1, rootFD: -1}
	p.close = sync.OnceValue(func() error { p.disconnect(); return nil })
	if p.manager, err = systemd.ConnectSystemBus(ctx); err != nil {
		return nil, errors.Join(hint.With(fmt.Errorf("connect to the system bus: %w", err),
			"install the package dbus (or dbus-broker) and start dbus.socket"), p.close())
	}
	if err := p.attach(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}
