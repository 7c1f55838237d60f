package unit

import (
	"slices"
	"strings"
)

// inherited are the lists of a slice that systemd adds to those of every service in it; systemd.resource-control(5).
var inherited = []string{"IPAddressAllow", "IPAddressDeny"}

// readSlices reads what a service inherits from the slice that it is in, and from those above that.
func (u *Unit) readSlices(x *index) {
	if Type(u.Name) != "service" {
		return
	}
	for _, name := range u.Slices() {
		s := &Unit{Name: name, ID: name, root: u.root, version: u.version}
		s.Fragment, _ = x.fragment(name)
		if s.readFragment(x.tree) != nil || s.Masked { // then systemd has none of its settings
			continue
		}
		s.readDropins(x)
		for _, list := range inherited {
			u.Inherited = append(u.Inherited, sinceReset(s.All("Slice", list))...)
		}
	}
}

// sinceReset returns the assignments of a list after the last that is empty.
func sinceReset(list []Assignment) []Assignment {
	for i, a := range slices.Backward(list) {
		if a.Value == "" {
			return list[i+1:]
		}
	}
	return list
}

// Slices returns the names of the slices that a service is in, the innermost first; systemd.resource-control(5).
func (u *Unit) Slices() []string {
	var names []string
	for name := u.slice(); name != ""; name = sliceAbove(name) {
		names = append(names, name)
	}
	return names
}

// slice returns the innermost slice of a service. Instances are in the slice of their template if the unit names none.
func (u *Unit) slice() string {
	a, _ := u.Last("Service", "Slice")
	if name, err := u.Expand(a.Value); err == nil && ValidName(name) && Type(name) == "slice" {
		return name
	}
	if IsTemplate(u.ID) || IsInstance(u.ID) {
		return "system-" + Escape(Prefix(u.ID)) + ".slice"
	}
	return "system.slice"
}

// sliceAbove returns the slice in which a slice is; "" if it is the topmost one.
func sliceAbove(name string) string {
	stem := strings.TrimSuffix(name, ".slice")
	if i := strings.LastIndexByte(stem, '-'); i > 0 {
		return stem[:i] + ".slice"
	}
	if stem == "-" {
		return ""
	}
	return "-.slice"
}
