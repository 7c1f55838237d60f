package profiles

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
)

// A Listener is a socket at which a service waits for clients.
type Listener struct {
	Network string // "tcp" or "udp"
	Address netip.AddrPort
}

// placeholder stands for an address at which the service listens, or for its port: {address}, {address:80}, {port} or
// {port:80}.
var placeholder = regexp.MustCompile(`\{(address|port)(?::([0-9]{1,5}))?\}`)

// AsksWhereItListens reports whether the check has a placeholder for an address or port of the service.
func (c Check) AsksWhereItListens() bool {
	return slices.ContainsFunc(c.targets(), placeholder.MatchString)
}

// targets are the parts of the check in which a placeholder counts.
func (c Check) targets() []string {
	switch {
	case c.HTTP != nil:
		return []string{c.HTTP.URL}
	case c.TCP != nil:
		return []string{c.TCP.Address}
	case c.UDP != nil:
		return []string{c.UDP.Address}
	case c.Exec != nil:
		return c.Exec.Command
	}
	return nil
}

// maxElsewhere is how many other ports are tried where a service does not listen on the one that is expected.
const maxElsewhere = 4

// Where returns the check once for each address at which it can find the service, the most likely first. A placeholder
// with a port stands for the socket of that port. Where there is none, and where it names no port, it stands for each
// other socket in turn, the lowest port first. If the service has no socket, the named port on 127.0.0.1 is left.
func (c Check) Where(listeners []Listener) []Check {
	sockets := c.sockets(listeners)
	var elsewhere []netip.AddrPort
	for _, s := range sockets[:min(len(sockets), maxElsewhere)] {
		elsewhere = append(elsewhere, reachable(s)...)
	}
	var list []Check
	for i := range max(1, len(elsewhere)) {
		ok, isFixed := true, true
		at := c.replaced(func(what, port string) string {
			address, found := find(sockets, port)
			switch {
			case found:
			case i < len(elsewhere):
				address, isFixed = elsewhere[i], false
			default:
				ok = ok && port != ""
			}
			if what == "port" {
				return strconv.Itoa(int(address.Port()))
			}
			return address.String()
		})
		if ok {
			list = append(list, at)
		}
		if isFixed {
			break
		}
	}
	return list
}

// sockets are the listeners of the kind that the check asks, one for each port, the lowest first. Of several on one
// port it is one that listens at all addresses, or else at the loopback interface.
func (c Check) sockets(listeners []Listener) []netip.AddrPort {
	var list []netip.AddrPort
	for _, l := range listeners {
		if c.UDP != nil && l.Network != "udp" || (c.HTTP != nil || c.TCP != nil) && l.Network != "tcp" {
			continue
		}
		list = append(list, l.Address)
	}
	rank := func(a netip.Addr) int {
		switch a = a.Unmap(); {
		case a == netip.IPv4Unspecified():
			return 0
		case a.IsUnspecified():
			return 1
		case a.IsLoopback():
			return 2
		}
		return 3
	}
	slices.SortFunc(list, func(a, b netip.AddrPort) int {
		return cmp.Or(cmp.Compare(a.Port(), b.Port()), cmp.Compare(rank(a.Addr()), rank(b.Addr())), a.Compare(b))
	})
	return slices.CompactFunc(list, func(a, b netip.AddrPort) bool { return a.Port() == b.Port() })
}

// reachable returns the addresses by which a client on the same machine reaches a socket. One that listens at all IPv6
// addresses mostly takes IPv4 too, which the kernel does not tell.
func reachable(s netip.AddrPort) []netip.AddrPort {
	loopback4 := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), s.Port())
	switch a := s.Addr().Unmap(); {
	case a == netip.IPv4Unspecified():
		return []netip.AddrPort{loopback4}
	case a.IsUnspecified():
		return []netip.AddrPort{loopback4, netip.AddrPortFrom(netip.IPv6Loopback(), s.Port())}
	default:
		return []netip.AddrPort{netip.AddrPortFrom(a, s.Port())}
	}
}

// find returns the address of the socket of a port, and whether there is one. If not, it is that port on 127.0.0.1.
func find(sockets []netip.AddrPort, port string) (netip.AddrPort, bool) {
	number, _ := strconv.ParseUint(port, 10, 16) // 0 is the port of no socket
	for _, s := range sockets {
		if s.Port() == uint16(number) {
			return reachable(s)[0], true
		}
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(number)), false
}

// replaced returns the check with text in place of its placeholders.
func (c Check) replaced(text func(what, port string) string) Check {
	replace := func(s string) string {
		return placeholder.ReplaceAllStringFunc(s, func(match string) string {
			part := placeholder.FindStringSubmatch(match)
			return text(part[1], part[2])
		})
	}
	switch {
	case c.HTTP != nil:
		h := *c.HTTP
		h.URL, c.HTTP = replace(h.URL), &h
	case c.TCP != nil:
		s := *c.TCP
		s.Address, c.TCP = replace(s.Address), &s
	case c.UDP != nil:
		s := *c.UDP
		s.Address, c.UDP = replace(s.Address), &s
	case c.Exec != nil:
		e := *c.Exec
		e.Command = slices.Clone(e.Command)
		for i, word := range e.Command {
			e.Command[i] = replace(word)
		}
		c.Exec = &e
	}
	return c
}

// example replaces the placeholders of an address or URL, so that it can be judged as one.
func example(s string) string {
	return placeholder.ReplaceAllStringFunc(s, func(match string) string {
		part := placeholder.FindStringSubmatch(match)
		port := cmp.Or(part[2], "1")
		if part[1] == "port" {
			return port
		}
		return "127.0.0.1:" + port
	})
}
