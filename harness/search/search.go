// Package search finds the least that must be given up of a plan for a service to work.
//
// [Run] knows the service only through a [Trier]. It launches the service under the whole plan. While that fails, it
// steps down what the evidence names; see temper/harness/blame. Where the evidence names nothing, or nothing that
// helps, it applies the directives from the most valuable on until a prefix of them fails, found by bisection: the last
// of these is a culprit, and the cheapest one among alternatives. A culprit gets exact exceptions, again by bisection,
// or the strongest value that works, or is left out. In the end each step down is put back once: what can be put back
// is, and what cannot is a demotion.
//
// The search takes it that more hardening never repairs a service: what breaks under a plan breaks under a stronger
// one.
package search

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/confine"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/verdict"
)

// A Trier launches a service.
type Trier interface {
	// Try launches the service once under a plan, and compares it with the Baselines. The error is set only where
	// nothing can be said about the service.
	Try(ctx context.Context, plan generator.Plan) (trial.Result, error)
	// Baselines are the launches without hardening that passed, so far.
	Baselines() []trial.Result
	// StandIn launches a program that waits in place of the service, for services that leave no process to look at, and
	// tells what it is kept from.
	StandIn(ctx context.Context, plan generator.Plan) (confine.Confinement, error)
}

// An Outcome is what a service survives.
type Outcome struct {
	Plan      generator.Plan
	Demotions []verdict.Demotion
	Result    trial.Result      // of the launch under Plan, which passed
	Applied   []blame.Applied   // the directives of Plan, as evidence is read for them
	NoEffect  map[string]string // directives that are left out since they had no effect, and what was seen instead
}

// ErrFlaky says that two launches under one drop-in disagreed.
var ErrFlaky = errors.New("trials of the same drop-in disagree")

// ErrBroken says that the service fails without hardening.
var ErrBroken = errors.New("it fails without any hardening")

// Run searches for the strongest part of a plan that a service survives. The error wraps [ErrBroken] or [ErrFlaky], or
// is one of the Trier's.
func Run(ctx context.Context, in generator.Input, files blame.Files, trier Trier) (Outcome, error) {
	return newSearch(in, files, trier).run(ctx)
}

// A search is one run of [Run].
type search struct {
	input      generator.Input
	service    blame.Service
	trier      Trier
	attempts   *attempts
	candidates []*candidate // the most valuable first
	batches    []batch      // what was stepped down at once
	noEffect   map[string]string
}

func newSearch(in generator.Input, files blame.Files, trier Trier) *search {
	s := &search{
		input: in, service: blame.NewService(in, files), trier: trier, attempts: newAttempts(in, trier),
		candidates: candidates(in), noEffect: map[string]string{},
	}
	saved := savings(in)
	slices.SortStableFunc(s.candidates, func(a, b *candidate) int {
		return cmp.Compare(saved[b.directive], saved[a.directive])
	})
	return s
}

func (s *search) run(ctx context.Context) (Outcome, error) {
	for _, phase := range []func(context.Context) error{
		s.attempts.baseline, s.leaveOutUntried, s.descend, s.putBackAll, s.leaveOutIneffective,
	} {
		if err := phase(ctx); err != nil {
			return Outcome{}, err
		}
	}
	plan := s.plan(len(s.candidates))
	result, err := s.attempts.try(ctx, plan)
	return Outcome{
		Plan: plan, Demotions: demotions(s.candidates), Result: result, Applied: applied(s.candidates),
		NoEffect: s.noEffect,
	}, err
}

// plan is the plan of the first n candidates as far down as they are, and of every exception.
func (s *search) plan(n int) generator.Plan {
	in := s.input
	in.Demotions = demotions(s.candidates)
	return planWithout(in, s.noEffect, func(d *directive.Directive) bool {
		return !d.Restricts() ||
			slices.ContainsFunc(s.candidates[:n], func(c *candidate) bool { return c.directive == d })
	})
}

// planWithout is the plan of an input without what had no effect, and of the rest without what is not kept.
func planWithout(in generator.Input, noEffect map[string]string, keep func(*directive.Directive) bool) generator.Plan {
	plan := generator.NewPlan(in)
	plan.Items = slices.DeleteFunc(plan.Items, func(i generator.Item) bool {
		return !keep(i.Directive) || noEffect[i.Directive.Name] != ""
	})
	for _, name := range slices.Sorted(maps.Keys(noEffect)) {
		plan.LeftOut = append(
			plan.LeftOut,
			verdict.LeftOut{Directive: name, Reason: "has no effect here: " + noEffect[name]},
		)
	}
	return plan
}

// passes tries the plan of the first n candidates, unless it was tried before.
func (s *search) passes(ctx context.Context, n int) (trial.Result, error) {
	return s.attempts.try(ctx, s.plan(n))
}

// leaveOutUntried gives up what would refuse the service something that the place withholds from it anyway: what comes
// of that on the machine cannot be tried. It is exact where there are exceptions.
func (s *search) leaveOutUntried(context.Context) error {
	for _, b := range s.trier.Baselines() {
		for _, p := range s.service.Unknown(b.Withheld, applied(s.candidates)) {
			c := s.candidate(p.Directive)
			if len(p.Names) == 0 {
				c.untried = true
			}
			for _, n := range p.Names {
				if !slices.Contains(c.kept, n) {
					c.kept = append(c.kept, n)
				}
			}
			if !slices.Contains(c.evidence, p.Evidence) {
				c.evidence = append(c.evidence, p.Evidence)
			}
		}
	}
	return nil
}

// descend steps candidates down until the whole plan passes.
func (s *search) descend(ctx context.Context) error {
	low := 0 // this many candidates are known to pass
	for {
		r, err := s.passes(ctx, len(s.candidates))
		if err != nil || r.OK {
			return err
		}
		if s.follow(r) {
			continue
		}
		if s.attempts.mayRepeatBaseline(r) {
			if err := s.attempts.repeatBaseline(ctx); err != nil {
				return err
			}
			continue
		}
		if low, err = s.findCulprit(ctx, r, low); err != nil {
			return err
		}
	}
}

// follow takes the steps down that the evidence of a failed launch names. It reports whether there are any.
func (s *search) follow(r trial.Result) bool {
	var taken []step
	weakened := map[*candidate]bool{} // one value at a time, however many refusals speak for it
	for _, p := range s.service.Causes(s.seen(r), applied(s.candidates)) {
		c := s.candidate(p.Directive)
		if c.isOff() || weakened[c] {
			continue
		}
		if len(p.Names) == 0 {
			c.stepDown(p.Refused)
			weakened[c] = true
			taken = append(taken, step{candidate: c, level: c.level - 1})
		} else {
			names := c.allow(p.Names)
			if len(names) == 0 {
				continue
			}
			for _, n := range names {
				taken = append(taken, step{candidate: c, name: n})
			}
		}
		c.evidence = append(c.evidence, p.Evidence)
	}
	if len(taken) > 0 {
		s.batches = append(s.batches, batch{steps: taken, matters: true})
	}
	return len(taken) > 0
}

// seen is the evidence of a launch.
func (s *search) seen(r trial.Result) blame.Seen {
	seen := blame.Seen{
		Refused: s.service.New(r.Refused, refusals(s.trier.Baselines())...),
		Exit:    trial.ExitName(r.Status),
		Log:     r.Log,
	}
	if len(r.Failures) > 0 {
		seen.Failure = r.Failures[0]
	}
	return seen
}

// refusals are what launches were refused.
func refusals(results []trial.Result) []witness.Record {
	var records []witness.Record
	for _, r := range results {
		records = append(records, r.Refused)
	}
	return records
}

// candidate returns the candidate of a directive; a list of exceptions that the profile does not have yet gets one.
func (s *search) candidate(d *directive.Directive) *candidate {
	for _, c := range s.candidates {
		if c.directive == d {
			return c
		}
	}
	c := newCandidate(d, nil, s.input.Version)
	s.candidates = append(s.candidates, c)
	return c
}

// leaveOutIneffective leaves out what had no effect in the launch that passed: nothing was proven of it, and elsewhere
// it may break the service.
func (s *search) leaveOutIneffective(ctx context.Context) error {
	plan := s.plan(len(s.candidates))
	r, err := s.attempts.try(ctx, plan)
	if err == nil && r.NoEffect == nil && r.Dropin != "" {
		r.Confinement, err = s.trier.StandIn(ctx, plan)
		s.attempts.set(r)
	}
	if err != nil || len(r.NoEffect) == 0 {
		return err
	}
	s.noEffect = r.NoEffect
	before := r.Confinement
	r, err = s.passes(ctx, len(s.candidates))
	if err == nil && !r.OK {
		err = flaky(r.Failures)
	}
	if err == nil && r.NoEffect == nil {
		r.Holds, r.Partly = before.Holds, before.Partly
		s.attempts.set(r)
	}
	return err
}
