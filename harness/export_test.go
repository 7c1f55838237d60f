package harness

import (
	"context"
	"time"

	"temper/generator"
	"temper/internal/verdict"
)

// OneByOne searches as a person does by hand: it adds the directives of the plan one after the other, launches the
// service each time, and keeps those with which it works. It finds no exceptions, no weaker values and no better
// alternatives.
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
	return verdict.Verdict{Trials: r.series.launches, Seconds: time.Since(begin).Seconds()}, nil
}
