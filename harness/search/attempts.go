package search

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/observe"
	"temper/harness/trial"
	"temper/internal/verdict"
)

// attempts makes the launches of a search and keeps their results. It tries each drop-in once, and a second time before
// its failure becomes the reason of a demotion.
type attempts struct {
	trier     Trier
	service   blame.Service
	compare   bool                    // launches are compared with those without hardening
	results   map[string]trial.Result // by drop-in
	confirmed map[string]bool         // drop-ins that confirm has launched, or that have failed twice
	doubted   map[string]bool         // drop-ins that doubt has launched
	patience  Patience                // of the next launches
	seen      []observe.Difference    // differences that a launch was made again for, and that it showed again
	wavering  []observe.Difference    // those about which two launches of the same drop-in disagree
}

func newAttempts(in generator.Input, service blame.Service, trier Trier) *attempts {
	return &attempts{
		trier: trier, service: service, compare: in.Profile.Prove.LikeBaseline,
		results: map[string]trial.Result{}, confirmed: map[string]bool{}, doubted: map[string]bool{},
	}
}

// repeated is the number of additional launches of the baseline.
func (a *attempts) repeated() int { return len(a.trier.Baselines()) - 1 }

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
	if err != nil {
		return r, err
	}
	a.set(a.judge(r))
	return a.confirmDifferences(ctx, plan)
}

// confirmDifferences makes sure that what differs is no coincidence, where no refusal of the kernel explains it: no
// second launch without hardening shows it either, and a second launch under the same plan shows it again, unless
// another launch has.
func (a *attempts) confirmDifferences(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	text := plan.Text()
	if a.mayWaver(a.results[text]) && a.repeated() == 0 {
		if err := a.repeatBaseline(ctx); err != nil {
			return a.results[text], err
		}
	}
	first := a.results[text]
	if !a.mayWaver(first) || a.areSeen(first) {
		return first, nil
	}
	second, err := a.trier.Try(ctx, plan, a.patience)
	if err != nil {
		return second, err
	}
	second = a.judge(second)
	a.noteWavering(first, second)
	a.set(a.judge(second))
	a.seen = slices.Concat(a.seen, a.results[text].Decisive())
	a.confirmed[text] = !a.results[text].OK
	return a.results[text], nil
}

// mayWaver reports whether a launch failed only since it differs from the baselines, in what may be a coincidence: it
// often wavers, and no refusal of the kernel explains it.
func (a *attempts) mayWaver(r trial.Result) bool {
	if !r.MayWaver() {
		return false
	}
	refused := a.service.NewRefusals(r.Refused, refusals(a.trier.Baselines())...)
	explained := func(d observe.Difference) bool { return blame.Explains(refused, d) }
	return !slices.ContainsFunc(r.Decisive(), explained)
}

// areSeen reports whether launches have shown the differences of another one twice.
func (a *attempts) areSeen(r trial.Result) bool {
	isNew := func(d observe.Difference) bool { return !slices.ContainsFunc(a.seen, d.Repeats) }
	return !slices.ContainsFunc(r.Decisive(), isNew)
}

// noteWavering notes the differences about which two launches of the same drop-in disagree, if both passed apart from
// differences, and judges all results again.
func (a *attempts) noteWavering(first, second trial.Result) {
	compared := func(r trial.Result) bool { return r.OK || r.OnlyDiffers() }
	if !compared(first) || !compared(second) {
		return
	}
	for _, pair := range [][2]trial.Result{{first, second}, {second, first}} {
		for _, d := range pair[0].Decisive() {
			if d.MayWaver() && !slices.ContainsFunc(pair[1].Decisive(), d.Repeats) {
				a.wavering = append(a.wavering, d)
			}
		}
	}
	a.judgeAll()
}

// doubt launches a plan that has passed once more, where others failed only in what may be a coincidence: what the
// plan that passed then shows as well, no directive that it lacks is to blame for. It reports whether there is
// something. The error wraps [ErrFlaky] if the launch fails otherwise.
func (a *attempts) doubt(ctx context.Context, passed generator.Plan, failed ...trial.Result) (bool, error) {
	first := a.results[passed.Text()]
	isKnown := !first.OK || a.doubted[first.Dropin] || first.Dropin == ""
	if isKnown || !slices.ContainsFunc(failed, a.mayWaver) {
		return false, nil
	}
	a.doubted[first.Dropin] = true
	second, err := a.trier.Try(ctx, passed, a.patience)
	if err != nil {
		return false, err
	}
	if second = a.judge(second); !second.OK && !second.OnlyDiffers() && !second.OutOfTime {
		return false, flaky(second.Failures)
	}
	known := len(a.wavering)
	a.noteWavering(first, second)
	return len(a.wavering) > known, nil
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
	if err != nil {
		return r, err
	}
	if tried {
		r, before = a.judgeTogether(r, before)
	}
	for err == nil && (a.mayRepeatBaseline(r) || a.mayRepeatBaseline(before)) && a.isUnclear(r, before, tried) {
		err = a.repeatBaseline(ctx)
		r, before = a.results[text], a.judge(before)
	}
	if err == nil && tried && before.OK != r.OK && !before.OutOfTime {
		err = flaky(slices.Concat(before.Failures, r.Failures))
	}
	return r, err
}

// isUnclear reports whether a launch, and the one before it if there was one, do not say yet whether the plan passes.
func (a *attempts) isUnclear(r, before trial.Result, tried bool) bool {
	if tried {
		return before.OK != r.OK
	}
	return a.repeated() == 0
}

// judgeTogether judges two launches under one plan, the later one first: what they disagree about may waver.
func (a *attempts) judgeTogether(r, before trial.Result) (trial.Result, trial.Result) {
	a.noteWavering(a.judge(before), r)
	a.set(a.judge(r))
	return a.results[r.Dropin], a.judge(before)
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
		(a.repeated() == 0 || a.repeated() < 2 && r.MayWaver() || a.repeated() < 3 && r.OnlyLogsDiffer())
}

// repeatBaseline launches the service without hardening once more, and compares all results again: no directive is to
// blame for what differs between two such launches. The search calls it only when no evidence names a culprit, since
// stepping a culprit down and putting it back also shows whether a difference matters.
func (a *attempts) repeatBaseline(ctx context.Context) error {
	r, err := a.trier.Try(ctx, generator.Plan{}, a.patience)
	if err == nil && !r.OK {
		err = fmt.Errorf("baseline: %w", flaky(r.Failures))
	}
	if err != nil {
		return err
	}
	a.judgeAll()
	return nil
}

func (a *attempts) judgeAll() {
	for text, r := range a.results {
		a.results[text] = a.judge(r)
	}
}

// judge compares a result with all launches without hardening that have passed so far.
func (a *attempts) judge(r trial.Result) trial.Result {
	if !a.compare {
		return r
	}
	return r.Compare(observed(a.trier.Baselines()), a.wavering...)
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
