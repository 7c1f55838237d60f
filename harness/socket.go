package harness

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/systemd"
	"temper/internal/unit"
)

// newCloning finds what starts a unit. A template that no socket starts for each connection cannot be tried.
func newCloning(where *place.Place, u *unit.Unit) (cloning, error) {
	c := cloning{unit: u, bare: where.Kind() != "host", named: where.Kind() == "host"}
	loader := &unit.Loader{Root: where.Root(), Version: where.SystemdVersion()}
	own := append([]string{u.ID, u.Template()}, u.Aliases...)
	for _, kind := range []string{"socket", "timer", "path"} {
		names, _ := loader.List("." + kind) // what is wrong with other units is no matter here
		for _, name := range names {
			starter, err := loader.Load(name)
			if err != nil || starter.Masked || !slices.Contains(own, started(starter)) {
				continue
			}
			c.starts = append(c.starts, name)
			if kind == "socket" && name == starter.ID && (accepts(starter) || belongs(where.Root(), u, starter)) {
				c.sockets = append(c.sockets, starter)
			}
		}
	}
	if unit.IsTemplate(u.ID) && !c.accept() {
		return c, hint.With(fmt.Errorf("%s: is a template, which nothing can start", u.ID),
			"name an instance of it: temper prove "+strings.Replace(u.ID, "@.", "@NAME.", 1))
	}
	if i := slices.IndexFunc(c.sockets, accepts); i >= 0 {
		c.sockets = c.sockets[i : i+1] // one socket for each template
	}
	return c, nil
}

// started is the service that a socket, timer or path unit starts; systemd.socket(5), systemd.timer(5), systemd.path(5).
func started(u *unit.Unit) string {
	stem := strings.TrimSuffix(u.ID, "."+unit.Type(u.ID))
	for section, name := range map[string]string{"Socket": "Service", "Timer": "Unit", "Path": "Unit"} {
		if a, ok := u.Last(section, name); ok && a.Value != "" {
			return u.ExpandNames(a.Value)
		}
	}
	if unit.Type(u.ID) == "socket" && accepts(u) {
		return stem + "@.service"
	}
	return stem + ".service"
}

// belongs reports whether a service is started with a socket on this system: it names it, the socket is enabled, or nothing
// else starts the service. A socket that is installed and not used, as Debian's ssh.socket, is no part of a service.
func belongs(root host.Root, service, socket *unit.Unit) bool {
	names := append([]string{socket.ID}, socket.Aliases...)
	for _, dependency := range []struct{ section, name string }{
		{"Service", "Sockets"}, {"Unit", "Requires"}, {"Unit", "Requisite"}, {"Unit", "Wants"}, {"Unit", "BindsTo"},
	} {
		for _, a := range service.All(dependency.section, dependency.name) {
			for _, word := range strings.Fields(service.ExpandNames(a.Value)) {
				if slices.Contains(names, word) {
					return true
				}
			}
		}
	}
	installed := slices.ContainsFunc(service.Assignments, func(a unit.Assignment) bool {
		return a.Section == "Install" || a.Section == "Service" && a.Name == "BusName"
	})
	return !installed || enabled(root, names)
}

// enabled reports whether a link in some .wants or .requires directory pulls in a unit of one of the names.
func enabled(root host.Root, names []string) bool {
	for _, dir := range unit.DefaultPath {
		entries, _ := root.ReadDir(dir) // one that is not there enables nothing
		for _, e := range entries {
			if ext := path.Ext(e.Name()); ext != ".wants" && ext != ".requires" {
				continue
			}
			for _, name := range names {
				if _, err := root.Lstat(path.Join(dir, e.Name(), name)); err == nil {
					return true
				}
			}
		}
	}
	return false
}

// greet connects to the socket of a service for each connection, so that there is an instance to look at.
func (l *launch) greet(ctx context.Context) error {
	if !unit.IsTemplate(l.name) {
		return nil
	}
	network, address, err := l.manager.listens(ctx, l.sockets[0])
	if err != nil || network == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.profile.Prove.Timeout)
	defer cancel()
	if l.client, err = l.place.Dial(ctx, network, address); err != nil {
		return l.fail("start", "connect to %s: %s", address, err)
	}
	for ctx.Err() == nil {
		if states, err := l.states(ctx); err != nil || slices.ContainsFunc(states, func(s state) bool { return s.PID != 0 || s.failed() }) {
			return err
		}
		if wait(ctx, 20*time.Millisecond) != nil {
			break
		}
	}
	return nil // an instance may have done its work already
}

// hangUp ends what greet began.
func (l *launch) hangUp() {
	if l.client != nil {
		l.client.Close()
		l.client = nil
	}
}

// listens returns the first address that clients of a socket unit connect to, as [net.Dial] takes it; an empty network
// where it has none of a kind that can be connected to.
func (m *manager) listens(ctx context.Context, socket string) (network, address string, err error) {
	p, err := m.LoadedUnit(ctx, socket)
	if err != nil {
		return "", "", err
	}
	for _, l := range systemd.Get[[]struct{ Kind, Address string }](p, "Listen") {
		kind, address := l.Kind, l.Address
		switch {
		case kind == "Stream" && strings.HasPrefix(address, "@"), kind == "Stream" && strings.HasPrefix(address, "/"):
			return "unix", address, nil
		case kind == "SequentialPacket":
			return "unixpacket", address, nil
		case kind == "Stream":
			if a, err := netip.ParseAddrPort(address); err == nil {
				return "tcp", reachable(a).String(), nil
			}
		}
	}
	return "", "", nil
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
