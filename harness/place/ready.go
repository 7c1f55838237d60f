package place

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/host"
	"temper/internal/systemd"
)

const pollEvery = 5 * time.Millisecond

// poll calls try until it returns true or an error, the container ends, or ctx does. It leaves a slow machine most of its
// time to boot the container.
func (c *container) poll(ctx context.Context, try func() (bool, error)) error {
	for {
		begin := time.Now()
		if done, err := try(); done || err != nil {
			return err
		}
		select {
		case <-c.dead:
			return c.deadEarly()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(max(pollEvery, 4*time.Since(begin))):
		}
	}
}

func (c *container) deadEarly() error {
	if c.exit == nil {
		return errors.New("systemd shut down again while booting")
	}
	return fmt.Errorf("systemd-nspawn: %w", c.exit)
}

// ready waits for the place to come up: a leader, its bus, its unit.
func (c *container) ready(ctx context.Context) (*Place, error) {
	p := &Place{kind: "container", net: -1, rootFD: -1, dead: c.dead, box: c}
	err := c.poll(ctx, func() (bool, error) { return c.join(ctx, p) })
	if err == nil {
		err = c.reached(ctx, p.manager)
	}
	if err == nil {
		err = p.attach(ctx)
	}
	if err != nil {
		p.disconnect()
		return nil, err
	}
	return p, nil
}

// join opens the bus, the root and the network of the container once they are there.
func (c *container) join(ctx context.Context, p *Place) (bool, error) {
	if p.leader == 0 {
		leader, dir, ok := c.group.leader()
		if !ok {
			return false, nil
		}
		p.leader, p.cgroup = leader, dir
	}
	base := fmt.Sprintf("/proc/%d/", p.leader)
	manager, err := systemd.Connect(ctx, systemd.Socket(base+"root"+systemd.SystemBus))
	if err != nil {
		c.notYet = fmt.Errorf("its D-Bus: %w", err)
		return false, nil
	}
	c.notYet = nil
	p.manager = manager
	if p.net, err = unix.Open(base+"ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return false, err
	}
	root, err := unix.Open(base+"root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	// A descriptor stays this container's root when the leader's number has gone to another process.
	p.rootFD = root
	p.root = host.Root(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), root))
	return true, nil
}

// reached waits until the unit to boot is active. If nothing is queued any more and it is not, it never will be.
func (c *container) reached(ctx context.Context, manager *systemd.Client) error {
	unit := c.Unit
	if unit == "" {
		unit = bootUnit
	}
	idle := 0
	return c.poll(ctx, func() (bool, error) {
		if !manager.Connected() {
			return false, errors.New("its D-Bus went away while it booted")
		}
		p, err := manager.LoadedUnit(ctx, unit)
		if err == nil && systemd.Get[string](p, "ActiveState") == "active" {
			return true, nil
		}
		if jobs, err := manager.Jobs(ctx); err != nil || jobs > 0 {
			idle = 0
			return false, nil
		}
		if idle++; idle < 3 {
			return false, nil
		}
		return false, fmt.Errorf("%s did not become active%s", unit, failures(ctx, manager))
	})
}

// failures names the failed units of a place, as "; failed: a.service b.mount".
func failures(ctx context.Context, manager *systemd.Client) string {
	units, err := manager.Units(ctx, []string{"failed"}, nil)
	if err != nil || len(units) == 0 {
		return ""
	}
	var names []string
	for _, u := range units {
		names = append(names, u.Name)
	}
	return "; failed: " + strings.Join(names, " ")
}
