package trial

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"temper/internal/systemd"
)

// connect connects to the socket of a service for each connection, so that there is an instance to look at.
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
		if states, err := l.now(ctx); err != nil || slices.ContainsFunc(states, started) {
			return err
		}
		if wait(ctx, 20*time.Millisecond) != nil {
			break
		}
	}
	return nil // an instance may have done its work already
}

// hangUp ends what connect began.
func (l *launch) hangUp() {
	for _, c := range l.clients {
		c.Close()
	}
	l.clients = nil
}

// listens returns the first address that clients of a socket unit connect to, as [net.Dial] takes it; an empty network
// where it has none of a kind that can be connected to.
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

// reachable is where a client finds a socket that is bound to any address.
func reachable(a netip.AddrPort) netip.AddrPort {
	switch a.Addr() {
	case netip.IPv4Unspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port())
	case netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv6Loopback(), a.Port())
	}
	return a
}
