package search

import (
	"context"
	"fmt"
	"slices"

	"temper/generator"
	"temper/harness/observe"
	"temper/harness/trial"
	"temper/internal/verdict"
)

// attempts are the launches of a search: each drop-in is tried once, and a second time before a demotion rests on its
// failure.
type attempts struct {
	trier     Trier
	compare   bool                    // launches are compared with those without hardening
	results   map[string]trial.Result // by drop-in
	confirmed map[string]bool         // drop-ins whose failure was seen again, or first, by confirm
	repeated  int                     // how often the baseline was launched again
}

func newAttempts(in generator.Input, trier Trier) *attempts {
	return &attempts{
		trier: trier, compare: in.Profile.Prove.LikeBaseline, results: map[string]trial.Result{},
		confirmed: map[string]bool{},
	}
}

// set replaces what is known of a drop-in.
func (a *attempts) set(r trial.Result) { a.results[r.Dropin] = r }

// baseline launches the service as its vendor wrote it; a failure is repeated, to tell broken from flaky.
func (a *attempts) baseline(ctx context.Context) error {
	r, err := a.trier.Try(ctx, generator.Plan{})
	if err != nil || r.OK {
		a.set(r)
		return err
	}
	again, err := a.trier.Try(ctx, generator.Plan{})
	switch {
	case err != nil:
		return err
	case again.OK:
		return fmt.Errorf("baseline: %w", flaky(r.Failures))
	}
	return fmt.Errorf("%w: %s", ErrBroken, summary(r.Failures))
}

// try launches the service under a plan, unless its drop-in was tried before.
func (a *attempts) try(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	if r, ok := a.results[plan.Text()]; ok {
		return r, nil
	}
	r, err := a.trier.Try(ctx, plan)
	if err == nil {
		a.set(r)
	}
	return r, err
}

// confirm is try for a plan that a demotion rests on if it fails: a failure by chance is not seen twice. Two launches
// that disagree are flaky, unless a launch without hardening tells that they do not differ. A launch that only differs
// from those without hardening is believed where it repeats an earlier one, else once there are two without hardening.
func (a *attempts) confirm(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	text := plan.Text()
	before, tried := a.results[text]
	if a.confirmed[text] || tried && before.OK {
		return before, nil
	}
	a.confirmed[text] = true
	delete(a.results, text)
	r, err := a.try(ctx, plan)
	for err == nil && (a.mayRepeatBaseline(r) || a.mayRepeatBaseline(before)) &&
		(tried && before.OK != r.OK || !tried && a.repeated == 0) {
		err = a.repeatBaseline(ctx)
		r, before = a.results[text], a.judge(before)
	}
	if err == nil && tried && before.OK != r.OK {
		err = flaky(slices.Concat(before.Failures, r.Failures))
	}
	return r, err
}

// mayRepeatBaseline reports whether another launch without hardening may show that a failed launch differs in nothing:
// one may, and two more where it differs in errors of its log, of which the journal loses some whose process has ended
// at once.
func (a *attempts) mayRepeatBaseline(r trial.Result) bool {
	return r.OnlyDiffers() && (a.repeated == 0 || a.repeated < 3 && r.OnlyLogsDiffer())
}

// repeatBaseline launches the service without hardening once more, and judges again what was tried: what differs
// between two such launches is held against no directive. It is put off while evidence names a culprit, whose step down
// and return show as much.
func (a *attempts) repeatBaseline(ctx context.Context) error {
	a.repeated++
	r, err := a.trier.Try(ctx, generator.Plan{})
	if err == nil && !r.OK {
		err = fmt.Errorf("baseline: %w", flaky(r.Failures))
	}
	if err != nil {
		return err
	}
	for text, r := range a.results {
		a.results[text] = a.judge(r)
	}
	return nil
}

// judge compares a result with all launches without hardening so far.
func (a *attempts) judge(r trial.Result) trial.Result {
	if !a.compare {
		return r
	}
	return r.Compare(observed(a.trier.Baselines()))
}

// observed is what launches looked like.
func observed(results []trial.Result) observe.Baselines {
	var list observe.Baselines
	for _, r := range results {
		list = append(list, r.Seen)
	}
	return list
}

func flaky(failures []verdict.Evidence) error {
	return fmt.Errorf("%w: %s", ErrFlaky, summary(failures))
}

func summary(failures []verdict.Evidence) string {
	if len(failures) == 0 {
		return "no failure was seen"
	}
	return failures[0].Text
}
