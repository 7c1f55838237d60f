package search

import (
	"context"
	"slices"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/trial"
	"temper/harness/witness"
)

// A step is one part of what a candidate was taken down, and can be put back.
type step struct {
	candidate *candidate
	name      string // the exception to take away again; empty = to a stronger value
	level     int    // of that value
}

// steps lists every way to put something of a candidate back.
func (c *candidate) steps() []step {
	var list []step
	for _, n := range c.allowed {
		list = append(list, step{candidate: c, name: n})
	}
	if c.level > 0 {
		list = append(list, step{candidate: c, level: c.level - 1})
	}
	return list
}

// isTaken reports whether the step is still to be put back.
func (s step) isTaken() bool {
	if s.name != "" {
		return slices.Contains(s.candidate.allowed, s.name)
	}
	return s.candidate.level > s.level
}

// putBack puts the step back and returns how to undo that.
func (s step) putBack() (undo func()) {
	level, allowed := s.candidate.level, s.candidate.allowed
	if s.name == "" {
		s.candidate.level = s.level
	} else {
		s.candidate.allowed = slices.DeleteFunc(slices.Clone(allowed), func(n string) bool { return n == s.name })
	}
	return func() { s.candidate.level, s.candidate.allowed = level, allowed }
}

// A group is steps for which one refusal speaks: each refuses it for certain.
type group struct {
	refused witness.Restriction // the zero Restriction if the table is not certain
	steps   []step
}

// A batch is what was stepped down at once, before one launch.
type batch struct {
	groups  []group
	matters bool     // the evidence of a failed launch named it: something of it is needed, most likely
	cause   property // what all of it enforces, and is suspected for
}

// add adds the steps of a proposal.
func (b *batch) add(steps []step, p blame.Proposal) {
	g := group{steps: steps}
	if p.Certain {
		g.refused = p.Refused
		same := func(o group) bool { return o.refused == p.Refused }
		if i := slices.IndexFunc(b.groups, same); i >= 0 {
			b.groups[i].steps = append(b.groups[i].steps, steps...)
			return
		}
	}
	b.groups = append(b.groups, g)
}

// apart are steps in a group each.
func apart(steps []step) []group {
	var groups []group
	for _, s := range steps {
		groups = append(groups, group{steps: []step{s}})
	}
	return groups
}

// putBackAll puts back every step that can be put back, those first that were taken in one batch: of what
// evidence names, most does not matter to the service. The most valuable come first, so that of alternatives
// the cheapest stays given up. What remains has been put back in a launch of its own, and broke the service; or
// it refuses what another exception was seen to be needed for.
func (s *search) putBackAll(ctx context.Context) error {
	t := &strengthening{search: s, needed: map[step]bool{}}
	for _, b := range slices.Backward(s.batches) {
		if err := t.batch(ctx, b); err != nil {
			return err
		}
	}
	for _, c := range slices.Clone(s.candidates) {
		err := t.strengthen(ctx, c)
		if err == nil && t.mayRefine(c) {
			err = t.refine(ctx, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// byValue sorts groups by their most valuable step, and the steps of each.
func (s *search) byValue(groups []group) []group {
	order := map[*candidate]int{}
	for i, c := range s.candidates {
		order[c] = i
	}
	for _, g := range groups {
		slices.SortStableFunc(g.steps, func(a, b step) int { return order[a.candidate] - order[b.candidate] })
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		return order[a.steps[0].candidate] - order[b.steps[0].candidate]
	})
	return groups
}

// A strengthening puts steps back, and remembers which could not be.
type strengthening struct {
	*search
	needed map[step]bool
}

// strengthen puts back what it can of one candidate: each exception, and one value after the other.
func (t *strengthening) strengthen(ctx context.Context, c *candidate) error {
	for again := true; again; {
		again = false
		for _, s := range c.steps() {
			ok, err := t.one(ctx, s)
			if err != nil {
				return err
			}
			again = again || ok && s.name == ""
		}
	}
	return nil
}

// split puts back what it can of some groups, halves of them first. It reports whether that was all. If it is
// known that something of them matters, they are not all put back at once.
func (t *strengthening) split(ctx context.Context, groups []group, matters bool) (all bool, err error) {
	groups, steps := t.left(groups)
	switch {
	case len(groups) == 0:
		return true, nil
	case len(groups) == 1:
		return t.group(ctx, groups[0])
	case !matters:
		if ok, err := t.together(ctx, steps, t.attempts.try); ok || err != nil {
			return ok, err
		}
	}
	half := len(groups) / 2
	first, err := t.split(ctx, groups[:half], false)
	if err != nil {
		return false, err
	}
	second, err := t.split(ctx, groups[half:], first)
	return first && second, err
}

// batch puts back what it can of a batch.
func (t *strengthening) batch(ctx context.Context, b batch) error {
	groups := t.byValue(b.groups)
	if b.cause != (property{}) {
		_, steps := t.left(groups)
		if ok, err := t.together(ctx, steps, t.attempts.try); ok || err != nil {
			return err
		}
		b.matters = true
		if len(steps) > minSharers {
			if err := t.confirmCause(ctx, b.cause); err != nil {
				return err
			}
		}
	}
	_, err := t.split(ctx, groups, b.matters)
	return err
}

// minSharers is how many steps must be suspected for one cause for it to be tried by itself: fewer are put back
// as soon.
const minSharers = 2

// left is what is still to be put back, and is not known to be needed.
func (t *strengthening) left(groups []group) (left []group, steps []step) {
	for _, g := range groups {
		g.steps = slices.DeleteFunc(slices.Clone(g.steps), func(s step) bool { return !s.isTaken() || t.needed[s] })
		if len(g.steps) > 0 {
			left, steps = append(left, g), append(steps, g.steps...)
		}
	}
	return left, steps
}

// group puts back what it can of the steps of one group. An exception is put back first: if the service breaks,
// it needs just what the whole group refuses.
func (t *strengthening) group(ctx context.Context, g group) (all bool, err error) {
	if len(g.steps) == 1 {
		return t.one(ctx, g.steps[0])
	}
	if i := slices.IndexFunc(g.steps, func(s step) bool { return s.name != "" }); i >= 0 {
		ok, err := t.one(ctx, g.steps[i])
		if err != nil {
			return false, err
		}
		if !ok {
			for _, s := range g.steps {
				t.needed[s] = true
			}
			return false, nil
		}
	}
	return t.split(ctx, apart(g.steps), false)
}

// one puts a single step back if that can be done.
func (t *strengthening) one(ctx context.Context, s step) (bool, error) {
	if !s.isTaken() || t.needed[s] {
		return !s.isTaken(), nil
	}
	ok, err := t.together(ctx, []step{s}, t.attempts.confirm)
	t.needed[s] = !ok
	return ok, err
}

// A try launches the service under a plan.
type try func(ctx context.Context, plan generator.Plan) (trial.Result, error)

// together puts steps back, all of them or, if the plan then fails, none.
func (t *strengthening) together(ctx context.Context, list []step, try try) (bool, error) {
	var undo []func()
	for _, s := range list {
		undo = append(undo, s.putBack())
	}
	r, err := try(ctx, t.plan(len(t.candidates)))
	if err == nil && r.OK {
		return true, nil
	}
	for _, u := range slices.Backward(undo) {
		u()
	}
	return false, err
}

// mayRefine reports whether a candidate was given up whole, nobody looked for exact exceptions, and it can have some.
func (t *strengthening) mayRefine(c *candidate) bool {
	return c.unrefined && c.isOff() && c.directive.HasExceptions()
}

// refine looks for exact exceptions of a candidate, and puts back those that are not needed.
func (t *strengthening) refine(ctx context.Context, c *candidate) error {
	c.unrefined, c.level = false, 0
	ok, err := t.except(ctx, c, len(t.candidates))
	if !ok {
		c.turnOff()
		return err
	}
	return t.strengthen(ctx, c)
}
