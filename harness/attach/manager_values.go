package attach

import (
	"net"
	"net/netip"
	"strings"

	"temper/internal/host"
	"temper/internal/systemd"
)

// A Place is where a unit runs, which gives the names of devices and interfaces their meaning; *place.Place implements
// it.
type Place interface {
	Root() host.Root
	Inside(f func() error) error // calls f in the network namespace of the place
}

// framework is the feature of a systemd that was built with its own BPF programs, which some directives need.
const framework = "+BPF_FRAMEWORK"

// Read returns the rules of a unit by its properties and those of the slices that it is in, and by the features of its
// manager: what this systemd would not enforce on a machine is no rule. All rules together apply. As systemd does, the
// first ones combine the addresses of the unit and the slices: what the unit allows counts before what a slice denies.
func Read(features string, where Place, unit systemd.Properties, slices ...systemd.Properties) ([]Rules, error) {
	rules, err := read(unit, features, where)
	all := []Rules{rules}
	for _, p := range slices {
		if err != nil {
			return nil, err
		}
		rules, err = read(p, features, where)
		all[0].AddressAllow = append(all[0].AddressAllow, rules.AddressAllow...)
		all[0].AddressDeny = append(all[0].AddressDeny, rules.AddressDeny...)
		rules.AddressAllow, rules.AddressDeny = nil, nil
		all = append(all, rules)
	}
	return all, err
}

func read(p systemd.Properties, features string, where Place) (Rules, error) {
	r := Rules{
		AddressAllow: prefixes(p, "IPAddressAllow"),
		AddressDeny:  prefixes(p, "IPAddressDeny"),
	}
	r.Devices, r.OnlyDevices = readDevices(p, where.Root())
	if !hasWord(features, framework) {
		return r, nil
	}
	r.BindAllow, r.BindDeny = ports(p, "SocketBindAllow"), ports(p, "SocketBindDeny")
	var err error
	r.Interfaces, err = interfaces(p, where)
	return r, err
}

func hasWord(text, word string) bool {
	for w := range strings.FieldsSeq(text) {
		if w == word {
			return true
		}
	}
	return false
}

// prefixes reads a property of type a(iayu).
func prefixes(p systemd.Properties, name string) []netip.Prefix {
	type entry struct {
		Family  int32
		Address []byte
		Bits    uint32
	}
	var list []netip.Prefix
	for _, e := range systemd.Get[[]entry](p, name) {
		if address, ok := netip.AddrFromSlice(e.Address); ok && int(e.Bits) <= address.BitLen() {
			list = append(list, netip.PrefixFrom(address, int(e.Bits)))
		}
	}
	return list
}

// ports reads a property of type a(iiqq).
func ports(p systemd.Properties, name string) []Ports {
	type entry struct {
		Family, Protocol int32
		Count, First     uint16
	}
	var list []Ports
	for _, e := range systemd.Get[[]entry](p, name) {
		list = append(list, Ports{Family: int(e.Family), Protocol: int(e.Protocol), Count: e.Count, First: e.First})
	}
	return list
}

// interfaces reads RestrictNetworkInterfaces, of type (bas); nil where it restricts nothing. systemd goes on without
// those that are not there.
func interfaces(p systemd.Properties, where Place) (*Interfaces, error) {
	type property struct {
		Allowed bool
		Names   []string
	}
	value := systemd.Get[property](p, "RestrictNetworkInterfaces")
	if len(value.Names) == 0 {
		return nil, nil
	}
	list := &Interfaces{Allowed: value.Allowed}
	err := where.Inside(func() error {
		for _, name := range value.Names {
			if i, err := net.InterfaceByName(name); err == nil {
				list.Numbers = append(list.Numbers, i.Index)
			}
		}
		return nil
	})
	return list, err
}
