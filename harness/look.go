package harness

import (
	"context"
	"time"
)

func (l *launch) observe() (observation, error) {
	states, err := l.statesBy(l.manager.polled)
	if err != nil {
		return observation{}, err
	}
	return observe(l.place, states...), nil
}

// patience is how long a service may take to come to rest, and how old a process must become at most to be one that stays. Twice as
// long it may take to look as it does without hardening, and five times as long while what is missing may still come because it has
// work to do and gets no processor: a busy machine is no failure.
const patience = time.Second

// rest lets a service come to rest before its checks come as clients, and notes what it has by then: how many processes it starts for
// them is a matter of the moment. A hardened trial waits as long as those without hardening did, or the same checks would find it in
// another state.
func (l *launch) rest(ctx context.Context) error {
	if !l.profile.Prove.LikeBaseline || len(l.profile.Checks) == 0 {
		return nil
	}
	if l.result.Dropin != "" {
		return wait(ctx, l.normal().rested())
	}
	begin := time.Now()
	o, err := l.observe()
	if err == nil {
		o, err = l.steady(ctx, o)
	}
	l.result.seen.before, l.result.seen.rested = o.ages, time.Since(begin)
	return err
}

// look notes what the service looks like in a phase. A hardened trial is given some time to show what all launches without
// hardening had, and is watched no shorter than they were; one without hardening the same time to show what earlier ones did.
func (l *launch) look(ctx context.Context, phase string) error {
	begin := time.Now()
	o, err := l.observe()
	if err == nil && l.result.Dropin == "" {
		o, err = l.steady(ctx, o)
	}
	for err == nil {
		took, least, misses := o.at.Sub(begin), l.normal().watched(phase), l.misses(phase, o)
		l.result.seen.phases[phase], l.result.seen.watched[phase] = o, took
		most := patience
		switch {
		case misses && o.busy:
			most = 5 * patience
		case misses:
			most = 2 * patience
		}
		// What is there and busy may be about to fail.
		if took >= least && (!o.busy && !misses || took > most) {
			return nil
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

// misses reports whether the service lacks what it has without hardening.
func (l *launch) misses(phase string, o observation) bool {
	return l.profile.Prove.LikeBaseline && len(l.normal().lost(phase, o)) > 0
}
