package search

import (
	"context"
	"slices"

	"temper/generator"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/verdict"
)

// A step is one step down of a candidate: one exception, or one value. It can be put back.
type step struct {
	candidate *candidate
	name      string // the exception; empty for a step to a weaker value
	level     int    // the level to put back, for a step to a weaker value
}

// steps lists the steps of a candidate that can be put back next.
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

// isTaken reports whether the step is in force, and so can be put back.
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

// A batch is the steps that were taken together, before one launch.
type batch struct {
	steps   []step
	matters bool // the evidence of a failed launch named the steps: most likely the service needs at least one
	useless bool // the launch with them failed as the one before did
	calls   []call
}

// A call is a system call that was refused, and the steps of which it needs all: with fewer it is refused, too.
type call struct {
	evidence verdict.Evidence
	steps    []step
}

// putBackAll puts back every step that can be put back. It begins with the batches: of the steps that evidence names,
// the service needs only a few. The most valuable candidates come first, so that of alternatives the least valuable one
// stays off. Each step that remains was put back in one launch, alone or with what the same call needs, and that launch
// failed.
func (s *search) putBackAll(ctx context.Context) error {
	t := &strengthening{search: s, needed: map[step]bool{}}
	if err := t.confirmSharedCauses(ctx); err != nil {
		return err
	}
	order := map[*candidate]int{}
	for i, c := range s.candidates {
		order[c] = i
	}
	for _, b := range slices.Backward(s.batches) {
		slices.SortStableFunc(b.steps, func(x, y step) int { return order[x.candidate] - order[y.candidate] })
		if err := t.putBackBatch(ctx, b); err != nil {
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

// putBackBatch puts back what the service does not need of a batch.
func (t *strengthening) putBackBatch(ctx context.Context, b batch) error {
	if b.useless {
		if ok, err := t.putBackTogether(ctx, t.wholly(b.steps), t.attempts.try); ok || err != nil {
			return err
		}
	}
	for _, call := range b.calls {
		if err := t.putBackCall(ctx, call); err != nil {
			return err
		}
	}
	_, err := t.split(ctx, b.steps, b.matters)
	return err
}

// A strengthening puts steps back, and remembers the steps that the service needs.
type strengthening struct {
	*search
	needed map[step]bool
}

// strengthen puts back as many steps of one candidate as possible: each exception, and one value after the other.
func (t *strengthening) strengthen(ctx context.Context, c *candidate) error {
	for stronger := true; stronger; {
		stronger = false
		for _, s := range c.steps() {
			ok, err := t.putBackOne(ctx, s)
			if err != nil {
				return err
			}
			stronger = stronger || ok && s.name == ""
		}
	}
	return nil
}

// split puts back as many of the steps as possible, by trying all of them and then halves. It reports whether it put
// back all. If matters is set, the service needs at least one of them, and split does not try all at once.
func (t *strengthening) split(ctx context.Context, list []step, matters bool) (all bool, err error) {
	list = slices.DeleteFunc(slices.Clone(list), func(s step) bool { return !s.isTaken() || t.needed[s] })
	switch {
	case len(list) == 0:
		return true, nil
	case len(list) == 1:
		return t.putBackOne(ctx, list[0])
	case !matters && len(list) > 2: // of two, evidence is mostly right about both
		if ok, err := t.putBackTogether(ctx, list, t.attempts.try); ok || err != nil {
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

// wholly is what puts back the steps that are taken, each candidate at the value that the profile asks for.
func (t *strengthening) wholly(list []step) (whole []step) {
	for _, s := range list {
		if s.name == "" {
			s.level = 0
		}
		if s.isTaken() && !t.needed[s] && !slices.Contains(whole, s) {
			whole = append(whole, s)
		}
	}
	return whole
}

// putBackCall puts back the steps that one call needs, all at once. If the launch then fails, and nothing but that call
// was refused, the service needs them all; otherwise nothing is known of them yet.
func (t *strengthening) putBackCall(ctx context.Context, c call) error {
	list := slices.DeleteFunc(slices.Clone(c.steps), func(s step) bool { return !s.isTaken() || t.needed[s] })
	if len(list) < 2 {
		return nil
	}
	var failed trial.Result
	ok, err := t.putBackTogether(ctx, list, func(ctx context.Context, plan generator.Plan) (r trial.Result, err error) {
		failed, err = t.tryFor(list[0])(ctx, plan)
		return failed, err
	})
	refused := t.evidenceOf(failed).Refused.Denials
	other := func(d witness.Denial) bool { return d.String() != c.evidence.Text }
	if ok || err != nil || len(refused) == 0 || slices.ContainsFunc(refused, other) {
		return err
	}
	for _, s := range list {
		t.need(s)
		s.candidate.owe(failed)
	}
	return nil
}

// tryFor is how a plan is tried that puts back a step.
func (t *strengthening) tryFor(s step) func(context.Context, generator.Plan) (trial.Result, error) {
	if s.candidate.named > 1 { // two launches failed by the same refusal: that is no chance
		return t.attempts.unlessRefusedTwice
	}
	return t.attempts.confirm
}

// putBackOne puts a single step back, if the service then still works.
func (t *strengthening) putBackOne(ctx context.Context, s step) (bool, error) {
	if !s.isTaken() || t.needed[s] {
		return !s.isTaken(), nil
	}
	ok, err := t.putBackTogether(ctx, []step{s}, t.tryFor(s))
	if err == nil && !ok {
		t.need(s)
	}
	return ok, err
}

// need remembers that the service needs a step, and with it every step to a stronger value.
func (t *strengthening) need(s step) {
	t.needed[s] = true
	if s.name != "" {
		return
	}
	s.candidate.failedAt = append(s.candidate.failedAt, s.level)
	for level := range s.level {
		if s.candidate.isStronger(level, s.level) {
			t.needed[step{candidate: s.candidate, level: level}] = true
		}
	}
}

// isNeeded reports whether the service needs the last step of a candidate.
func (t *strengthening) isNeeded(c *candidate) bool {
	return c.level > 0 && t.needed[step{candidate: c, level: c.level - 1}]
}

// putBackTogether puts back all of the steps, or none if the service then fails.
func (t *strengthening) putBackTogether(
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
	if len(list) == 1 {
		list[0].candidate.owe(r)
	}
	for _, u := range slices.Backward(undo) {
		u()
	}
	return false, err
}

// mayRefine reports whether a candidate is off although it can have exact exceptions that were not searched for.
func (t *strengthening) mayRefine(c *candidate) bool {
	return c.exceptionsUntried && c.isOff() && c.directive.HasExceptions()
}

// refine searches for exact exceptions of a candidate, and removes those that are not needed.
func (t *strengthening) refine(ctx context.Context, c *candidate) error {
	c.exceptionsUntried, c.level = false, 0
	ok, err := t.findExceptions(ctx, c, len(t.candidates))
	if !ok {
		c.turnOff()
		return err
	}
	return t.strengthen(ctx, c)
}
