package harness

import (
	"context"
	"fmt"
	"sync"

	"temper/generator"
	"temper/harness/confine"
	"temper/harness/trial"
)

// saidBlind is done once it was said why there is no witness: the kernel is the same for all units.
var saidBlind sync.Once

// Try is one trial of the search, with its progress.
func (r *run) Try(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	t, err := r.series.launch(ctx, plan)
	if err != nil {
		return t, err
	}
	if r.Progress != nil {
		if r.series.noWitness != nil && !r.Blind {
			saidBlind.Do(func() {
				r.Progress(fmt.Sprintf("without the kernel witness, more trials are needed: %v", r.series.noWitness))
			})
		}
		r.Progress(describe(r.series.count, t))
		if len(t.Made) > 0 {
			r.Progress("its first start makes " + some(t.Made) + ": each further trial gets a new place")
		}
	}
	if r.Trial != nil {
		r.Trial(t.Record(r.series.count))
	}
	return t, nil
}

// Baselines are the launches without hardening that passed, so far.
func (r *run) Baselines() []trial.Result { return r.series.baselines }

// StandIn tells what a program that waits is kept from in place of the service.
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

// some is the first of a list, and how many more there are.
func some(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
}
