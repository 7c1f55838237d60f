package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/confine"
	"temper/harness/trial"
	"temper/internal/directive"
	"temper/internal/verdict"
)

// A search finds the least that must be given up of a plan for a service to work. It knows the service only through try.
//
// The plan is tried whole. While that fails, what the evidence names is stepped down; where the evidence names nothing, or
// nothing that helps, the directives are applied from the most valuable on until a prefix fails, found by bisection: its last
// directive is a culprit, and the cheapest one among alternatives. A culprit gets exact exceptions, again by bisection, or the
// strongest value that works, or is left out. In the end each step is put back once, in a fresh trial: what can be put back
// is, and what cannot is a demotion.
type search struct {
	input generator.Input
	try   func(ctx context.Context, plan generator.Plan) (trial.Result, error)
	judge func(t trial.Result) trial.Result // a trial once more, by all launches without hardening so far; nil = it stands
	// standIn looks at what holds in a unit that leaves no process; nil = nobody looks.
	standIn func(ctx context.Context, plan generator.Plan) (confine.Confinement, error)
	guess   func(t trial.Result, ls []*lever) []blame.Proposal // what the evidence of a failed trial names; nil = nothing
	worth   func(d *directive.Directive) float64               // exposure that a directive saves; nil = all are equal
	serve   func() []string                                    // the sockets on which the service listens without hardening; nil = not known
	home    string                                             // its working directory, as an exception has it; "" = none to speak of

	levers   []*lever // the most valuable first
	tried    map[string]trial.Result
	idle     map[string]string // directives that had no effect in a trial, and what was seen instead
	followed bool              // steps were taken because evidence named them
	widened  int               // how often the baseline was launched again
}

// errFlaky says that two trials of one drop-in disagreed.
var errFlaky = errors.New("trials of the same drop-in disagree")

// errBroken says that the baseline fails.
var errBroken = errors.New("it fails without any hardening")

// run searches and returns the plan that passed.
func (s *search) run(ctx context.Context) (generator.Plan, []verdict.Demotion, error) {
	s.tried = map[string]trial.Result{}
	if err := s.baseline(ctx); err != nil {
		return generator.Plan{}, nil, err
	}
	s.levers = levers(s.input)
	if s.worth != nil {
		slices.SortStableFunc(s.levers, func(a, b *lever) int {
			return cmp.Compare(s.worth(b.directive), s.worth(a.directive))
		})
	}
	if err := s.descend(ctx); err != nil {
		return generator.Plan{}, nil, err
	}
	if err := s.climb(ctx); err != nil {
		return generator.Plan{}, nil, err
	}
	if err := s.dropIdle(ctx); err != nil {
		return generator.Plan{}, nil, err
	}
	return s.plan(len(s.levers)), demotions(s.levers, s.input.Version), nil
}

// dropIdle leaves out what had no effect in the trial that passed: nothing was proven of it, and elsewhere it may break the
// service.
func (s *search) dropIdle(ctx context.Context) error {
	t, err := s.passes(ctx, len(s.levers))
	if err == nil && t.NoEffect == nil && t.Dropin != "" && s.standIn != nil {
		text := t.Dropin
		t.Confinement, err = s.standIn(ctx, s.plan(len(s.levers)))
		s.tried[text] = t
	}
	if err != nil || len(t.NoEffect) == 0 {
		return err
	}
	s.idle = t.NoEffect
	before := t.Confinement
	t, err = s.passes(ctx, len(s.levers))
	if err == nil && !t.OK {
		err = fmt.Errorf("%w: %s", errFlaky, summary(t.Failures))
	}
	if t.NoEffect == nil {
		t.Holds, t.Partly = before.Holds, before.Partly
		s.tried[t.Dropin] = t
	}
	return err
}

// baseline launches the service as its vendor wrote it; a failure is repeated, to tell broken from flaky.
func (s *search) baseline(ctx context.Context) error {
	t, err := s.try(ctx, generator.Plan{})
	if err != nil || t.OK {
		s.tried[""] = t
		return err
	}
	again, err := s.try(ctx, generator.Plan{})
	switch {
	case err != nil:
		return err
	case again.OK:
		return fmt.Errorf("baseline: %w: %s", errFlaky, summary(t.Failures))
	}
	return fmt.Errorf("%w: %s", errBroken, summary(t.Failures))
}

// plan is the plan of the first n levers as far down as they are, and of every exception.
func (s *search) plan(n int) generator.Plan {
	in := s.input
	in.Demotions = demotions(s.levers, in.Version)
	plan := generator.NewPlan(in)
	plan.Items = slices.DeleteFunc(plan.Items, func(i generator.Item) bool {
		return i.Directive.Restricts() && !slices.ContainsFunc(s.levers[:n], func(l *lever) bool { return l.directive == i.Directive })
	})
	for _, name := range slices.Sorted(maps.Keys(s.idle)) {
		plan.Items = slices.DeleteFunc(plan.Items, func(i generator.Item) bool { return i.Directive.Name == name })
		plan.LeftOut = append(plan.LeftOut, verdict.LeftOut{Directive: name, Reason: "has no effect here: " + s.idle[name]})
	}
	return plan
}

// passes tries the plan of the first n levers, once for each text.
func (s *search) passes(ctx context.Context, n int) (trial.Result, error) {
	plan := s.plan(n)
	if t, ok := s.tried[plan.Text()]; ok {
		return t, nil
	}
	t, err := s.try(ctx, plan)
	if err == nil {
		s.tried[plan.Text()] = t
	}
	return t, err
}

// descend steps levers down until the whole plan passes.
func (s *search) descend(ctx context.Context) error {
	low := 0 // this many levers are known to pass
	for {
		t, err := s.passes(ctx, len(s.levers))
		if err != nil || t.OK {
			return err
		}
		if s.follow(t) {
			continue
		}
		if s.mayWiden(t) {
			if err := s.widen(ctx); err != nil {
				return err
			}
			continue
		}
		if low, err = s.blame(ctx, t, low); err != nil {
			return err
		}
	}
}

// mayWiden reports whether another launch without hardening may show that a failed trial differs in nothing: one may, and two more
// where it differs in errors of its log, of which the journal loses some whose process has ended at once.
func (s *search) mayWiden(t trial.Result) bool {
	return t.OnlyDiffers() && (s.widened == 0 || s.widened < 3 && t.OnlyLogsDiffer())
}

// widen launches the service without hardening once more, and judges again what was tried: what differs between two such
// launches is held against no directive. It is put off while evidence names a culprit, whose step down and return show as
// much.
func (s *search) widen(ctx context.Context) error {
	s.widened++
	t, err := s.try(ctx, generator.Plan{})
	if err == nil && !t.OK {
		err = fmt.Errorf("baseline: %w: %s", errFlaky, summary(t.Failures))
	}
	if err != nil || s.judge == nil {
		return err
	}
	for text, t := range s.tried {
		s.tried[text] = s.judge(t)
	}
	return nil
}

// follow takes the steps down that the evidence of a failed trial names. It reports whether there were any.
func (s *search) follow(t trial.Result) bool {
	if s.guess == nil {
		return false
	}
	progress := false
	stepped := map[*lever]bool{} // one rung at a time, however many refusals speak for it
	for _, p := range s.guess(t, s.levers) {
		l := s.lever(p.Directive)
		if l.isOff() || stepped[l] {
			continue
		}
		if len(p.Names) == 0 {
			l.stepDown(p.Refused, s.input.Version)
			stepped[l] = true
		} else if !l.allow(p.Names) {
			continue
		}
		l.evidence = append(l.evidence, p.Evidence)
		progress = true
	}
	s.followed = s.followed || progress
	return progress
}

// lever returns the lever of a directive; a list of exceptions that the profile does not have yet gets one.
func (s *search) lever(d *directive.Directive) *lever {
	for _, l := range s.levers {
		if l.directive == d {
			return l
		}
	}
	l := newLever(d, nil, s.input)
	s.levers = append(s.levers, l)
	return l
}

// climb puts every step back that can be put back, the most valuable first, until none can. Where evidence named many steps,
// halves of them come first: most of what a service is refused does not matter to it. What remains has been put back once, in
// a trial of its own: a demotion that a launch by chance speaks for does not survive that.
func (s *search) climb(ctx context.Context) error {
	for chunk := len(steps(s.levers)) / 2; s.followed && chunk > 1; chunk /= 2 {
		for from := 0; from < len(steps(s.levers)); {
			ok, err := s.putBack(ctx, steps(s.levers)[from:min(from+chunk, len(steps(s.levers)))], s.passes)
			if err != nil {
				return err
			}
			if !ok {
				from += chunk
			}
		}
	}
	afresh := s.afresh()
	for from := 0; from < len(steps(s.levers)); {
		st := steps(s.levers)[from]
		ok, err := s.putBack(ctx, []step{st}, afresh)
		if err == nil && !ok {
			ok, err = s.refine(ctx, st.lever)
		}
		if err != nil {
			return err
		}
		if ok {
			from = 0 // what could not be put back may be possible now
		} else {
			from++
		}
	}
	return nil
}

// putBack puts steps back, all of them or, if the plan then fails, none.
func (s *search) putBack(ctx context.Context, list []step, passes func(context.Context, int) (trial.Result, error)) (bool, error) {
	var undo []func()
	for _, st := range list {
		undo = append(undo, st.back())
	}
	t, err := passes(ctx, len(s.levers))
	if err == nil && t.OK {
		return true, nil
	}
	for _, u := range slices.Backward(undo) {
		u()
	}
	return false, err
}

// afresh is passes without the memory of what was tried before, each text once more: a different outcome is flaky. A trial
// that only differs is believed where it repeats an earlier one, else once the baseline has been launched twice.
func (s *search) afresh() func(ctx context.Context, n int) (trial.Result, error) {
	known := map[string]bool{}
	return func(ctx context.Context, n int) (trial.Result, error) {
		text := s.plan(n).Text()
		if known[text] {
			return s.tried[text], nil
		}
		known[text] = true
		before, tried := s.tried[text]
		delete(s.tried, text)
		t, err := s.passes(ctx, n)
		for err == nil && (s.mayWiden(t) || s.mayWiden(before)) && (tried && before.OK != t.OK || !tried && s.widened == 0) {
			err = s.widen(ctx)
			t = s.tried[text]
			if s.judge != nil {
				before = s.judge(before)
			}
		}
		if err == nil && tried && before.OK != t.OK {
			err = fmt.Errorf("%w: %s", errFlaky, summary(slices.Concat(before.Failures, t.Failures)))
		}
		return t, err
	}
}

func summary(failures []verdict.Evidence) string {
	if len(failures) == 0 {
		return "no failure was seen"
	}
	return failures[0].Text
}
