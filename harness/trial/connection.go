package trial

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"temper/internal/systemd"
)

// connect connects to the socket of a service with an instance for each connection, so that an instance runs.
func (l *launch) connect(ctx context.Context) error {
	p, err := l.Place.Manager().LoadedUnit(ctx, l.sockets[0])
	if err != nil {
		return err
	}
	network, address := listens(p)
	if network == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.Profile.Prove.Timeout)
	defer cancel()
	client, err := l.Place.Dial(ctx, network, address)
	if err != nil {
		return l.fail("start", "connect to %s: %s", address, err)
	}
	l.clients = append(l.clients, client)
	started := func(s systemd.Service) bool { return s.PID != 0 || failed(s) }
	for ctx.Err() == nil {
		now, err := l.Place.Manager().LoadedUnit(ctx, l.sockets[0])
		if err != nil {
			return err
		}
		if states, err := l.now(ctx); err != nil || slices.ContainsFunc(states, started) || served(p, now) {
			return err
		}
		if wait(ctx, 20*time.Millisecond) != nil {
			break
		}
	}
	return nil // the instance may have ended already
}

// served reports whether the instance for a connection that was made meanwhile has come and gone.
func served(before, now systemd.Properties) bool {
	accepted := func(p systemd.Properties) uint32 { return systemd.Get[uint32](p, "NAccepted") }
	return accepted(now) > accepted(before) && systemd.Get[uint32](now, "NConnections") == 0
}

// closeClients closes the connections that connect has made.
func (l *launch) closeClients() {
	for _, c := range l.clients {
		c.Close()
	}
	l.clients = nil
}

// listens returns the first address of a socket unit to which clients can connect, in the form of [net.Dial]. The
// network is empty if there is none.
func listens(socket systemd.Properties) (network, address string) {
	for _, l := range systemd.Get[[]struct{ Kind, Address string }](socket, "Listen") {
		kind, address := l.Kind, l.Address
		switch {
		case kind == "Stream" && strings.HasPrefix(address, "@"), kind == "Stream" && strings.HasPrefix(address, "/"):
			return "unix", address
		case kind == "SequentialPacket":
			return "unixpacket", address
		case kind == "Stream":
			if a, err := netip.ParseAddrPort(address); err == nil {
				return "tcp", reachable(a).String()
			}
		}
	}
	return "", ""
}

// reachable returns the loopback address if a socket is bound to the unspecified address.
func reachable(a netip.AddrPort) netip.AddrPort {
	switch a.Addr() {
	case netip.IPv4Unspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port())
	case netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv6Loopback(), a.Port())
	}
	return a
}
