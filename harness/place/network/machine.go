package network

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// A Machine is what a container has of the machine that it is a copy of.
type Machine struct {
	Interface string       // the name of the interface
	Hostname  string       // which the name server knows; it knows no other
	Addresses []netip.Addr // those of the machine, so that services can listen on them
}

// Of returns what a container has of the network of the machine that it is a copy of. A root directory has
// nothing of it.
func Of(image string) Machine {
	m := Machine{Interface: "eth0"}
	if image != "/" {
		return m
	}
	routes, _ := os.ReadFile("/proc/net/route") // a kernel without IPv4 has none
	if name := defaultInterface(string(routes)); name != "" {
		m.Interface = name
	}
	m.Addresses = ownAddresses()
	return m
}

// defaultInterface returns the interface of the default route in a table of proc_pid_net(5); "" if there is none.
func defaultInterface(routes string) string {
	for line := range strings.Lines(routes) {
		if f := strings.Fields(line); len(f) > 7 && f[1] == "00000000" && f[7] == "00000000" && f[0] != "lo" {
			return f[0]
		}
	}
	return ""
}

// ownAddresses lists the addresses of this machine that other machines can use. A container with them has no use for
// more than a few.
func ownAddresses() []netip.Addr {
	const most = 32
	all, _ := net.InterfaceAddrs() // without them the container has its own address
	var list []netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !prefix.Addr().IsGlobalUnicast() || len(list) == most {
			continue
		}
		if !slices.ContainsFunc(Own, func(own netip.Prefix) bool { return own.Contains(prefix.Addr()) }) {
			list = append(list, prefix.Addr())
		}
	}
	return list
}
