package results

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"temper/internal/verdict"
)

// A Disagreement is a unit of which two machines found something different.
type Disagreement struct {
	Package string   `json:"package"`
	Unit    string   `json:"unit"`
	Found   []string `json:"found"` // what each machine found, sorted
}

// Merge writes into a directory what is in others, and returns where they disagree. Of two results on one unit the
// newer counts; of equal age, that of the machine whose name sorts first.
func Merge(into Dir, from ...Dir) ([]Disagreement, error) {
	newest := map[string]Package{}
	found := map[string][]Unit{}
	for _, d := range from {
		packages, units, err := d.All()
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if old, ok := newest[p.Package]; !ok || newer(p.Began.Compare(old.Began), p.Machine, old.Machine) {
				newest[p.Package] = p
			}
		}
		for _, u := range units {
			key := u.Package + "/" + u.Unit
			found[key] = append(found[key], u)
		}
	}
	var differ []Disagreement
	var problems []error
	for _, list := range found {
		slices.SortFunc(list, func(a, b Unit) int {
			return cmp.Or(b.Began.Compare(a.Began), cmp.Compare(a.Machine.Name, b.Machine.Name))
		})
		if d, ok := disagreement(list); ok {
			differ = append(differ, d)
		}
		problems = append(problems, into.PutUnit(list[0]))
	}
	for _, p := range newest {
		problems = append(problems, into.PutPackage(p))
	}
	slices.SortFunc(differ, func(a, b Disagreement) int {
		return strings.Compare(a.Package+"\x00"+a.Unit, b.Package+"\x00"+b.Unit)
	})
	return differ, errors.Join(problems...)
}

func newer(order int, machine, than Machine) bool {
	return order > 0 || order == 0 && machine.Name < than.Name
}

// disagreement compares the results on one unit of one version of its package.
func disagreement(list []Unit) (Disagreement, bool) {
	d := Disagreement{Package: list[0].Package, Unit: list[0].Unit}
	var kinds []string
	for _, u := range list {
		if u.Version != list[0].Version {
			continue
		}
		if kind := u.Finding(); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
			d.Found = append(d.Found, fmt.Sprintf("%s: %s", u.Machine.Name, kind))
		}
	}
	slices.Sort(d.Found)
	return d, len(kinds) > 1
}

// Finding is the result in one line, without what differs from run to run.
func (u Unit) Finding() string {
	if !u.Works() {
		return u.Outcome
	}
	e := u.Verdict.Exposure
	text := fmt.Sprintf("%s, exposure %.1f -> %.1f", u.Outcome, e.Before, e.After)
	for _, d := range slices.SortedFunc(slices.Values(u.Verdict.Demotions), func(a, b verdict.Demotion) int {
		return strings.Compare(a.Directive, b.Directive)
	}) {
		text += fmt.Sprintf(", %s= demoted to %s", d.Directive, strings.ReplaceAll(d.To, "\n", "; "))
	}
	return text
}
