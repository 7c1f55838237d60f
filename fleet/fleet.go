// Package fleet puts together what many machines found: which directives of a profile were demoted in the field, on how
// many machines, and the line of the profile that would end it. Call [Merge].
package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"temper/internal/directive"
	"temper/internal/verdict"
	"temper/profiles"
)

// A Finding is something that machines found of a unit: one demotion, or that it does not work hardened.
type Finding struct {
	Unit      string   `json:"unit"`
	Profile   string   `json:"profile"`
	Directive string   `json:"directive,omitempty"` // empty if the unit is not hardened at all
	From      string   `json:"from,omitempty"`
	To        string   `json:"to,omitempty"`
	Result    string   `json:"verdict"`
	Reasons   []string `json:"reasons"`
	Machines  []string `json:"machines"`       // those that found it
	Of        int      `json:"of"`             // machines that have a verdict on the unit under the profile
	Line      string   `json:"line,omitempty"` // of the profile, that would end it
}

// Merge finds what is not as the profiles ask for, the most frequent first. machines has the verdicts of each.
func Merge(machines map[string][]verdict.Verdict) []Finding {
	found := map[string]*Finding{}
	having := map[string]int{}
	for _, machine := range slices.Sorted(maps.Keys(machines)) {
		for _, v := range machines[machine] {
			having[v.Unit+"\x00"+v.Profile]++
			for _, f := range findings(v) {
				key := strings.Join([]string{f.Unit, f.Profile, f.Directive, f.To, f.Result}, "\x00")
				if found[key] == nil {
					found[key] = &f
				}
				found[key].add(machine, f.Reasons)
			}
		}
	}
	list := []Finding{}
	for _, f := range found {
		f.Of = having[f.Unit+"\x00"+f.Profile]
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(len(b.Machines), len(a.Machines)), strings.Compare(a.Unit, b.Unit),
			strings.Compare(a.Directive, b.Directive), strings.Compare(a.To, b.To), strings.Compare(a.Result, b.Result),
		)
	})
	return list
}

// add notes that a machine found the same.
func (f *Finding) add(machine string, reasons []string) {
	if !slices.Contains(f.Machines, machine) {
		f.Machines = append(f.Machines, machine)
	}
	for _, r := range reasons {
		if r != "" && !slices.Contains(f.Reasons, r) {
			f.Reasons = append(f.Reasons, r)
		}
	}
}

// findings are what one verdict says that is not as the profile asks for. The reason of a verdict that is not proven is
// not among it, since it quotes the service.
func findings(v verdict.Verdict) []Finding {
	var list []Finding
	if slices.Contains([]string{verdict.Broken, verdict.Flaky, verdict.Revoked}, v.Result) {
		list = append(list, Finding{
			Unit: v.Unit, Profile: v.Profile, Result: v.Result, Reasons: []string{},
		})
	}
	for _, d := range v.Demotions {
		list = append(list, Finding{
			Unit: v.Unit, Profile: v.Profile, Directive: d.Directive, From: d.From, To: d.To, Result: v.Result,
			Reasons: []string{d.Reason}, Line: line(d),
		})
	}
	return list
}

// line is the line of a profile with which the demotion would not be needed.
func line(d verdict.Demotion) string {
	if lines := d.Lines(); lines != nil {
		return profiles.Setting{Name: d.Directive, Values: lines}.Line()
	}
	row, known := directive.Lookup(d.Directive)
	switch {
	case !known || !row.Ordered():
		return fmt.Sprintf("# without %s", d.Directive)
	case row.Values[0].Name == "no":
		return d.Directive + " = false"
	}
	return fmt.Sprintf("%s = %q", d.Directive, row.Values[0].Name)
}
