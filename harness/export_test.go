package harness

import (
	"context"
	"time"

	"temper/generator"
	"temper/internal/verdict"
)

// OneByOne searches as one does by hand: the directives of the plan are added one after the other, each with a launch,
// and those are kept with which the service works. It finds no exceptions, no weaker values and no better alternatives.
func OneByOne(ctx context.Context, o Options) (verdict.Verdict, error) {
	begin := time.Now()
	r, err := newRun(ctx, o)
	if err != nil {
		return verdict.Verdict{}, err
	}
	defer r.series.close(ctx)
	full := generator.NewPlan(r.input)
	kept := generator.Plan{Unit: full.Unit, Profile: full.Profile}
	if _, err := r.series.launch(ctx, kept); err != nil {
		return verdict.Verdict{}, err
	}
	for i := range full.Items {
		more := kept
		more.Items = append(more.Items[:len(more.Items):len(more.Items)], full.Items[i])
		t, err := r.series.launch(ctx, more)
		if err != nil {
			return verdict.Verdict{}, err
		}
		if t.OK {
			kept = more
		}
	}
	return verdict.Verdict{Trials: r.series.count, Seconds: time.Since(begin).Seconds()}, nil
}
