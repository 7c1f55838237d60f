package harness

import (
	"context"
	"time"

	"temper/generator"
	"temper/harness/place"
	"temper/internal/verdict"
)

// OneByOne searches as one does by hand: the directives of the plan are added one after the other, each with a launch, and
// those are kept with which the service works. It finds no exceptions, no weaker values and no better alternatives.
func OneByOne(ctx context.Context, o Options) (verdict.Verdict, error) {
	begin := time.Now()
	r, err := newRun(ctx, o)
	if err != nil {
		return verdict.Verdict{}, err
	}
	defer r.close()
	full := generator.NewPlan(r.input)
	kept := generator.Plan{Unit: full.Unit, Profile: full.Profile}
	if _, err := r.trials.run(ctx, kept); err != nil {
		return verdict.Verdict{}, err
	}
	for i := range full.Items {
		more := kept
		more.Items = append(more.Items[:len(more.Items):len(more.Items)], full.Items[i])
		t, err := r.trials.run(ctx, more)
		if err != nil {
			return verdict.Verdict{}, err
		}
		if t.OK {
			kept = more
		}
	}
	return verdict.Verdict{Trials: r.trials.count, Seconds: time.Since(begin).Seconds()}, nil
}

// Journal reads the messages that a unit logged.
func Journal(ctx context.Context, where *place.Place, unit string, since time.Time) ([]string, error) {
	entries, err := journal(ctx, where, unit, since)
	var texts []string
	for _, e := range entries {
		texts = append(texts, e.text)
	}
	return texts, err
}
