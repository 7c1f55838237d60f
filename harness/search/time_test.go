package search

import (
	"context"
	"testing"

	"temper/generator"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/verdict"
)

// A slow service passes every plan, but runs out of time with the usual limits where a condition holds.
type slow struct {
	fake
	isSlow func(launch int, plan generator.Plan) bool
}

func (s *slow) Try(ctx context.Context, plan generator.Plan, time Patience) (trial.Result, error) {
	r, err := s.fake.Try(ctx, plan, time)
	if time == Usual && s.isSlow(s.launches, plan) {
		r.OK, r.OutOfTime = false, true
		r.Failures = []verdict.Evidence{{Kind: "check", Text: "no answer (gave up after 5s)"}}
	}
	return r, err
}

// TestRunSlowMachine: no directive is demoted since a launch ran out of time, whatever else the kernel refused to it,
// and a baseline that needs more time gets it.
func TestRunSlowMachine(t *testing.T) {
	harmless := func(r *trial.Result, p generator.Plan) {
		if has(p, "LockPersonality") {
			r.Refused.Denials = []witness.Denial{{Process: "x", Syscall: "personality", Errno: "EPERM", Filtered: true}}
		}
	}
	hardened := func(_ int, p generator.Plan) bool { return p.Text() != "" }
	for _, tt := range []struct {
		name   string
		isSlow func(launch int, plan generator.Plan) bool
		show   func(*trial.Result, generator.Plan)
		most   int
	}{
		{"each hardened launch", hardened, nil, 3},
		{"the first hardened launch", func(n int, _ generator.Plan) bool { return n == 2 }, nil, 3},
		{"the first one, with a harmless refusal", func(n int, _ generator.Plan) bool { return n == 2 }, harmless, 4},
		{"each one, with a harmless refusal", hardened, harmless, 5},
		{"every launch", func(int, generator.Plan) bool { return true }, nil, 3},
	} {
		f := &slow{fake: fake{breaks: func(generator.Plan) bool { return false }, show: tt.show}, isSlow: tt.isSlow}
		found, err := Run(t.Context(), input(hardest), f, nil, f)
		if err != nil || len(found.Demotions) > 0 || f.launches > tt.most {
			t.Errorf("%s: %d launches, demoted %v, %v", tt.name, f.launches, brief(found.Demotions), err)
		}
	}
}

// TestRunHangs: a service that runs out of time under a directive however long the launch waits loses the directive.
func TestRunHangs(t *testing.T) {
	f := &fake{breaks: func(p generator.Plan) bool { return has(p, "LockPersonality") }}
	f.show = func(r *trial.Result, p generator.Plan) {
		if r.OutOfTime = !r.OK; r.OutOfTime {
			r.Refused.Denials = []witness.Denial{{Process: "x", Syscall: "personality", Errno: "EPERM", Filtered: true}}
		}
	}
	found, err := f.run()
	if err != nil || len(found.Demotions) != 1 || found.Demotions[0].Directive != "LockPersonality" || f.launches > 4 {
		t.Errorf("%d launches, demoted %v, %v", f.launches, brief(found.Demotions), err)
	}
}
