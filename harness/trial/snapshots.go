package trial

import (
	"context"
	"time"

	"temper/harness/observe"
	"temper/harness/proc"
)

func (l *launch) observe(ctx context.Context) (observe.Snapshot, error) {
	states, err := l.polled(ctx)
	if err != nil {
		return observe.Snapshot{}, err
	}
	var units []observe.Unit
	for _, s := range states {
		units = append(units, observe.Unit{State: s.Active + " (" + s.Sub + ")", PIDs: Processes(l.Place, s)})
	}
	return observe.Observer{Proc: proc.Machine, Place: l.Place}.Take(units...), nil
}

// rest lets a service come to rest before its checks come as clients, and notes what it has by then: how many processes
// it starts for them is a matter of the moment. A hardened trial waits as long as those without hardening did, or the
// same checks would find it in another state.
func (l *launch) rest(ctx context.Context) error {
	if !l.Profile.Prove.LikeBaseline || len(l.Profile.Checks) == 0 {
		return nil
	}
	if l.result.Dropin != "" {
		return wait(ctx, l.Baselines.Rested())
	}
	begin := time.Now()
	o, err := l.observe(ctx)
	if err == nil {
		o, err = l.steady(ctx, o)
	}
	l.result.Seen.Before, l.result.Seen.Rested = o.Ages, time.Since(begin)
	return err
}

// look notes what the service looks like in a phase. A hardened trial is given some time to show what all launches
// without hardening had, and is watched no shorter than they were; one without hardening the same time to show what
// earlier ones did. That takes twice observe.Patience, and five times while what is missing may still come because the
// service has work to do and gets no processor: a busy machine is no failure.
func (l *launch) look(ctx context.Context, phase string) error {
	begin := time.Now()
	o, err := l.observe(ctx)
	if err == nil && l.result.Dropin == "" {
		o, err = l.steady(ctx, o)
	}
	for err == nil {
		took, least, misses := o.At.Sub(begin), l.Baselines.Watched(phase), l.misses(phase, o)
		l.result.Seen.Phases[phase], l.result.Seen.Watched[phase] = o, took
		most := observe.Patience
		switch {
		case misses && o.Busy:
			most = 5 * observe.Patience
		case misses:
			most = 2 * observe.Patience
		}
		// What is there and busy may be about to fail.
		if took >= least && (!o.Busy && !misses || took > most) {
			return nil
		}
		if err := l.alive(ctx, phase); err != nil {
			return err
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		o, err = l.observe(ctx)
	}
	return err
}

// steady watches a service until it has come to rest, and returns what stays: workers that come and go are no part of
// it.
func (l *launch) steady(ctx context.Context, o observe.Snapshot) (observe.Snapshot, error) {
	for until := time.Now().Add(2 * observe.Patience); ; {
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return o, err
		}
		next, err := l.observe(ctx)
		if err != nil || next.Equal(o) && !next.Busy || time.Now().After(until) {
			return next.Common(o), err
		}
		o = next
	}
}

// misses reports whether the service lacks what it has without hardening.
func (l *launch) misses(phase string, o observe.Snapshot) bool {
	return l.Profile.Prove.LikeBaseline && len(l.Baselines.Missing(phase, o)) > 0
}
