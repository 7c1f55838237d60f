package trial

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"temper/harness/observe"
	"temper/harness/probe"
	"temper/harness/proc"
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
				return "tcp", probe.Reachable(a).String()
			}
		}
	}
	return "", ""
}

// probe asks the service what any client would ask it, once it has passed its checks. Nothing is asked on the host,
// where the clients are real.
func (l *launch) probe(ctx context.Context) error {
	if l.NoProbes || !l.Profile.Prove.LikeBaseline || l.Place.Kind() == "host" {
		return nil
	}
	before, err := l.now(ctx)
	if err != nil {
		return err
	}
	answers := probe.Sockets(ctx, l.Place, l.result.Seen.Phases["running"].Addresses, l.Baselines.Greeting())
	for _, name := range l.busNames(ctx, before) {
		answers["the bus name "+name] = probe.BusName(ctx, l.Place.Bus(), name)
	}
	l.result.Seen.Answers = map[string]observe.Facts{}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		l.result.Seen.Answers[name] = answers[name].Facts
		if work := answers[name].Work; work != "" {
			l.result.Seen.Served = append(l.result.Seen.Served, work+" from "+name)
		}
	}
	after, err := l.now(ctx)
	active := func(a, b systemd.Service) bool { return a.Active == b.Active && !failed(b) }
	if err == nil && l.result.Dropin == "" && !slices.EqualFunc(before, after, active) {
		l.result.EndedByProbe = true
		return l.fail("probe", "ends when a client has asked it")
	}
	return err
}

// busNames lists the names that the processes of the service have on the system bus.
func (l *launch) busNames(ctx context.Context, states []systemd.Service) []string {
	var processes []int
	for _, s := range states {
		processes = append(processes, Processes(l.Place, s)...)
	}
	bus := l.Place.Bus().BusObject()
	var names, own []string
	if bus.CallWithContext(ctx, "org.freedesktop.DBus.ListNames", 0).Store(&names) != nil {
		return nil
	}
	for _, name := range names {
		var pid uint32
		if strings.HasPrefix(name, ":") || bus.CallWithContext(
			ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, name).Store(&pid) != nil {
			continue
		}
		if proc.Machine.Find(processes, l.Place.Leader(), int(pid)) != 0 {
			own = append(own, name)
		}
	}
	return own
}
