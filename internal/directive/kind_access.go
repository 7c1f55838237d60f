package directive

import (
	"fmt"
	"slices"
	"strings"
)

// openDevices is the kind of DeviceAllow=: exceptions from DevicePolicy=, and, where that is auto, a restriction of its own.
type openDevices struct{}

func (openDevices) check(d *Directive, values []string) error {
	for _, v := range values {
		fields := strings.Fields(v)
		if v == "" {
			continue
		}
		if len(fields) > 2 || !isDevice(fields[0]) {
			return fmt.Errorf("%s=%s is not a device, want /dev/NODE, char-CLASS or block-CLASS and r, w, m", d.Name, v)
		}
		if len(fields) == 2 && strings.Trim(fields[1], "rwm") != "" {
			return fmt.Errorf("%s=%s has the access %q, want r, w, m", d.Name, v, fields[1])
		}
	}
	return nil
}

func isDevice(name string) bool {
	return strings.HasPrefix(name, "/dev/") || strings.HasPrefix(name, "char-") || strings.HasPrefix(name, "block-")
}

func (openDevices) rule() string { return "only where the unit can open every device" }

func (openDevices) merge(d *Directive, c Context, want []string) Merged {
	if !c.closesDevices() {
		return Merged{Lines: want, Adds: true}
	}
	have := c.devices()
	if slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(have, w) }) {
		return Merged{Note: "the unit already allows only its own devices"}
	}
	return Merged{Note: "the unit already has these"}
}

// closesDevices reports whether a unit can open only some devices.
func (c Context) closesDevices() bool {
	policy, _ := ordered{}.effective(byName()["DevicePolicy"], c)
	return policy.Rank > 0 || len(c.devices()) > 0
}

func (c Context) devices() []string {
	var devices []string
	for _, v := range c.Have("DeviceAllow") {
		if v == "" {
			devices = nil
			continue
		}
		devices = append(devices, strings.Join(strings.Fields(v), " "))
	}
	return devices
}

// closes reports whether a unit forbids what an effect would open.
func (c Context) closes(e Effect) bool {
	return c.closesDevices() && !slices.Contains(c.devices(), e.Value)
}

// shutAddresses is the kind of IPAddressDeny=: adding to it only restricts.
type shutAddresses struct{}

func (shutAddresses) check(d *Directive, values []string) error {
	for _, v := range values {
		for _, w := range strings.Fields(v) {
			if _, ok := ParsePrefixes(w); !ok {
				return fmt.Errorf("%s= has %q, want an address, a prefix, any, localhost, link-local or multicast", d.Name, w)
			}
		}
	}
	return nil
}

func (shutAddresses) rule() string { return "addresses are added" }

func (shutAddresses) merge(d *Directive, c Context, want []string) Merged {
	have := ParseAddresses(c.Have(d.Name))
	var lines []string
	for _, w := range strings.Fields(strings.Join(want, " ")) {
		if prefixes, _ := ParsePrefixes(w); !have.Covers(prefixes) {
			lines = append(lines, w)
		}
	}
	if lines == nil {
		return Merged{Note: "the unit already denies these"}
	}
	return Merged{Lines: []string{strings.Join(lines, " ")}, Adds: true}
}

// openAddresses is the kind of IPAddressAllow=: exceptions from IPAddressDeny=. Where the unit denies anything itself, only
// exceptions that it makes too are let through.
type openAddresses struct{}

func (openAddresses) check(d *Directive, values []string) error {
	return shutAddresses{}.check(d, values)
}

func (openAddresses) rule() string { return "only where the unit denies no address" }

func (openAddresses) merge(d *Directive, c Context, want []string) Merged {
	if len(ParseAddresses(c.Have(d.With))) == 0 {
		return Merged{Lines: want, Adds: true}
	}
	have := ParseAddresses(c.Have(d.Name))
	for _, w := range strings.Fields(strings.Join(want, " ")) {
		if prefixes, _ := ParsePrefixes(w); !have.Covers(prefixes) {
			return Merged{Note: "the unit already allows only its own addresses"}
		}
	}
	return Merged{Note: "the unit already has these"}
}
