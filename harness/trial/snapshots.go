package trial

import (
	"context"
	"slices"
	"time"

	"temper/harness/filechanges"
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
		pids := Processes(l.Place, s)
		units = append(units, observe.Unit{State: s.Active + " (" + s.Sub + ")", PIDs: pids})
		for _, pid := range pids {
			if user, ok := proc.Machine.Process(pid).User(); ok {
				l.users[user] = true
			}
		}
	}
	s := observe.Observer{Proc: proc.Machine, Place: l.Place}.Take(units...)
	mounts, err := l.Place.Mounts()
	s.AddMounts(l.mounts, mounts)
	return s, err
}

// waitUntilIdle waits until the service is idle before the first check, and records its processes: the service may
// start more of them for the checks, and their number varies. A hardened trial waits as long as those without hardening
// did, so that its checks find it in the same state.
func (l *launch) waitUntilIdle(ctx context.Context) error {
	if !l.Profile.Prove.LikeBaseline || len(l.Profile.Checks) == 0 {
		return nil
	}
	if l.result.Dropin != "" {
		return wait(ctx, l.Baselines.IdleTime())
	}
	begin := time.Now()
	o, err := l.observe(ctx)
	if err == nil {
		o, err = l.steady(ctx, o)
	}
	l.result.Seen.IdleAges, l.result.Seen.IdleTime = o.Ages, time.Since(begin)
	return err
}

// recordSnapshot records what the service looks like in a phase. A launch has some time to show what all launches
// without hardening so far showed, and a hardened one is watched at least as long as they were. The limit is twice
// observe.Patience, or five times if the service is busy: on a busy machine it may get no processor for a while.
func (l *launch) recordSnapshot(ctx context.Context, phase string) error {
	begin := time.Now()
	o, err := l.observe(ctx)
	if err == nil && l.result.Dropin == "" {
		o, err = l.steady(ctx, o)
	}
	for err == nil {
		took, least, misses := o.At.Sub(begin), l.Baselines.Watched(phase), l.isMissing(phase, o)
		l.result.Seen.Phases[phase], l.result.Seen.Watched[phase] = o, took
		most := observe.Patience
		switch {
		case misses && o.Busy:
			most = 5 * observe.Patience
		case misses:
			most = 2 * observe.Patience
		}
		// A service that lacks nothing but is busy may be about to fail.
		if took >= least && (!o.Busy && !misses || took > most) {
			return l.recordFiles(ctx, phase)
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

// steady takes snapshots of a service until it is idle, and returns what the last two have in common: workers that come
// and go do not count.
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

// isMissing reports whether the service lacks something that it has without hardening.
func (l *launch) isMissing(phase string, o observe.Snapshot) bool {
	return l.Profile.Prove.LikeBaseline && len(l.Baselines.Missing(phase, o)) > 0
}

// recordFiles records what the launch has made, changed and removed so far. A hardened launch has some time to make
// what all launches without hardening made.
func (l *launch) recordFiles(ctx context.Context, phase string) error {
	if !l.Profile.Prove.LikeBaseline {
		return nil
	}
	theirs := filechanges.OtherUsers(l.Place, l.users)
	for begin := time.Now(); ; {
		l.result.Seen.Files[phase] = l.files.Changes(l.Baselines.Paths(phase), theirs)
		if !l.lacksFiles(phase) || time.Since(begin) > 2*observe.Patience {
			return nil
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// lacksFiles reports whether the service may still be about to make a file in a phase.
func (l *launch) lacksFiles(phase string) bool {
	isMissing := func(d observe.Difference) bool { return d.Kind == observe.FileMissing }
	return l.result.Dropin != "" && phase != "stopped" &&
		slices.ContainsFunc(l.Baselines.CompareFiles(phase, l.result.Seen.Files[phase]), isMissing)
}
