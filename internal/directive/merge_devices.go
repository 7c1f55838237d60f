package directive

import (
	"fmt"
	"slices"
	"strings"
)

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
