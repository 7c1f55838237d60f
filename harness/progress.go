package harness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"temper/generator"
	"temper/harness/confine"
	"temper/harness/search"
	"temper/harness/trial"
	"temper/internal/verdict"
)

// reportedNoWitness makes sure that the reason for a missing witness is reported once: it is the same for all units.
var reportedNoWitness sync.Once

// Try makes one trial for the search. If only checks fail without hardening, it launches once more, and sets aside
// those that fail alike.
func (r *run) Try(ctx context.Context, plan generator.Plan, time search.Patience) (trial.Result, error) {
	r.series.patience = time
	first, err := r.launch(ctx, plan)
	if err != nil || !r.series.mayFailAlike(first) {
		return first, err
	}
	if first.OutOfTime {
		r.series.patience = search.Longer
	}
	second, err := r.launch(ctx, plan)
	if err != nil || !second.OK && !r.series.mayFailAlike(second) {
		return second, err
	}
	second, err = r.series.setAsideChecks(first, second)
	if err == nil && r.Progress != nil {
		var names []string
		for _, c := range r.series.setAside {
			names = append(names, c.Check)
		}
		r.Progress("set aside, since they fail without hardening too: " + strings.Join(slices.Compact(names), ", "))
	}
	return second, err
}

// launch launches the service once, and reports the progress.
func (r *run) launch(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	t, err := r.series.launch(ctx, plan)
	if err != nil {
		return t, err
	}
	if r.Progress != nil {
		if r.series.noWitness != nil && !r.WithoutWitness {
			reportedNoWitness.Do(func() {
				r.Progress(fmt.Sprintf("without the kernel witness, more trials are needed: %v", r.series.noWitness))
			})
		}
		r.Progress(describe(r.series.launches, t))
		if len(t.Made) > 0 {
			r.Progress("its first start makes " + abbreviate(t.Made) + ": each further trial gets a new place")
		}
	}
	if r.Trial != nil {
		r.Trial(t.Record(r.series.launches, r.series.refusedToBaselines()...))
	}
	return t, nil
}

// Earlier returns the demotions of an earlier proof that this one cannot judge: the checks that were their reason show
// nothing in it.
func (r *run) Earlier() []verdict.Demotion { return owedTo(r.EarlierDemotions, r.series.notJudged()) }

// Baselines returns the launches without hardening that have passed so far.
func (r *run) Baselines() []trial.Result { return r.series.baselines }

// StandIn launches a program that only waits, instead of the service, and returns its confinement.
func (r *run) StandIn(ctx context.Context, plan generator.Plan) (confine.Confinement, error) {
	return r.series.standIn(ctx, plan)
}

func describe(n int, t trial.Result) string {
	what, end := "hardened", "ok"
	if t.Dropin == "" {
		what = "baseline"
	}
	if len(t.Failures) > 0 {
		end = t.Failures[0].Text
	}
	return fmt.Sprintf("trial %d, %s, %.1fs: %s", n, what, t.Took.Seconds(), end)
}

// abbreviate returns the first element of a list, and the number of the others.
func abbreviate(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
}
