package place

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place/network"
	"temper/harness/place/nspawn"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/systemd"
)

const pollEvery = 5 * time.Millisecond

// boot is a container that is still booting.
type boot struct {
	*container
	place  *Place
	busErr error // why the bus cannot be used yet
}

// awaitBoot waits for the container to come up: a leader, its bus, its unit.
func (c *container) awaitBoot(ctx context.Context) (*Place, error) {
	p := &Place{kind: "container", net: -1, rootFD: -1, dead: c.Done(), box: c, users: c.users}
	b := &boot{container: c, place: p}
	err := b.poll(ctx, func() (bool, error) { return b.join(ctx) })
	if err == nil {
		err = b.reached(ctx)
	}
	if err == nil {
		err = p.attach(ctx)
	}
	if err != nil {
		p.disconnect()
		return nil, b.explain(ctx, err)
	}
	return p, nil
}

// explain says why a boot failed: the caller has given up, the time is over, or the container has ended. It adds the
// last lines of the console.
func (b *boot) explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
		if b.busErr != nil && !errors.Is(cause, context.Canceled) {
			err = fmt.Errorf("%w (%w)", cause, b.busErr)
		}
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	err = b.WithConsole(err)
	if b.Image != "/" {
		err = hint.With(err, "see it boot by hand: systemd-nspawn --volatile=overlay -b -D "+b.Image)
	}
	return err
}

// poll calls try until it returns true or an error, the container ends, or ctx does. It waits longer if try is slow, so
// that a slow machine has time to boot the container.
func (b *boot) poll(ctx context.Context, try func() (bool, error)) error {
	for {
		begin := time.Now()
		if done, err := try(); done || err != nil {
			return err
		}
		select {
		case <-b.Done():
			if err := b.Err(); err != nil {
				return err
			}
			return errors.New("systemd shut down again while booting")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(max(pollEvery, 4*time.Since(begin))):
		}
	}
}

// join opens the bus, the root and the network of the container once they exist.
func (b *boot) join(ctx context.Context) (bool, error) {
	p := b.place
	if p.leader == 0 {
		leader, dir, ok := b.group.Leader()
		if !ok {
			return false, nil
		}
		p.leader, p.cgroup = leader, dir
		if err := b.connect(); err != nil {
			return false, err
		}
	}
	base := fmt.Sprintf("/proc/%d/", p.leader)
	manager, err := systemd.Connect(ctx, p.busDial(host.At(base+"root")))
	if err != nil {
		b.busErr = fmt.Errorf("its D-Bus: %w", err)
		return false, nil
	}
	b.busErr = nil
	p.manager = manager
	root, err := unix.Open(base+"root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	// A descriptor stays this container's root when the leader's number has gone to another process.
	p.rootFD = root
	p.root = host.At(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), root))
	return true, nil
}

// connect opens the network namespace of the container and gives it a network. Where the kernel cannot make one, the
// container has loopback alone, which the console says.
func (b *boot) connect() (err error) {
	b.place.net, err = unix.Open(fmt.Sprintf("/proc/%d/ns/net", b.place.leader), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	machine := network.Of(b.Image)
	err = b.place.Inside(func() error {
		var names unix.Utsname
		err := unix.Uname(&names)
		machine.Hostname = unix.ByteSliceToString(names.Nodename[:]) // systemd has set it
		return err
	})
	if err == nil {
		b.network, err = network.Connect(b.place.net, machine)
	}
	if err != nil && b.Log != nil {
		fmt.Fprintf(b.Log, "temper: %v\n", err)
	}
	return nil
}

// busDial dials the bus of a container as the root of the container, whom the bus allows everything. It opens the
// socket below root first, since the path can be a link that would lead to the bus of the machine.
func (p *Place) busDial(root host.Root) systemd.Dial {
	return func(ctx context.Context) (conn net.Conn, err error) {
		socket, err := root.Socket(systemd.SystemBus)
		if err != nil {
			return nil, err
		}
		defer socket.Close()
		err = p.asRoot(func() error {
			conn, err = systemd.Socket(host.Descriptor(socket))(ctx)
			return err
		})
		return conn, err
	}
}

// reached waits until the unit to boot is active. It fails if the unit is not active and no job is queued any more.
func (b *boot) reached(ctx context.Context) error {
	unit, manager := b.Unit, b.place.manager
	if unit == "" {
		unit = nspawn.DefaultUnit
	}
	idle := 0
	return b.poll(ctx, func() (bool, error) {
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
