package harness

import (
	"testing"
	"time"

	"temper/generator"
	"temper/harness/search"
	"temper/harness/trial"
	"temper/profiles"
)

// TestTimeLimits: the limits of a profile are those of a launch, unless the launches without hardening needed more than
// a fourth of them.
func TestTimeLimits(t *testing.T) {
	p := &profiles.Profile{
		Prove:  profiles.Prove{Timeout: 30 * time.Second, Settle: time.Second},
		Checks: []profiles.Check{{Timeout: 5 * time.Second, Retry: 2 * time.Second}, {}},
	}
	for _, tt := range []struct {
		shares   []float64
		patience search.Patience
		timeout  time.Duration
	}{
		{nil, search.Usual, 30 * time.Second},
		{[]float64{0.2}, search.Usual, 30 * time.Second},
		{[]float64{0.2, 0.5}, search.Usual, time.Minute},
		{[]float64{0.1}, search.Longer, time.Minute},
		{[]float64{0.5}, search.Longer, 2 * time.Minute},
	} {
		var baselines []trial.Result
		for _, s := range tt.shares {
			baselines = append(baselines, trial.Result{Share: s})
		}
		factor := timeFactor(baselines, tt.patience)
		got := withLimits(p, factor)
		if got.Prove.Timeout != tt.timeout || got.Prove.Settle != time.Second {
			t.Errorf("%v, %d: limit %s, settle %s; want %s, 1s", tt.shares, tt.patience, got.Prove.Timeout,
				got.Prove.Settle, tt.timeout)
		}
		longer := func(d time.Duration) time.Duration { return time.Duration(factor * float64(d)) }
		first, second := got.Checks[0], got.Checks[1]
		if first.Timeout != longer(5*time.Second) || first.Retry != longer(2*time.Second) ||
			second.Timeout != longer(profiles.DefaultCheckTimeout) || second.Retry != 0 {
			t.Errorf("%v, %d: checks %+v", tt.shares, tt.patience, got.Checks)
		}
	}
	if p.Prove.Timeout != 30*time.Second || p.Checks[0].Timeout != 5*time.Second {
		t.Error("the profile itself has changed")
	}
}

// TestJobLimit: how long a hardened start may take follows from how long one takes without hardening.
func TestJobLimit(t *testing.T) {
	hardened := generator.Plan{Items: make([]generator.Item, 1)}
	baselines := []trial.Result{{Slowest: time.Second}, {Slowest: 200 * time.Millisecond}}
	for _, tt := range []struct {
		plan      generator.Plan
		baselines []trial.Result
		patience  search.Patience
		want      time.Duration
	}{
		{generator.Plan{}, baselines, search.Usual, 0},
		{hardened, nil, search.Usual, 0},
		{hardened, baselines[1:], search.Usual, leastJob},
		{hardened, baselines, search.Usual, 20 * time.Second},
		{hardened, baselines, search.Longer, 40 * time.Second},
	} {
		if got := jobLimit(tt.plan, tt.baselines, tt.patience); got != tt.want {
			t.Errorf("%+v, %d: got %s, want %s", tt.baselines, tt.patience, got, tt.want)
		}
	}
}
