package harness

import (
	"context"
	"slices"
	"time"

	"temper/internal/unit"
)

// again is the phase after a job on the running service. A service for each connection has none, nor has one that has done
// its work and is gone anything to reload.
func (l *launch) again(phase, method string) func(context.Context) error {
	return func(ctx context.Context) error {
		states, err := l.states(ctx)
		if err != nil || unit.IsTemplate(l.name) || method == "ReloadUnit" && states[0].Active == "inactive" {
			return err
		}
		if method == "ReloadUnit" && !states[0].CanReload {
			return l.fail("start", "%s: the profile wants a reload, and the unit has no ExecReload=", phase)
		}
		l.note(states)
		job, cancel := context.WithTimeout(ctx, l.profile.Prove.Timeout)
		defer cancel()
		act := l.manager.RestartUnit
		if method == "ReloadUnit" {
			act = l.manager.ReloadUnit
		}
		result, err := act(job, l.name)
		if err := l.judge(ctx, phase, result, err); err != nil {
			return err
		}
		if err := l.awaitName(ctx, job, phase); err != nil {
			return err
		}
		if err := l.check(ctx, phase); err != nil {
			return err
		}
		return l.look(ctx, phase)
	}
}

// second starts the service once more, on what its first start and its stop have made to last: it is not what they found. Where
// the profile has it restarted anyway, it has been.
func (l *launch) second(ctx context.Context) (err error) {
	if l.result.Dropin == "" {
		if l.result.Made, err = l.renewOnceMade(); err != nil {
			return err
		}
	}
	if l.renew == nil || l.profile.Prove.Restart || unit.IsTemplate(l.name) {
		return nil
	}
	states, err := l.states(ctx)
	if err != nil {
		return err
	}
	l.note(states)
	if err := l.startAgain(ctx); err != nil {
		return err
	}
	if err := l.check(ctx, "restarted"); err != nil {
		return err
	}
	if err := l.look(ctx, "restarted"); err != nil {
		return err
	}
	return l.stop(ctx)
}

// startAgain starts the sockets and the service after a stop.
func (l *launch) startAgain(ctx context.Context) error {
	job, cancel := context.WithTimeout(ctx, l.profile.Prove.Timeout)
	defer cancel()
	for _, name := range append(slices.Clone(l.sockets), l.name) {
		result, err := l.manager.StartUnit(job, name)
		if err := l.judge(ctx, "second start", result, err); err != nil {
			return err
		}
	}
	return l.awaitName(ctx, job, "second start")
}

// awaitName waits until the service has its name on the bus, where systemd does not.
func (l *launch) awaitName(ctx, job context.Context, what string) error {
	name := busName(l.unit)
	if name == "" || !l.cloning.named {
		return nil
	}
	for {
		var owned bool
		err := l.place.Bus().BusObject().CallWithContext(job, "org.freedesktop.DBus.NameHasOwner", 0, name).Store(&owned)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case job.Err() != nil:
			return l.fail("timeout", "%s took longer than %s: the bus has no %s", what, l.profile.Prove.Timeout, name)
		case err != nil || owned:
			return err
		}
		if err := l.alive(ctx, what); err != nil {
			return err
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}
