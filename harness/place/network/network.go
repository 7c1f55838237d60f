// Package network gives a container a network as a machine has one: an interface with addresses, a default route and a
// name server. Nothing gets out of it.
//
// Call [Connect]. Besides the container's there is a second network namespace, the outside, which is the router and the
// name server of the container. It has no other interface: whatever is sent to other addresses is answered there as
// unreachable, at once.
package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/jsimonetti/rtnetlink/v2/driver"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"temper/harness/place/namespace"
)

// The addresses of a container and of its router: for documentation (RFC 5737) and for private use (RFC 4193), since no
// machine has reason to use them.
var (
	Own    = []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("fd00:0:0:192::2/64")}
	Router = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("fd00:0:0:192::1/64")}
)

// ResolvConf is the resolv.conf(5) of a container.
var ResolvConf = fmt.Sprintf("nameserver %s\n", Router[0].Addr())

// hardwareAddress is the same in each container, so that what follows from it is the same, too.
var hardwareAddress = net.HardwareAddr{2, 0, 0, 0, 2, 2}

// A Network is the outside of a container.
type Network struct{ server *nameServer }

// Connect gives a network namespace, which has no interface but loopback, the network. The namespace can belong to
// another user namespace.
func Connect(namespaceFD int, m Machine) (*Network, error) {
	type result struct {
		n   *Network
		err error
	}
	done := make(chan result, 1)
	namespace.OnOwnThread(func() {
		n, err := makeOutside(namespaceFD, m)
		done <- result{n, err}
	})
	r := <-done
	if r.err != nil {
		return nil, fmt.Errorf("connect the container to a network: %w", r.err)
	}
	return r.n, nil
}

// Close removes the outside, and with it the interface of the container.
func (n *Network) Close() error {
	if n == nil {
		return nil
	}
	return n.server.close() // its socket is the last that uses the outside
}

// makeOutside moves the calling thread to a new network namespace, which becomes the outside.
func makeOutside(inside int, m Machine) (_ *Network, err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	for variable, value := range map[string]string{
		"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1", // a router says what is unreachable
		"ipv4/ip_unprivileged_port_start": "0", // whoever runs this needs no capability to be a name server
	} {
		_ = os.WriteFile("/proc/sys/net/"+variable, []byte(value), 0) // where it counts, what follows fails
	}
	if err := makeInterfaces(inside, m.Interface); err != nil {
		return nil, err
	}
	if err := configure(nil, outsideInterface, Router, false); err != nil {
		return nil, err
	}
	server, err := newNameServer(Router[0].Addr(), m)
	if err != nil {
		return nil, err
	}
	addresses := append([]netip.Prefix{}, Own...)
	for _, a := range m.Addresses {
		addresses = append(addresses, netip.PrefixFrom(a, a.BitLen()))
	}
	err = inNetwork(inside, func() error { acceptAddressesAtOnce(m.Interface); return nil })
	if err == nil {
		err = configure(&inside, m.Interface, addresses, true)
	}
	if err != nil {
		return nil, errors.Join(err, server.close())
	}
	return &Network{server}, nil
}

const outsideInterface = "container"

// makeInterfaces makes the two ends of a cable: one in the container, the other in the namespace of the calling thread.
func makeInterfaces(inside int, name string) error {
	conn, err := rtnetlink.Dial(&netlink.Config{NetNS: inside})
	if err != nil {
		return err
	}
	defer conn.Close()
	// A thread of this process lives as long as the call, and a number of a process of the container may not.
	here, err := rtnetlink.NewNetNS(uint32(unix.Gettid()))
	if err != nil {
		return err
	}
	outside := &rtnetlink.LinkMessage{Attributes: &rtnetlink.LinkAttributes{Name: outsideInterface, NetNS: here}}
	err = conn.Link.New(&rtnetlink.LinkMessage{Attributes: &rtnetlink.LinkAttributes{
		Name: name, Address: hardwareAddress,
		Info: &rtnetlink.LinkInfo{Kind: "veth", Data: &driver.Veth{PeerInfo: outside}},
	}})
	if err != nil {
		return fmt.Errorf("make the interface %s: %w", name, err)
	}
	return nil
}

// configure gives an interface its addresses, switches it on and, for a container, adds the default routes. Without a
// namespace it is one of the calling thread's. A kernel without IPv6 gets IPv4 alone.
func configure(namespaceFD *int, name string, addresses []netip.Prefix, routes bool) error {
	config := &netlink.Config{}
	if namespaceFD != nil {
		config.NetNS = *namespaceFD
	}
	conn, err := rtnetlink.Dial(config)
	if err != nil {
		return err
	}
	defer conn.Close()
	index, err := indexOf(conn, name)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := addAddress(conn, index, a); err != nil && a.Addr().Is4() {
			return fmt.Errorf("add the address %s to %s: %w", a, name, err)
		}
	}
	up := &rtnetlink.LinkMessage{Index: index, Flags: unix.IFF_UP, Change: unix.IFF_UP}
	if err := conn.Link.Set(up); err != nil || !routes {
		return err
	}
	for _, r := range Router {
		if err := addDefaultRoute(conn, index, r.Addr()); err != nil && r.Addr().Is4() {
			return fmt.Errorf("add the default route: %w", err)
		}
	}
	return nil
}

func indexOf(conn *rtnetlink.Conn, name string) (uint32, error) {
	links, err := conn.Link.ListByKind("veth")
	if err != nil {
		return 0, err
	}
	for _, l := range links {
		if l.Attributes != nil && l.Attributes.Name == name {
			return l.Index, nil
		}
	}
	return 0, fmt.Errorf("the interface %s: %w", name, unix.ENODEV)
}

func addAddress(conn *rtnetlink.Conn, index uint32, a netip.Prefix) error {
	ip := net.IP(a.Addr().AsSlice())
	message := &rtnetlink.AddressMessage{
		Family: family(a.Addr()), PrefixLength: uint8(a.Bits()), Index: index,
		Attributes: &rtnetlink.AddressAttributes{Address: ip, Local: ip},
	}
	if a.Addr().Is6() {
		message.Flags = unix.IFA_F_NODAD // nobody else can have it
	}
	return conn.Address.New(message)
}

func addDefaultRoute(conn *rtnetlink.Conn, index uint32, router netip.Addr) error {
	return conn.Route.Add(&rtnetlink.RouteMessage{
		Family: family(router), Table: unix.RT_TABLE_MAIN, Protocol: unix.RTPROT_BOOT,
		Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_UNICAST,
		Attributes: rtnetlink.RouteAttributes{Gateway: router.AsSlice(), OutIface: index},
	})
}

func family(a netip.Addr) uint8 {
	if a.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// acceptAddressesAtOnce keeps the kernel from waiting a second, to see whether another machine has the address of the
// interface, before services can use it.
func acceptAddressesAtOnce(name string) {
	for _, variable := range []string{"accept_dad", "accept_ra"} {
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/"+variable, []byte("0"), 0) // without IPv6 there is none
	}
}

// inNetwork calls f on a thread in a network namespace.
func inNetwork(fd int, f func() error) error {
	done := make(chan error, 1)
	namespace.OnOwnThread(func() {
		err := unix.Setns(fd, unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		done <- err
	})
	return <-done
}
