package search

import (
	"context"
	"fmt"
	"slices"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/trial"
	"temper/internal/directive"
	"temper/internal/verdict"
)

// A property is what several directives can enforce: a directive at one value, such as NoNewPrivileges=yes.
type property struct{ name, value string }

// isWhole reports whether the property is a single thing that a service has or has not. A list of names is not: two
// directives may refuse different system calls.
func (p property) isWhole() bool {
	d, ok := directive.Lookup(p.name)
	return ok && d.Ordered()
}

// properties lists what a candidate enforces: its own directive at its wanted value, and those that it implies.
func (s *search) properties(c *candidate) []property {
	own := property{name: c.directive.Name}
	if c.directive.Ordered() && len(c.want) > 0 {
		own.value = c.want[len(c.want)-1]
	}
	list := []property{own}
	for _, e := range c.directive.Brings(s.input.Version, blame.StartsUnprivileged(s.input.Unit)) {
		list = append(list, property{e.Directive, e.Value})
	}
	return list
}

func (s *search) enforces(c *candidate, p property) bool { return slices.Contains(s.properties(c), p) }

// turnOffAlike turns off all directives that share a name among their properties with a culprit and a second directive
// that was stepped down: then most likely what they share breaks the service. The search puts back at the end what is
// innocent.
func (s *search) turnOffAlike(culprit *candidate) {
	for _, p := range s.properties(culprit) {
		shares := func(c *candidate) bool {
			return slices.ContainsFunc(s.properties(c), func(q property) bool { return q.name == p.name })
		}
		var given []string
		for _, c := range s.candidates {
			if c.level > 0 && c.directive.Restricts() && shares(c) {
				given = append(given, c.directive.Name+"=")
			}
		}
		if len(given) >= 2 {
			why := fmt.Sprintf("%s= here too, as %s and %s do, which break it", p.name, given[0], given[1])
			s.turnOffAll(shares, why)
		}
	}
}

// turnOffSameCause turns off all directives that share a property with the last culprit, if the service still fails as
// it did with that culprit. If it then still fails, they stay. It reports whether the service passes.
func (s *search) turnOffSameCause(ctx context.Context, r trial.Result) (bool, error) {
	last, before := s.last, len(s.batches)
	s.last = blamed{}
	if last.candidate == nil || len(r.Failures) == 0 || r.Failures[0] != last.failure {
		return false, nil
	}
	name := last.candidate.directive.Name
	for _, p := range s.properties(last.candidate) {
		if p.isWhole() {
			why := fmt.Sprintf("%s= here too, as %s= does, without which it fails in the same way", p.name, name)
			s.turnOffAll(func(c *candidate) bool { return s.enforces(c, p) }, why)
		}
	}
	if len(s.batches) == before {
		return false, nil
	}
	r, err := s.passes(ctx, len(s.candidates))
	if err != nil || r.OK {
		return r.OK, err
	}
	for _, b := range s.batches[before:] {
		for _, step := range b.steps {
			step.candidate.reset()
		}
	}
	s.batches = s.batches[:before]
	return false, nil
}

// turnOffAll turns off, in one batch, the candidates of one kind that are not stepped down yet.
func (s *search) turnOffAll(shares func(*candidate) bool, why string) {
	var taken []step
	for _, c := range s.candidates {
		if c.level > 0 || !c.directive.Restricts() || !shares(c) {
			continue
		}
		c.turnOff()
		c.exceptionsUntried = true
		c.addEvidence(verdict.Evidence{Kind: implied, Text: c.directive.Name + "= sets " + why})
		taken = append(taken, step{candidate: c})
	}
	if len(taken) > 0 {
		s.batches = append(s.batches, batch{steps: taken})
	}
}

// implied is the kind of evidence against a directive that sets what breaks the service by itself.
const implied = "implied"

// confirmSharedCauses finds out with one launch for each property whether it is what breaks the service: the launch
// has the property alone, beside what passes. If it fails, every directive that enforces the property breaks the
// service, and none of them needs a launch of its own.
func (t *strengthening) confirmSharedCauses(ctx context.Context) error {
	var shared []property
	for _, c := range t.candidates {
		for _, p := range t.properties(c) {
			if p.isWhole() && !slices.Contains(shared, p) {
				shared = append(shared, p)
			}
		}
	}
	size := func(p property) int { return len(t.group(p)) }
	slices.SortStableFunc(shared, func(a, b property) int { return size(b) - size(a) }) // the likeliest first
	for _, p := range shared {
		if size(p) < 2 {
			continue
		}
		if err := t.confirmProperty(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// group lists the candidates that enforce a property, are off, and were stepped down for the same reason.
func (t *strengthening) group(p property) []*candidate {
	var list []*candidate
	for _, c := range t.candidates {
		if c.level == 0 || !c.isOff() || c.untried || t.isNeeded(c) || !t.enforces(c, p) {
			continue
		}
		if len(list) == 0 || c.sharesEvidence(list[0]) {
			list = append(list, c)
		}
	}
	return list
}

func (t *strengthening) confirmProperty(ctx context.Context, p property) error {
	alone := t.planWith(p)
	if alone.Text() == t.plan(len(t.candidates)).Text() {
		return nil
	}
	r, err := t.attempts.confirm(ctx, alone)
	if err != nil || r.OK {
		return err
	}
	for _, c := range t.group(p) {
		for level := range c.level {
			t.needed[step{candidate: c, level: level}] = true
		}
		c.exceptionsUntried = false
		c.owe(r)
		if c.directive.Name == p.name {
			c.failedAt = append(c.failedAt, 0)
			continue
		}
		c.sharedCause = p.name
		c.addEvidence(verdict.Evidence{Kind: implied, Text: fmt.Sprintf(
			"%s= sets %s=%s here too, which breaks it alone", c.directive.Name, p.name, p.value)})
	}
	return nil
}

// planWith is the current plan with one property more.
func (s *search) planWith(p property) generator.Plan {
	in := s.input
	isIt := func(d verdict.Demotion) bool { return d.Directive == p.name }
	in.Demotions = slices.DeleteFunc(s.demotions(), isIt)
	in.Demotions = append(in.Demotions, verdict.Demotion{Directive: p.name, To: p.value})
	return planWithout(in, s.leftOut, func(*directive.Directive) bool { return true })
}
