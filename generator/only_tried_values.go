package generator

import (
	"fmt"
	"slices"

	"temper/internal/directive"
	"temper/internal/verdict"
)

// onlyTried limits the wanted items to what a proof has tried: it leaves out a directive that the proof did not try,
// replaces a stronger value by the tried one, and keeps the exceptions of the proof.
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

// triedLines returns the assignments of each directive, without those that an empty assignment resets.
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

// exceeds reports whether the wanted assignments forbid more than the tried ones.
func exceeds(d *directive.Directive, version int, want, tried []string) bool {
	c := directive.NewContext(version, map[string][]string{d.Name: tried})
	merged := d.Merge(c, want)
	adds := merged.Lines != nil && !slices.Equal(afterReset(merged.Lines), tried)
	return adds && !slices.Equal(want, tried)
}

// afterReset returns the assignments after the last empty one.
func afterReset(lines []string) []string {
	for i, line := range slices.Backward(lines) {
		if line == "" {
			return lines[i+1:]
		}
	}
	return lines
}

// withExceptions returns the wanted assignments of a list of exceptions, and the tried ones that allow more.
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
