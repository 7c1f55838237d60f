package place

import (
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"

	"temper/harness/place/network"
)

// networkOf returns what a container has of the network of the machine that it is a copy of. A root directory has
// nothing of it.
func networkOf(image string) network.Machine {
	m := network.Machine{Interface: "eth0"}
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

// hostnameOf returns the host name of an image; its own /etc/hostname comes before it.
func hostnameOf(image string) string {
	if name, err := os.Hostname(); err == nil && image == "/" && validHostname.MatchString(name) {
		return name
	}
	return "localhost"
}

var validHostname = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,62}[a-zA-Z0-9])?$`)

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
		if !slices.ContainsFunc(network.Own, func(own netip.Prefix) bool { return own.Contains(prefix.Addr()) }) {
			list = append(list, prefix.Addr())
		}
	}
	return list
}
