package generator

import (
	"slices"

	"temper/internal/directive"
	"temper/internal/unit"
)

// Needs lists what a unit grants the service by name.
func Needs(u *unit.Unit, version int) []directive.Need {
	var needs []directive.Need
	for _, name := range directive.Declaring() {
		is := func(other string) bool { return other == name }
		if d, known := directive.Lookup(name); known {
			is = d.Is
		}
		var lines []string
		for _, a := range assignments(u, is) {
			if lines = append(lines, a.Value); a.Value == "" {
				lines = nil
			}
		}
		if len(lines) > 0 {
			needs = append(needs, directive.Needs(name, lines, version)...)
		}
	}
	return needs
}

// Spare returns the strongest assignments of a directive, from lines on, that take no need away, and the needs that
// lines would take; no assignments if all take one.
func Spare(d *directive.Directive, lines []string, needs []directive.Need, version int) (spared, kept []string) {
	kept = refused(d, lines, needs, version)
	spared, taken := sparing(d, d.Allow(lines, kept, version), needs, version)
	return spared, append(kept, taken...)
}

// refused returns the needs that a directive would refuse and can allow one by one.
func refused(d *directive.Directive, lines []string, needs []directive.Need, version int) []string {
	if len(needs) == 0 || !d.HasExceptions() {
		return nil
	}
	exceptions := d.Exceptions(lines, version)
	var list []string
	for _, n := range needs {
		if slices.Contains(exceptions, n.Name) && !slices.Contains(list, n.Name) {
			list = append(list, n.Name)
		}
	}
	return list
}

// sparing returns the strongest assignments of a directive, from lines on, that take no need away, and the needs that
// the stronger ones would take; nil if all values take one.
func sparing(
	d *directive.Directive, lines []string, needs []directive.Need, version int,
) (spared, names []string) {
	for _, value := range append([][]string{lines}, d.Weaker(lines, version)...) {
		taken := false
		for _, n := range needs {
			if !d.Takes(n, value, version) {
				continue
			}
			taken = true
			if !slices.Contains(names, n.Name) {
				names = append(names, n.Name)
			}
		}
		if !taken {
			return value, names
		}
	}
	return nil, names
}
