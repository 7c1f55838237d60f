// Package probe asks a service what any client would ask it.
//
// [Sockets] asks the sockets on which a service listens, [BusNames] its names on the bus. A probe sends what every
// client of a well-known protocol sends first. To what is not known it connects and listens, and it sends nothing.
// Nobody logs in, and each socket is asked once, so that no ban or penalty follows.
//
// Answers are compared with those that the service gives without hardening, so what changes from one time to the next
// does no harm.
package probe

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Dialer connects to services, as temper/harness/place does.
type Dialer interface {
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// An Answer is what a client got.
type Answer struct {
	Facts map[string]string // what was answered, by what it is about: "status": "200"
	Work  string            // what the service did for the client, as in "a page"; empty if that was only a greeting
}

const (
	// maxSockets bounds how many sockets are asked.
	maxSockets = 8
	// limit is how long a service may take to answer to a question.
	limit = 3 * time.Second
	// greetingTime is how long a service may take to speak first, where it is not known that it does.
	greetingTime = 400 * time.Millisecond
	// maxAnswer is how much of an answer is read.
	maxAnswer = 64 << 10
)

// Sockets asks sockets, given by name and address: "tcp 0.0.0.0:80", "unix /run/x". greets are the names of those that
// are known to speak first. Sockets that are not asked have no answer.
func Sockets(ctx context.Context, d Dialer, sockets map[string]string, greets []string) map[string]Answer {
	var names []string
	for name := range sockets {
		names = append(names, name)
	}
	slices.Sort(names)
	answers := make([]*Answer, min(len(names), maxSockets))
	var asking sync.WaitGroup
	for i := range answers {
		asking.Go(func() {
			patience := greetingTime
			if slices.Contains(greets, names[i]) {
				patience = limit
			}
			answers[i] = ask(ctx, d, sockets[names[i]], patience)
		})
	}
	asking.Wait()
	all := map[string]Answer{}
	for i, a := range answers {
		if a != nil {
			all[names[i]] = *a
		}
	}
	return all
}

// ask asks one socket; nil if that has no way to be asked.
func ask(ctx context.Context, d Dialer, socket string, patience time.Duration) *Answer {
	network, address, _ := strings.Cut(socket, " ")
	port := uint16(0)
	if a, err := netip.ParseAddrPort(address); err == nil {
		address, port = Reachable(a).String(), a.Port()
	}
	p := protocolOf(network, port)
	if network != "tcp" && network != "unix" && p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	answer := &Answer{Facts: map[string]string{"a connection": "refused"}}
	conn, err := d.Dial(ctx, network, address)
	if err != nil {
		return answer
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	answer.Facts["a connection"] = "accepted"
	t := &talk{conn: conn, answer: answer}
	t.run(ctx, p, patience)
	return answer
}

// Reachable returns the loopback address if a socket is bound to the unspecified address.
func Reachable(a netip.AddrPort) netip.AddrPort {
	switch a.Addr() {
	case netip.IPv4Unspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port())
	case netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv6Loopback(), a.Port())
	}
	return a
}
