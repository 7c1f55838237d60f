package search

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"temper/generator"
)

// breaking breaks under a plan that has all directives of one group.
func breaking(groups [][]string) func(generator.Plan) bool {
	return func(p generator.Plan) bool {
		return slices.ContainsFunc(groups, func(group []string) bool {
			return !slices.ContainsFunc(group, func(n string) bool { return !has(p, n) })
		})
	}
}

// hardestNames are the directives of the hardest profile.
func hardestNames() []string {
	var list []string
	for _, s := range hardest.Service {
		list = append(list, s.Name)
	}
	return list
}

// TestSearchLaws: whatever breaks a service, singly or together, the plan that is found works, and putting back any
// step of any demotion breaks it again.
func TestSearchLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.SampledFrom(hardestNames()), 1, 3, rapid.ID), 0,
			4).Draw(t, "groups")
		f := &fake{breaks: breaking(groups)}
		s := newSearch(input(hardest), f, f)
		found, err := s.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f.breaks(found.Plan) {
			t.Fatalf("the plan breaks the service: %v", groups)
		}
		for _, c := range s.candidates {
			for _, step := range c.steps() {
				undo := step.putBack()
				if !f.breaks(s.plan(len(s.candidates))) {
					t.Fatalf("%s can be put back: %v", c.directive.Name, groups)
				}
				undo()
			}
		}
	})
}

// TestSearchBound: single culprits cost no more launches than bisection may: for k of n directives 3 + 2k log n. One
// launch is without hardening, one of the whole plan. Each culprit takes log n to be found, at most three for its
// weaker values and exceptions, one of the whole plan without it, and one in which it is put back. Those that are
// suspected with others take one more, once.
func TestSearchBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkBound(t, rapid.SliceOfNDistinct(rapid.SampledFrom(hardestNames()), 1, 4, rapid.ID).Draw(t, "culprits"))
	})
	for i, a := range hardestNames() {
		checkBound(t, []string{a})
		for _, b := range hardestNames()[:i] {
			checkBound(t, []string{a, b})
		}
	}
}

// checkBound fails if the search for single culprits takes more launches than it may.
func checkBound(t rapid.TB, culprits []string) {
	var groups [][]string
	for _, c := range culprits {
		groups = append(groups, []string{c})
	}
	f := &fake{breaks: breaking(groups)}
	if _, err := f.run(); err != nil {
		t.Fatalf("%v: %v", culprits, err)
	}
	if most := 3 + 2*len(culprits)*int(math.Ceil(math.Log2(float64(len(hardest.Service))))); f.launches > most {
		t.Fatalf("%d launches for %v, want at most %d", f.launches, culprits, most)
	}
}
