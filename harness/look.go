package harness

import (
	"context"
	"time"
)

func (l *launch) observe() (observation, error) {
	states, err := l.states()
	if err != nil {
		return observation{}, err
	}
	return observe(l.place, states...), nil
}

// patience is how long a service may take to look as it does without hardening, and as long again while it has work to do
// and gets no processor: a busy machine is no failure.
const patience = time.Second

// look notes what the service looks like in a phase. A hardened trial fails that lacks what all launches without hardening
// had; a launch without hardening is given the same time to show what earlier ones did.
func (l *launch) look(ctx context.Context, phase string) error {
	begin := time.Now()
	o, err := l.observe()
	if err == nil && l.result.Dropin == "" {
		o, err = l.steady(ctx, o)
	}
	for err == nil {
		l.result.seen.phases[phase] = o
		missing := l.misses(phase, o)
		if took := time.Since(begin); len(missing) == 0 || took > patience && !o.busy || took > 5*patience {
			return l.lacks(phase, missing)
		}
		if err := l.alive(phase); err != nil {
			return err
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		o, err = l.observe()
	}
	return err
}

// lacks fails a hardened trial for what it lacks.
func (l *launch) lacks(phase string, missing []string) error {
	if len(missing) == 0 || l.result.Dropin == "" {
		return nil
	}
	for _, text := range missing {
		l.fail(differs, "%s: %s", phase, text)
	}
	return errOver
}

// steady watches a service until it has come to rest, and returns what stays: workers that come and go are no part of it.
func (l *launch) steady(ctx context.Context, o observation) (observation, error) {
	for until := time.Now().Add(2 * patience); ; {
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return o, err
		}
		next, err := l.observe()
		if err != nil || next.equal(o) && !next.busy || time.Now().After(until) {
			return next.both(o), err
		}
		o = next
	}
}

// misses says what the service lacks that it has without hardening.
func (l *launch) misses(phase string, o observation) []string {
	if !l.profile.Prove.LikeBaseline {
		return nil
	}
	return l.normal.lost(phase, o)
}
