package generator

import (
	"fmt"
	"slices"

	"temper/internal/directive"
	"temper/internal/verdict"
)

// onlyTried bounds what is wanted by what a proof applied: a directive that it did not try is left out, a stronger
// value becomes the one that it tried, and its exceptions are kept.
func (p *Plan) onlyTried(items []Item, in Input) []Item {
	var bounded []Item
	tried := triedLines(in.Tried.Applied)
	for _, i := range items {
		lines, was := tried[i.Directive.Name]
		switch {
		case i.Lines == nil: // demoted
		case !i.Directive.Restricts():
			i.Lines = withExceptions(i.Directive, in.Version, i.Lines, lines)
		case !was:
			p.leaveOut(i, notTried(in))
			continue
		case exceeds(i.Directive, in.Version, i.Lines, lines):
			i.Lines = lines
		}
		bounded = append(bounded, i)
	}
	for _, a := range in.Tried.Applied {
		d, known := directive.Lookup(a.Directive)
		isIt := func(i Item) bool { return i.Directive == d }
		if known && !d.Restricts() && !slices.ContainsFunc(bounded, isIt) {
			bounded = append(bounded, Item{Directive: d, Lines: tried[d.Name], From: in.Profile.Name})
		}
	}
	slices.SortStableFunc(bounded, func(a, b Item) int { return directive.Compare(a.Directive, b.Directive) })
	return bounded
}

// notTried says why a directive is left out.
func notTried(in Input) string {
	if in.Tried.Systemd != in.Version {
		return fmt.Sprintf("was not tried with systemd %d", in.Tried.Systemd)
	}
	return "was not tried yet"
}

// triedLines returns the assignments of each directive, those that an empty one takes back left out.
func triedLines(applied []verdict.Applied) map[string][]string {
	lines := map[string][]string{}
	for _, a := range applied {
		if a.Value == "" {
			lines[a.Directive] = []string{}
			continue
		}
		lines[a.Directive] = append(lines[a.Directive], a.Value)
	}
	return lines
}

// exceeds reports whether a service that has what was tried would be forbidden more by what is wanted.
func exceeds(d *directive.Directive, version int, want, tried []string) bool {
	c := directive.NewContext(version, map[string][]string{d.Name: tried})
	merged := d.Merge(c, want)
	adds := merged.Lines != nil && !slices.Equal(kept(merged.Lines), tried)
	return adds && !slices.Equal(want, tried)
}

// kept returns the assignments after the last empty one.
func kept(lines []string) []string {
	for i, line := range slices.Backward(lines) {
		if line == "" {
			return lines[i+1:]
		}
	}
	return lines
}

// withExceptions returns the assignments of an exception that are wanted, and those that were tried and allow more.
func withExceptions(d *directive.Directive, version int, want, tried []string) []string {
	all := slices.Clone(want)
	for _, line := range tried {
		isGranted := func(name string) bool { return slices.Contains(d.Grants(all, version), name) }
		names := d.Grants([]string{line}, version)
		granted := len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return !isGranted(n) })
		if !granted && !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}
