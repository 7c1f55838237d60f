package search

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"temper/generator"
)

// breaking returns a service that breaks under a plan with all directives of one of the groups.
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

// TestSearchLaws: whichever directives break a service, alone or together, the plan that the search finds works, and
// putting back any step of any demotion breaks the service.
func TestSearchLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.SampledFrom(hardestNames()), 1, 3, rapid.ID), 0,
			4).Draw(t, "groups")
		f := &fake{breaks: breaking(groups)}
		s := newSearch(input(hardest), f, nil, f)
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

// TestSearchBound: for k culprits among n directives, each of which breaks the service alone, the search takes at most
// 3 + k + 2k log n launches. One launch is without hardening and one is under the whole plan. For each culprit,
// bisection takes log n launches, its weaker values and exceptions at most three, the whole plan without it one, and
// putting it back one. After each, one launch may show that what fails next has another cause, and one in all that the
// culprits have none in common.
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
	k, each := len(culprits), int(math.Ceil(math.Log2(float64(len(hardest.Service)))))
	if most := 3 + k + 2*k*each; f.launches > most {
		t.Fatalf("%d launches for %v, want at most %d", f.launches, culprits, most)
	}
}
