package place

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"temper/harness/place/namespace"
	"temper/internal/host"
)

// Dial connects to a service as something in the place would. Networks are those of [net.Dial]: "tcp", "udp" and their
// variants take HOST:PORT, where HOST is an address or a name from the place's /etc/hosts (a place asks no name
// server); "unix", "unixgram" and "unixpacket" take a path inside the place, of any length, or @NAME for an abstract
// socket.
func (p *Place) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if strings.HasPrefix(network, "unix") {
		return p.dialUnix(ctx, network, address)
	}
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := p.lookup(name)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, a := range addresses {
		conn, err := p.dialThere(ctx, network, net.JoinHostPort(a, port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// dialUnix opens the socket and connects to it by its descriptor: the path may contain links, which would lead
// elsewhere outside the place, and may be longer than the 108 bytes of unix(7).
func (p *Place) dialUnix(ctx context.Context, network, address string) (net.Conn, error) {
	if strings.HasPrefix(address, "@") {
		return p.dialThere(ctx, network, address)
	}
	socket, err := p.root.Socket(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: &net.UnixAddr{Name: address, Net: network}, Err: err}
	}
	defer socket.Close()
	var d net.Dialer
	var conn net.Conn
	err = p.asRoot(func() (err error) {
		conn, err = d.DialContext(ctx, network, host.Descriptor(socket))
		return err
	})
	if op, ok := errors.AsType[*net.OpError](err); ok {
		op.Addr = &net.UnixAddr{Name: address, Net: network}
	}
	return conn, err
}

// dialThere dials in the network namespace of the place. The address must be one that [net.Dialer] neither resolves nor
// dials in parallel, so that it makes the socket on the calling thread.
func (p *Place) dialThere(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	if p.net < 0 {
		return d.DialContext(ctx, network, address)
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	namespace.OnOwnThread(func() {
		var r result
		if r.err = unix.Setns(p.net, unix.CLONE_NEWNET); r.err == nil {
			r.err = p.asRoot(func() (err error) {
				r.conn, err = d.DialContext(ctx, network, address)
				return err
			})
		}
		done <- r
	})
	r := <-done
	return r.conn, r.err
}

// lookup resolves a host name by hosts(5) of the place; localhost needs no line there.
func (p *Place) lookup(name string) ([]string, error) {
	if _, err := netip.ParseAddr(name); err == nil {
		return []string{name}, nil
	}
	var found []string
	data, err := p.root.ReadFile("/etc/hosts")
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		for i, field := range fields {
			if i > 0 && strings.EqualFold(field, name) {
				found = append(found, fields[0])
				break
			}
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	if name == "" || strings.EqualFold(name, "localhost") {
		return []string{"127.0.0.1", "::1"}, nil
	}
	unknown := fmt.Errorf("host %q: want an address, localhost or a name in the place's /etc/hosts", name)
	return nil, errors.Join(unknown, err)
}
