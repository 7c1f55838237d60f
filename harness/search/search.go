// Package search finds out how little of a plan must be removed for a service to work.
//
// [Run] knows the service only through a [Trier]. It launches the service under the whole plan. While that fails, it
// steps down the directives that the evidence names; see temper/harness/blame. If the evidence names none, or none that
// helps, it sorts the directives by value, the most valuable first, and finds by bisection the shortest prefix that
// fails. The last directive of that prefix is a culprit, and the least valuable one where there are alternatives. A
// culprit gets exact exceptions, also by bisection, or else the strongest value that works, or else is turned off. At
// the end, the search tries to put back every step down: the steps that it cannot put back are the demotions.
//
// The search assumes that more hardening never repairs a service: what breaks under a plan breaks under a stronger one.
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
	"temper/internal/refusal"
	"temper/internal/verdict"
	"temper/needs"
)

// A Trier launches a service.
type Trier interface {
	// Try launches the service once under a plan, and compares it with the Baselines. It returns an error only if the
	// launch says nothing about the service.
	Try(ctx context.Context, plan generator.Plan, time Patience) (trial.Result, error)
	// Baselines are the launches without hardening that have passed so far.
	Baselines() []trial.Result
	// Earlier are the demotions of an earlier proof that this one cannot judge. It is asked after the baseline.
	Earlier() []verdict.Demotion
	// StandIn launches a program that only waits, instead of a service whose own process has ended already, and returns
	// its confinement.
	StandIn(ctx context.Context, plan generator.Plan) (confine.Confinement, error)
}

// Patience says how long a launch waits for what takes time.
type Patience int

// A launch whose failure would be blamed on a directive has longer limits: a busy machine is no reason for a demotion.
const (
	Usual Patience = iota
	Longer
)

// An Outcome is what a service survives.
type Outcome struct {
	Plan      generator.Plan
	Demotions []verdict.Demotion
	Result    trial.Result      // of the launch under Plan, which passed
	Applied   []blame.Applied   // the directives of Plan, in the form that package blame takes
	LeftOut   map[string]string // directives that are left out for what was seen of them, and what that is
}

// ErrFlaky says that two launches under one drop-in disagreed.
var ErrFlaky = errors.New("trials of the same drop-in disagree")

// ErrBroken says that the service fails without hardening.
var ErrBroken = errors.New("it fails without any hardening")

// Run searches for the strongest part of a plan that a service survives. The error wraps [ErrBroken] or [ErrFlaky], or
// comes from the Trier. What is in used was seen on this machine and a person has accepted it: nothing that is found
// refuses it.
func Run(
	ctx context.Context, in generator.Input, files blame.Files, used []needs.Need, trier Trier,
) (Outcome, error) {
	return newSearch(in, files, used, trier).run(ctx)
}

// A search is one call of [Run].
type search struct {
	input      generator.Input
	service    blame.Service
	trier      Trier
	attempts   *attempts
	candidates []*candidate      // the most valuable first
	batches    []batch           // steps that were taken together
	last       blamed            // the last culprit that no evidence named
	leftOut    map[string]string // see [Outcome]
	used       []needs.Need      // see [Run]
}

// blamed is a candidate, and the failure for which it was stepped down.
type blamed struct {
	candidate *candidate
	failure   verdict.Evidence
}

func newSearch(in generator.Input, files blame.Files, used []needs.Need, trier Trier) *search {
	service := blame.NewService(in, files)
	s := &search{
		input: in, service: service, trier: trier, attempts: newAttempts(in, service, trier),
		candidates: candidates(in), leftOut: map[string]string{}, used: used,
	}
	saved := savings(in)
	slices.SortStableFunc(s.candidates, func(a, b *candidate) int {
		return cmp.Compare(saved[b.directive], saved[a.directive])
	})
	return s
}

func (s *search) run(ctx context.Context) (Outcome, error) {
	for _, phase := range []func(context.Context) error{
		s.attempts.baseline, s.keepEarlier, s.leaveOutUntried, s.allowUsed, s.descend, s.putBackAll, s.doubtAll,
		s.leaveOutUnwanted,
	} {
		if err := phase(ctx); err != nil {
			return Outcome{}, err
		}
	}
	plan := s.plan(len(s.candidates))
	result, err := s.attempts.try(ctx, plan)
	return Outcome{
		Plan: plan, Demotions: s.demotions(), Result: result, Applied: applied(s.candidates),
		LeftOut: s.leftOut,
	}, err
}

// plan is the plan of the first n candidates at their current values, and of all lists of exceptions.
func (s *search) plan(n int) generator.Plan {
	in := s.input
	in.Demotions = s.demotions()
	return planWithout(in, s.leftOut, func(d *directive.Directive) bool {
		return !d.Restricts() ||
			slices.ContainsFunc(s.candidates[:n], func(c *candidate) bool { return c.directive == d })
	})
}

// planWithout is the plan of an input without the directives that are left out, and without those that keep rejects.
func planWithout(in generator.Input, leftOut map[string]string, keep func(*directive.Directive) bool) generator.Plan {
	plan := generator.NewPlan(in)
	plan.Items = slices.DeleteFunc(plan.Items, func(i generator.Item) bool {
		return !keep(i.Directive) || leftOut[i.Directive.Name] != ""
	})
	for _, name := range slices.Sorted(maps.Keys(leftOut)) {
		left := verdict.LeftOut{Directive: name, Reason: leftOut[name]}
		plan.LeftOut = append(plan.LeftOut, left)
	}
	return plan
}

// passes tries the plan of the first n candidates, unless it was tried before.
func (s *search) passes(ctx context.Context, n int) (trial.Result, error) {
	return s.attempts.try(ctx, s.plan(n))
}

// keepEarlier begins with the demotions of an earlier proof that this one cannot judge, as far as the profile asks for
// the same as then.
func (s *search) keepEarlier(context.Context) error {
	for _, d := range s.trier.Earlier() {
		of, known := directive.Lookup(d.Directive)
		if !known {
			continue
		}
		if c := s.candidate(of); c.from() == d.From {
			c.keep(d)
		}
	}
	return nil
}

// leaveOutUntried turns off the directives that would refuse the service what the place withholds from it anyway: their
// effect on the machine cannot be tried here. Where exact exceptions are possible, it makes exceptions instead.
func (s *search) leaveOutUntried(context.Context) error {
	for _, b := range s.trier.Baselines() {
		for _, p := range s.service.Untestable(b.Withheld, applied(s.candidates)) {
			c := s.candidate(p.Directive)
			if len(p.Names) == 0 {
				c.untried = true
			}
			for _, n := range p.Names {
				if !slices.Contains(c.keptExceptions, n) {
					c.keptExceptions = append(c.keptExceptions, n)
				}
			}
			c.addEvidence(p.Evidence)
		}
	}
	return nil
}

// allowUsed makes sure that no directive refuses what was used on this machine: by exact exceptions where there are
// some, else by the strongest value that does not refuse it. No trial takes that back.
func (s *search) allowUsed(context.Context) error {
	for _, n := range s.used {
		for _, p := range s.service.Needed(n, applied(s.candidates)) {
			s.candidate(p.Directive).allowUsed(p)
		}
	}
	return nil
}

// Allowing returns the demotions of a plan with which it refuses nothing that was used. It launches nothing.
func Allowing(in generator.Input, files blame.Files, used []needs.Need) []verdict.Demotion {
	s := newSearch(in, files, used, nil)
	if err := s.allowUsed(context.Background()); err != nil { // it asks nobody
		return nil
	}
	return s.demotions()
}

// demotions are those of all candidates but of lists from which nothing is an exception any more.
func (s *search) demotions() []verdict.Demotion {
	return demotions(slices.DeleteFunc(slices.Clone(s.candidates), s.isIdle))
}

// isIdle reports whether a candidate is a list of paths that the search has made, and nothing refuses these paths any
// more: then the list would only give the service mounts of its own.
func (s *search) isIdle(c *candidate) bool {
	if c.want != nil || c.earlier != nil || c.directive.Lifts != refusal.PathReadOnly {
		return false
	}
	refuses := func(by *candidate) bool {
		lines := by.lines()
		return lines != nil && by.directive.Restricts() && slices.ContainsFunc(c.exceptions(), func(name string) bool {
			r := witness.Restriction{Kind: refusal.PathReadOnly, Subject: s.service.OnMachine(name)}
			return blame.Refuses(by.directive, lines, r, s.input.Version)
		})
	}
	return !slices.ContainsFunc(s.candidates, refuses)
}

// descend steps candidates down until the whole plan passes.
func (s *search) descend(ctx context.Context) error {
	low := 0 // the first low candidates are known to pass
	var before trial.Result
	for {
		r, err := s.passes(ctx, len(s.candidates))
		if err != nil || r.OK {
			return err
		}
		s.noteUseless(before, r)
		before = r
		if s.applyEvidence(r) {
			continue
		}
		if again, err := s.attempts.giveMoreTime(ctx, s.plan(len(s.candidates)), r); again || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if s.attempts.mayRepeatBaseline(r) {
			if err := s.attempts.repeatBaseline(ctx); err != nil {
				return err
			}
			continue
		}
		if helped, err := s.turnOffSameCause(ctx, r); helped || err != nil {
			return err
		}
		if low, err = s.findCulprit(ctx, r, low); err != nil {
			return err
		}
		if _, err := s.attempts.doubt(ctx, s.plan(low), r); err != nil {
			return err
		}
	}
}

// doubtAll launches what passes once more if a demotion may rest on a coincidence, and puts back again what does.
func (s *search) doubtAll(ctx context.Context) error {
	results := slices.Collect(maps.Values(s.attempts.results))
	isChance, err := s.attempts.doubt(ctx, s.plan(len(s.candidates)), results...)
	if err != nil || !isChance {
		return err
	}
	return s.putBackAll(ctx)
}

// applyEvidence takes the steps down that the evidence of a failed launch names. It reports whether there are any.
func (s *search) applyEvidence(r trial.Result) bool {
	var taken []step
	weakened := map[*candidate]bool{} // each candidate goes down by one value, however many refusals name it
	named := map[*candidate]bool{}
	var calls []call
	for _, p := range s.service.Causes(s.evidenceOf(r), applied(s.candidates)) {
		c := s.candidate(p.Directive)
		if c.isOff() || weakened[c] {
			continue
		}
		steps := c.lift(p)
		if len(steps) == 0 {
			continue
		}
		taken = append(taken, steps...)
		weakened[c] = len(p.Names) == 0
		if p.Together {
			calls = withNeeds(calls, p.Evidence, steps)
		}
		c.addEvidence(p.Evidence)
		named[c] = true
	}
	for c := range named {
		c.named++
	}
	if len(taken) > 0 {
		s.batches = append(s.batches, batch{steps: taken, matters: true, calls: calls})
	}
	return len(taken) > 0
}

// noteUseless notes that the last batch has not helped: the service still differs from the launches without hardening,
// and in nothing else than before.
func (s *search) noteUseless(before, after trial.Result) {
	last := len(s.batches) - 1
	if last >= 0 && before.OnlyDiffers() && after.OnlyDiffers() && before.Failures[0] == after.Failures[0] {
		s.batches[last].useless = true
	}
}

// withNeeds adds steps to those that a call needs.
func withNeeds(calls []call, why verdict.Evidence, steps []step) []call {
	i := slices.IndexFunc(calls, func(c call) bool { return c.evidence == why })
	if i < 0 {
		return append(calls, call{why, steps})
	}
	calls[i].steps = append(calls[i].steps, steps...)
	return calls
}

// evidenceOf returns the evidence of a launch in the form that package blame takes.
func (s *search) evidenceOf(r trial.Result) blame.Seen {
	seen := blame.Seen{
		Refused: s.service.NewRefusals(r.Refused, refusals(s.trier.Baselines())...),
		Exit:    trial.ExitName(r.Status),
		Log:     r.Log,

		Differences: r.Differences,
	}
	if len(r.Failures) > 0 {
		seen.Failure = r.Failures[0]
	}
	return seen
}

// refusals returns what the kernel refused in launches.
func refusals(results []trial.Result) []witness.Record {
	var records []witness.Record
	for _, r := range results {
		records = append(records, r.Refused)
	}
	return records
}

// candidate returns the candidate of a directive. It adds a candidate for a list of exceptions that the profile lacks.
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
