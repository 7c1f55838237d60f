package search

import (
	"context"
	"fmt"
	"slices"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/clone"
	"temper/harness/trial"
	"temper/internal/directive"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// A property is an assignment that several directives bring along: that which breaks a service, if it breaks
// under each of them. The zero property is none.
type property struct{ directive, value string }

// suspectAlike steps down whatever enforces what two candidates enforce that were both given up: then it is
// likely that which breaks the service, rather than twice something else. What turns out to be innocent is put
// back in the end.
func (s *search) suspectAlike(culprit *candidate) {
	for _, p := range s.properties(culprit, culprit.want) {
		alike := s.enforcing(p)
		given := slices.DeleteFunc(slices.Clone(alike), func(c *candidate) bool { return c.level == 0 })
		if len(given) >= 2 {
			why := fmt.Sprintf("as %s= and %s= do, which break it", given[0].directive.Name, given[1].directive.Name)
			s.giveUp(p, alike, why)
		}
	}
}

// withoutMounts gives up whatever gives the service a mount namespace, once a culprit of that kind was given up
// and the whole plan still fails in the same way. It reports whether the service then works; if not, nothing
// has changed.
func (s *search) withoutMounts(ctx context.Context, failed trial.Result) (bool, error) {
	culprit := s.givenUp
	s.givenUp = nil
	sameWay := func(e verdict.Evidence) bool { return slices.Contains(failed.Failures, e) }
	if culprit == nil || !blame.OwnMounts(culprit.directive, culprit.want) {
		return false, nil
	}
	if !slices.ContainsFunc(culprit.evidence, sameWay) {
		return false, nil
	}
	var before []candidate
	for _, c := range s.candidates {
		before = append(before, *c)
	}
	p := mountNamespace()
	why := fmt.Sprintf("as %s= does, without which it fails in the same way", culprit.directive.Name)
	if !s.giveUp(p, s.enforcing(p), why) {
		return false, nil
	}
	r, err := s.passes(ctx, len(s.candidates))
	if err == nil && !r.OK {
		for i, c := range s.candidates {
			*c = before[i]
		}
		s.batches = s.batches[:len(s.batches)-1]
	}
	return r.OK, err
}

// giveUp gives up candidates that enforce a property and are not stepped down yet. It reports whether it was any.
func (s *search) giveUp(p property, alike []*candidate, why string) bool {
	var taken []step
	for _, c := range alike {
		if c.level > 0 || c.isOff() {
			continue
		}
		c.turnOff()
		c.unrefined = true
		text := fmt.Sprintf("%s= sets %s= here too, %s", c.directive.Name, p.directive, why)
		c.evidence = append(slices.Clone(c.evidence), verdict.Evidence{Kind: "implied", Text: text})
		taken = append(taken, step{candidate: c})
	}
	if len(taken) > 0 {
		s.batches = append(s.batches, batch{groups: apart(taken), cause: p})
	}
	return len(taken) > 0
}

// enforcing lists the candidates that set what a property sets, whatever the value.
func (s *search) enforcing(p property) []*candidate {
	return slices.DeleteFunc(slices.Clone(s.candidates), func(c *candidate) bool {
		sets := func(q property) bool { return q.directive == p.directive }
		return !c.directive.Restricts() || !slices.ContainsFunc(s.properties(c, c.want), sets)
	})
}

// properties lists what a candidate enforces when it asks for lines: itself, what it brings along at its
// strongest value, and a mount namespace if it mounts something.
func (s *search) properties(c *candidate, lines []string) []property {
	list := []property{{c.directive.Name, verdict.Join(lines)}}
	if slices.Equal(lines, c.want) {
		for _, e := range c.directive.Brings(s.input.Version, isUnprivileged(s.input.Unit)) {
			list = append(list, property{e.Directive, e.Value})
		}
	}
	if p := mountNamespace(); blame.OwnMounts(c.directive, lines) && p.directive != c.directive.Name {
		list = append(list, p)
	}
	return list
}

// mountNamespace is what everything sets that mounts something for the service alone.
func mountNamespace() property {
	for _, d := range directive.All() {
		if d.Trace == directive.NamespaceTrace("mnt") {
			return property{d.Name, "yes"}
		}
	}
	return property{}
}

// confirmCause finds out whether a property breaks the service by itself. Then everything that enforces it is
// needed no less than that, at every value that does.
func (t *strengthening) confirmCause(ctx context.Context, p property) error {
	d, ok := directive.Lookup(p.directive)
	plan := t.plan(len(t.candidates))
	if !ok || slices.ContainsFunc(plan.Items, func(i generator.Item) bool { return i.Directive == d }) {
		return nil
	}
	alone := generator.Item{Directive: d, Want: []string{p.value}, Lines: []string{p.value}}
	plan.Items = append(slices.Clone(plan.Items), alone)
	slices.SortStableFunc(plan.Items, func(a, b generator.Item) int {
		return directive.Compare(a.Directive, b.Directive)
	})
	r, err := t.attempts.confirm(ctx, plan)
	if err != nil || r.OK {
		return err
	}
	for _, c := range t.candidates {
		for level := range c.level {
			if slices.Contains(t.properties(c, c.at(level)), p) {
				t.needed[step{candidate: c, level: level}] = true
				c.unrefined = false
			}
		}
	}
	return nil
}

// isUnprivileged reports whether a service is not started with all capabilities.
func isUnprivileged(u *unit.Unit) bool {
	user, _ := u.Last("Service", "User")
	return clone.IsDynamic(u) || !slices.Contains([]string{"", "root", "0"}, user.Value)
}
