package search

import (
	"context"
	"slices"

	"temper/generator"
	"temper/harness/trial"
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

// A batch is what was stepped down at once, before one launch.
type batch struct {
	steps   []step
	matters bool // the evidence of a failed launch named it: something of it is needed, most likely
}

// putBackAll puts back every step that can be put back, those first that were taken in one batch: of what evidence
// names, most does not matter to the service. The most valuable come first, so that of alternatives the cheapest stays
// given up. What remains has been put back once, in a launch of its own, and broke the service.
func (s *search) putBackAll(ctx context.Context) error {
	t := &strengthening{search: s, needed: map[step]bool{}}
	order := map[*candidate]int{}
	for i, c := range s.candidates {
		order[c] = i
	}
	for _, b := range slices.Backward(s.batches) {
		slices.SortStableFunc(b.steps, func(x, y step) int { return order[x.candidate] - order[y.candidate] })
		if _, err := t.split(ctx, b.steps, b.matters); err != nil {
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

// split puts back what it can of some steps, halves of them first. It reports whether that was all. If it is known that
// some step matters, they are not all put back at once.
func (t *strengthening) split(ctx context.Context, list []step, matters bool) (all bool, err error) {
	list = slices.DeleteFunc(slices.Clone(list), func(s step) bool { return !s.isTaken() || t.needed[s] })
	switch {
	case len(list) == 0:
		return true, nil
	case len(list) == 1:
		return t.one(ctx, list[0])
	case !matters:
		if ok, err := t.together(ctx, list, t.attempts.try); ok || err != nil {
			return ok, err
		}
	}
	half := len(list) / 2
	first, err := t.split(ctx, list[:half], false)
	if err != nil {
		return false, err
	}
	second, err := t.split(ctx, list[half:], first)
	return first && second, err
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

// together puts steps back, all of them or, if the plan then fails, none.
func (t *strengthening) together(
	ctx context.Context,
	list []step,
	try func(context.Context, generator.Plan) (trial.Result, error),
) (bool, error) {
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
