package search

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"temper/generator"
	"temper/harness/observe"
	"temper/harness/trial"
	"temper/internal/verdict"
)

// attempts makes the launches of a search and keeps their results. It tries each drop-in once, and a second time before
// its failure becomes the reason of a demotion.
type attempts struct {
	trier     Trier
	compare   bool                    // launches are compared with those without hardening
	results   map[string]trial.Result // by drop-in
	confirmed map[string]bool         // drop-ins that confirm has launched, or that have failed twice
	patience  Patience                // of the next launches
	repeated  int                     // number of additional launches of the baseline
}

func newAttempts(in generator.Input, trier Trier) *attempts {
	return &attempts{
		trier: trier, compare: in.Profile.Prove.LikeBaseline, results: map[string]trial.Result{},
		confirmed: map[string]bool{},
	}
}

// set stores the result for a drop-in.
func (a *attempts) set(r trial.Result) { a.results[r.Dropin] = r }

// baseline launches the service as its vendor wrote it. After a failure it launches once more, to tell broken from
// flaky.
func (a *attempts) baseline(ctx context.Context) error {
	r, err := a.trier.Try(ctx, generator.Plan{}, Usual)
	if err != nil || r.OK {
		a.set(r)
		return err
	}
	if r.OutOfTime {
		a.patience = Longer
	}
	again, err := a.trier.Try(ctx, generator.Plan{}, a.patience)
	switch {
	case err != nil:
		return err
	case again.OK && r.OutOfTime:
		a.set(again)
		return nil
	case again.OK:
		return fmt.Errorf("baseline: %w", flaky(r.Failures))
	}
	return fmt.Errorf("%w: %s", ErrBroken, reason(r))
}

// reason says why a service fails: in its own words as far as it has logged any.
func reason(r trial.Result) string {
	const lines = 3
	said := r.Log[max(0, len(r.Log)-lines):]
	if len(said) == 0 {
		return summary(r.Failures)
	}
	return fmt.Sprintf("%s (%s)", strings.Join(said, "; "), summary(r.Failures))
}

// try launches the service under a plan, unless its drop-in was tried before.
func (a *attempts) try(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	if r, ok := a.results[plan.Text()]; ok {
		return r, nil
	}
	r, err := a.trier.Try(ctx, plan, a.patience)
	if err == nil {
		a.set(r)
	}
	return r, err
}

// confirm tries a plan whose failure would be the reason of a demotion. A plan that has failed before is launched
// again, with longer limits of time, since a failure by chance does not repeat. Two launches that disagree are flaky,
// unless the first only ran out of time, or another launch without hardening shows that the difference means nothing.
// A launch that fails only since it differs from the baselines counts if it repeats an earlier failure, or after the
// baseline was launched a second time.
func (a *attempts) confirm(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	text := plan.Text()
	before, tried := a.results[text]
	if a.confirmed[text] || tried && before.OK {
		return before, nil
	}
	a.confirmed[text] = true
	delete(a.results, text)
	a.patience = Longer
	r, err := a.try(ctx, plan)
	for err == nil && (a.mayRepeatBaseline(r) || a.mayRepeatBaseline(before)) &&
		(tried && before.OK != r.OK || !tried && a.repeated == 0) {
		err = a.repeatBaseline(ctx)
		r, before = a.results[text], a.judge(before)
	}
	if err == nil && tried && before.OK != r.OK && !before.OutOfTime {
		err = flaky(slices.Concat(before.Failures, r.Failures))
	}
	return r, err
}

// unlessRefusedTwice is confirm for a plan whose failure repeats that of another one: it launches the plan again only
// if that failure may be one of time.
func (a *attempts) unlessRefusedTwice(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	if r, tried := a.results[plan.Text()]; tried && !r.OutOfTime {
		return r, nil
	}
	return a.confirm(ctx, plan)
}

// giveMoreTime launches a plan once more, with longer limits, if it failed only since its time was over. All later
// launches have these limits too. It reports whether there is a new result.
func (a *attempts) giveMoreTime(ctx context.Context, plan generator.Plan, failed trial.Result) (bool, error) {
	if !failed.OutOfTime || a.patience == Longer {
		return false, nil
	}
	a.patience = Longer
	delete(a.results, plan.Text())
	r, err := a.try(ctx, plan)
	a.confirmed[plan.Text()] = err == nil && !r.OK
	return true, err
}

// mayRepeatBaseline reports whether another launch without hardening could show that the failed launch is no failure.
// It allows one more such launch; two if the launch differs only in what often wavers, since two contents may be alike
// by chance; and three if it differs only in the errors of its log: the journal can lose messages of processes that end
// at once.
func (a *attempts) mayRepeatBaseline(r trial.Result) bool {
	return r.OnlyDiffers() &&
		(a.repeated == 0 || a.repeated < 2 && r.MayWaver() || a.repeated < 3 && r.OnlyLogsDiffer())
}

// repeatBaseline launches the service without hardening once more, and compares all results again: no directive is to
// blame for what differs between two such launches. The search calls it only when no evidence names a culprit, since
// stepping a culprit down and putting it back also shows whether a difference matters.
func (a *attempts) repeatBaseline(ctx context.Context) error {
	a.repeated++
	r, err := a.trier.Try(ctx, generator.Plan{}, a.patience)
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

// judge compares a result with all launches without hardening that have passed so far.
func (a *attempts) judge(r trial.Result) trial.Result {
	if !a.compare {
		return r
	}
	return r.Compare(observed(a.trier.Baselines()))
}

// observed returns what was observed in launches.
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
