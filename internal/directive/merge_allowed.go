package directive

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"temper/internal/values"
)

// allowedAddresses is the kind of IPAddressAllow=: exceptions from IPAddressDeny=. If the unit itself denies any
// address, only exceptions that it also makes are kept.
type allowedAddresses struct{}

func (allowedAddresses) grants(want []string, _ int) []string { return ports(want) }

func (allowedAddresses) without(want, names []string, _ int) []string {
	return keepWords(want, names, strings.Fields)
}

func (allowedAddresses) gives(name, subject string, _ int) bool {
	prefixes, _ := values.ParsePrefixes(name)
	peer, err := netip.ParseAddrPort(subject)
	contains := func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) }
	return err != nil || slices.ContainsFunc(prefixes, contains)
}

func (allowedAddresses) check(d *Directive, lines []string) error {
	return deniedAddresses{}.check(d, lines)
}

func (allowedAddresses) rule() string { return "only where the unit denies no address" }

func (allowedAddresses) merge(d *Directive, c Context, want []string) Merged {
	if len(values.ParseAddresses(c.lines[d.With])) == 0 {
		return Merged{Lines: want, Adds: true}
	}
	have := values.ParseAddresses(c.lines[d.Name])
	for _, w := range strings.Fields(strings.Join(want, " ")) {
		if prefixes, _ := values.ParsePrefixes(w); !have.Covers(prefixes) {
			return Merged{Note: "the unit already allows only its own addresses"}
		}
	}
	return Merged{Note: "the unit already has these"}
}

// allowedPorts is the kind of SocketBindAllow=: exceptions from SocketBindDeny=. If the unit itself denies any port, no
// exception is added.
type allowedPorts struct{}

func (allowedPorts) grants(want []string, _ int) []string { return ports(want) }

func (allowedPorts) without(want, names []string, _ int) []string {
	return keepWords(want, names, strings.Fields)
}

// gives assumes that each rule allows any port: after a refused bind(2), every rule is put back that could have allowed
// it.
func (allowedPorts) gives(string, string, int) bool { return true }

func (allowedPorts) check(d *Directive, lines []string) error { return deniedPorts{}.check(d, lines) }

func (allowedPorts) rule() string { return "only where the unit denies no port" }

func (allowedPorts) merge(d *Directive, c Context, want []string) Merged {
	have := ports(c.lines[d.Name])
	lines := slices.DeleteFunc(ports(want), func(w string) bool { return slices.Contains(have, w) })
	switch {
	case len(lines) == 0:
		return Merged{Note: "the unit already has these"}
	case len(ports(c.lines[d.With])) > 0:
		return Merged{Note: "the unit already allows only its own ports"}
	}
	return Merged{Lines: lines, Adds: true}
}

// families is the kind of RestrictAddressFamilies=: an allow-list, a deny-list or, since systemd 249, "none".
type families struct{}

func (families) grants(want []string, version int) []string {
	wanted := values.ParseRestrictAddressFamilies(want, version)
	if !wanted.Allow {
		return nil
	}
	return slices.DeleteFunc(values.AddressFamilies(), func(f string) bool { return !wanted.Permits(f) })
}

func (k families) without(want, names []string, version int) []string {
	left := slices.DeleteFunc(k.grants(want, version), func(f string) bool { return slices.Contains(names, f) })
	return k.allow(left, values.Newest)
}

func (families) gives(name, subject string, _ int) bool { return name == subject }

func (families) check(d *Directive, lines []string) error {
	names := values.AddressFamilies()
	isNone := func(v string) bool { return v == values.NoFamily } // which stands alone, never in a list
	isName := func(w string) bool { return slices.Contains(names, w) }
	return checkWords(d, slices.DeleteFunc(slices.Clone(lines), isNone), isName, append(names, values.NoFamily))
}

func (families) rule() string {
	return "a deny-list is added to a deny-list; else what both allow, as a whole list after a reset"
}

func (k families) merge(d *Directive, c Context, want []string) Merged {
	have := values.ParseRestrictAddressFamilies(c.lines[d.Name], c.version)
	wanted := values.ParseRestrictAddressFamilies(want, c.version)
	unknown := k.unknown(want, c.version)
	note := doesNotKnow(c.version, unknown)
	var both []string
	lost := false
	for _, f := range values.AddressFamilies() {
		switch {
		case have.Permits(f) && wanted.Permits(f):
			both = append(both, f)
		case have.Permits(f):
			lost = true
		}
	}
	switch {
	case !lost && note != "":
		return Merged{Note: note}
	case !lost:
		return Merged{Note: "the unit already allows no other family"}
	case !have.Set && len(unknown) == 0 && !slices.Contains(want, values.NoFamily):
		return Merged{Lines: reset(len(c.lines[d.Name]) > 0, want)}
	case !have.Allow && !wanted.Allow:
		return Merged{Lines: []string{"~" + strings.Join(slices.Sorted(maps.Keys(wanted.Families)), " ")}, Note: note}
	}
	return Merged{Lines: reset(len(c.lines[d.Name]) > 0, k.allow(both, c.version)), Note: note}
}

// unknown lists the words of the assignments that a systemd version does not know.
func (families) unknown(want []string, version int) []string {
	return slices.DeleteFunc(
		strings.Fields(strings.ReplaceAll(strings.Join(want, " "), "~", " ")),
		func(w string) bool {
			return values.KnownFamily(w, version) || w == values.NoFamily && version >= values.SinceNoFamily
		},
	)
}

// allow returns the assignments of an allow-list. A systemd without "none" gets an empty list by adding a name and
// removing it again.
func (families) allow(names []string, version int) []string {
	switch {
	case len(names) > 0:
		return []string{strings.Join(names, " ")}
	case version < values.SinceNoFamily:
		return []string{"AF_UNIX", "~AF_UNIX"}
	}
	return []string{values.NoFamily}
}

func (families) refused(want []string, version int) []string {
	wanted := values.ParseRestrictAddressFamilies(want, version)
	return slices.DeleteFunc(values.AddressFamilies(), wanted.Permits)
}

func (k families) except(want, names []string, version int) []string {
	wanted := values.ParseRestrictAddressFamilies(want, version)
	if !wanted.Allow {
		allowed := func(f string) bool { return slices.Contains(names, f) }
		denied := slices.DeleteFunc(slices.Sorted(maps.Keys(wanted.Families)), allowed)
		if len(denied) == 0 {
			return nil
		}
		return []string{"~" + strings.Join(denied, " ")}
	}
	return k.allow(slices.DeleteFunc(values.AddressFamilies(), func(f string) bool {
		return !wanted.Permits(f) && !slices.Contains(names, f)
	}), values.Newest)
}

// deniedAddresses is the kind of IPAddressDeny=: adding to it only restricts.
type deniedAddresses struct{}

func (deniedAddresses) check(d *Directive, lines []string) error {
	for _, v := range lines {
		for _, w := range strings.Fields(v) {
			if _, ok := values.ParsePrefixes(w); !ok {
				return fmt.Errorf(
					"%s= has %q, want an address, a prefix, any, localhost, link-local or multicast",
					d.Name,
					w,
				)
			}
		}
	}
	return nil
}

func (deniedAddresses) rule() string { return "addresses are added" }

func (deniedAddresses) merge(d *Directive, c Context, want []string) Merged {
	have := values.ParseAddresses(c.lines[d.Name])
	var lines []string
	for _, w := range strings.Fields(strings.Join(want, " ")) {
		if prefixes, _ := values.ParsePrefixes(w); !have.Covers(prefixes) {
			lines = append(lines, w)
		}
	}
	if lines == nil {
		return Merged{Note: "the unit already denies these"}
	}
	return Merged{Lines: []string{strings.Join(lines, " ")}, Adds: true}
}

// portRule is [FAMILY:][PROTOCOL:][PORT|PORT-PORT] or "any"; see systemd.resource-control(5).
var portRule = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^(?:any|(?:(?:ipv4|ipv6)(?::(?:tcp|udp))?|tcp|udp)|(?:(?:ipv4|ipv6):)?(?:(?:tcp|udp):)?(\d{1,5})(?:-(\d{1,5}))?)$`,
	)
})

func isPortRule(word string) bool {
	m := portRule().FindStringSubmatch(word)
	if m == nil {
		return false
	}
	low, high := 1, 1<<16-1
	if m[1] != "" {
		low, _ = strconv.Atoi(m[1])
		high = low
	}
	if m[2] != "" {
		high, _ = strconv.Atoi(m[2])
	}
	return 1 <= low && low <= high && high < 1<<16
}

// ports returns the rules of assignments; an empty assignment resets them.
func ports(lines []string) []string {
	var rules []string
	for _, v := range lines {
		if v == "" {
			rules = nil
		}
		rules = append(rules, strings.Fields(v)...)
	}
	return rules
}

// deniedPorts is the kind of SocketBindDeny=: adding to it only restricts.
type deniedPorts struct{}

func (deniedPorts) check(d *Directive, lines []string) error {
	for _, w := range ports(lines) {
		if !isPortRule(w) {
			return fmt.Errorf(
				"%s= has %q, want any, or a port or range, after ipv4: or ipv6: and tcp: or udp: where needed",
				d.Name,
				w,
			)
		}
	}
	return nil
}

func (deniedPorts) rule() string { return "rules are added" }

func (deniedPorts) merge(d *Directive, c Context, want []string) Merged {
	have := ports(c.lines[d.Name])
	lines := slices.DeleteFunc(ports(want), func(w string) bool {
		return slices.Contains(have, w) || slices.Contains(have, "any")
	})
	if len(lines) == 0 {
		return Merged{Note: "the unit already denies these"}
	}
	return Merged{Lines: lines, Adds: true}
}

// allowedDevices is the kind of DeviceAllow=: exceptions from DevicePolicy=. If DevicePolicy= is auto, a list also
// restricts the service to its entries.
type allowedDevices struct{}

func (allowedDevices) grants(want []string, _ int) []string {
	return slices.DeleteFunc(slices.Clone(want), func(v string) bool { return v == "" })
}

func (allowedDevices) without(want, names []string, _ int) []string {
	return keepWords(want, names, func(line string) []string { return []string{line} })
}

// gives assumes that a class allows any device: only the machine knows which nodes belong to a class.
func (allowedDevices) gives(name, subject string, _ int) bool {
	device, _, _ := strings.Cut(name, " ")
	return device == subject || !strings.HasPrefix(device, "/")
}

func (allowedDevices) check(d *Directive, lines []string) error {
	for _, v := range lines {
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

func (allowedDevices) rule() string { return "only where the unit can open every device" }

func (allowedDevices) merge(d *Directive, c Context, want []string) Merged {
	if !c.closesDevices(d) {
		return Merged{Lines: want, Adds: true}
	}
	have := c.devices(d)
	if slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(have, w) }) {
		return Merged{Note: "the unit already allows only its own devices"}
	}
	return Merged{Note: "the unit already has these"}
}

func isDevice(name string) bool {
	return strings.HasPrefix(name, "/dev/") || strings.HasPrefix(name, "char-") || strings.HasPrefix(name, "block-")
}

// closesDevices reports whether a unit can open only some devices; d is the directive that lists them.
func (c Context) closesDevices(d *Directive) bool {
	return c.values[byName()[d.With]].Rank > 0 || len(c.devices(d)) > 0
}

func (c Context) devices(d *Directive) []string {
	var devices []string
	for _, v := range c.lines[d.Name] {
		if v == "" {
			devices = nil
			continue
		}
		devices = append(devices, strings.Join(strings.Fields(v), " "))
	}
	return devices
}

// closes reports whether the unit forbids what an effect would allow: an exception that the unit does not have.
func (c Context) closes(e Effect) bool {
	d := byName()[e.Directive]
	return c.closesDevices(d) && !slices.Contains(c.devices(d), e.Value)
}
