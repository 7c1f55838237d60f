package place

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"temper/harness/place/cgroup"
	"temper/harness/place/hostcopy"
	"temper/internal/hint"
	"temper/internal/systemd"
)

// Host returns the place of this machine's running systemd. The error has a hint if systemd is not PID 1 or has no bus.
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

// CopyOver mounts writable copies, in memory, over directories of the host, until remove is called; see
// [hostcopy.Cover]. In a container, which is a copy itself, it does nothing.
func (p *Place) CopyOver(ctx context.Context, d hostcopy.Directories) (remove func() error, err error) {
	if p.box != nil || len(d.Over) == 0 {
		return func() error { return nil }, nil
	}
	copies, err := hostcopy.Cover(ctx, p.leader, d)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.copies = append(p.copies, copies)
	return sync.OnceValue(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.copies = slices.DeleteFunc(p.copies, func(c *hostcopy.Copies) bool { return c == copies })
		return copies.Remove()
	}), nil
}

// original reports whether a path of the host exists without the copies that are mounted now.
func (p *Place) original(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.copies {
		if exists, known := c.Original(name); known {
			return exists
		}
	}
	return true
}
