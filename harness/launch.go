package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"temper/generator"
	"temper/harness/check"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// launch is a trial while it runs.
type launch struct {
	*trials
	plan      generator.Plan
	name      string   // of the service, or of the template of its instances
	sockets   []string // names of the sockets that start it
	begin     time.Time
	result    *Trial
	client    net.Conn // keeps an instance of a service for each connection running
	variables []string // of the service's environment, for exec checks
}

// errOver ends a trial that has failed: later phases would say nothing new.
var errOver = errors.New("trial is over")

func (l *launch) fail(kind, format string, args ...any) error {
	l.result.Failures = append(l.result.Failures, verdict.Evidence{Kind: kind, Text: fmt.Sprintf(format, args...)})
	return errOver
}

// cgroup is the control group of the trial, or the one that its instances share, below that of the place.
func (l *launch) cgroup() string {
	if unit.Template(l.name) != "" {
		return "system.slice/system-" + unit.Escape(unit.Prefix(l.name)) + ".slice"
	}
	return "system.slice/" + l.name
}

// services lists the names of the service, or of its instances that are loaded.
func (l *launch) services(ctx context.Context) ([]string, error) {
	if !unit.IsTemplate(l.name) {
		return []string{l.name}, nil
	}
	return l.manager.matching(ctx, l.pattern())
}

// pattern matches the names of the services of the trial.
func (l *launch) pattern() string { return strings.Replace(l.name, "@.", "@*.", 1) }

// states are those of the services.
func (l *launch) states(ctx context.Context) ([]state, error) {
	return l.statesBy(ctx, l.manager.state)
}

func (l *launch) statesBy(ctx context.Context, read func(ctx context.Context, name string) (state, error)) ([]state, error) {
	names, err := l.services(ctx)
	if err != nil {
		return nil, err
	}
	var states []state
	for _, name := range names {
		s, err := read(ctx, name)
		switch {
		case err == nil:
			states = append(states, s)
		case !unit.IsTemplate(l.name): // an instance that has ended well is forgotten
			return nil, err
		}
	}
	return states, nil
}

// life takes the service through its phases until one fails.
func (l *launch) life(ctx context.Context) error {
	phases := []func(context.Context) error{l.start, l.running}
	if l.profile.Prove.Reload {
		phases = append(phases, l.again("reloaded", "ReloadUnit"))
	}
	if l.profile.Prove.Restart {
		phases = append(phases, l.again("restarted", "RestartUnit"))
	}
	for _, phase := range append(phases, l.stop, l.second) {
		if err := phase(ctx); errors.Is(err, errOver) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// start starts the sockets, if any, and then the service, unless each of its instances waits for a client.
func (l *launch) start(ctx context.Context) error {
	job, cancel := context.WithTimeout(ctx, l.profile.Prove.Timeout)
	defer cancel()
	units := slices.Clone(l.sockets)
	if !unit.IsTemplate(l.name) {
		units = append(units, l.name)
	}
	result, err := l.manager.start(job, systemd.Replace, "temper's trial of "+l.unit.Name, units...)
	for _, next := range units[1:] {
		if err != nil || result != systemd.Done {
			return l.judge(ctx, "start of the socket", result, err)
		}
		result, err = l.manager.StartUnit(job, next)
	}
	if err := l.judge(ctx, "start", result, err); err != nil {
		return err
	}
	return l.awaitName(ctx, job, "start")
}

// judge turns the end of a job into a failure of the trial, or an error where the place is at fault.
func (l *launch) judge(ctx context.Context, what, result string, err error) error {
	refusal, refused := systemd.Refused(err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return l.fail("timeout", "%s took longer than %s", what, l.profile.Prove.Timeout)
	case refused:
		return l.fail("start", "%s: systemd refuses it: %s", what, refusal)
	case err != nil:
		return err
	case result == systemd.Done:
		return nil
	}
	states, err := l.states(ctx)
	if err != nil {
		return err
	}
	for _, s := range states {
		l.result.Status = s.Status
		if s.failed() {
			return l.fail("exit", "%s: job %s, %s", what, result, s.ended())
		}
	}
	return l.fail("exit", "%s: job %s", what, result)
}

// running checks the service while it runs and sees to it that it stays up.
func (l *launch) running(ctx context.Context) error {
	up := time.Now()
	if err := l.alive(ctx, "start"); err != nil {
		return err
	}
	if err := l.rest(ctx); err != nil {
		return err
	}
	if err := l.check(ctx, "running"); err != nil {
		return err
	}
	if err := l.greet(ctx); err != nil {
		return err
	}
	if l.client != nil {
		up = time.Now() // an instance for a client has only begun
	}
	if err := l.settle(ctx, up); err != nil {
		return err
	}
	if err := l.look(ctx, "running"); err != nil {
		return err
	}
	return l.confined(ctx)
}

// confined notes the directives of the trial that do not hold: what has no effect was not proven.
func (l *launch) confined(ctx context.Context) error {
	states, err := l.states(ctx)
	if err != nil || l.result.Dropin == "" {
		return err
	}
	for _, s := range states {
		l.result.Confinement, err = confined(l.place, s, l.plan)
		if err != nil || l.result.NoEffect != nil {
			return err
		}
	}
	return nil // a service that has done its work has no process to look at
}

// wait pauses; the error is that of ctx, if it ends first.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// settle waits until the service has been up as long as the profile wants.
func (l *launch) settle(ctx context.Context, up time.Time) error {
	for {
		if err := l.alive(ctx, "settling"); err != nil {
			return err
		}
		left := l.profile.Prove.Settle - time.Since(up)
		if left <= 0 {
			return nil
		}
		if err := wait(ctx, min(left, 50*time.Millisecond)); err != nil {
			return err
		}
	}
}

// alive fails the trial if the service has ended though it should not have, or has ended badly. A status of its own when it is
// stopped is only compared with that without hardening: there are services that always end with one.
func (l *launch) alive(ctx context.Context, when string) error {
	states, err := l.statesBy(ctx, l.manager.polled)
	if err != nil {
		return err
	}
	for _, s := range states {
		l.result.Status = s.Status
		compared := l.profile.Prove.LikeBaseline && s.Result == "exit-code" && (when == "stop" || when == "stopped")
		if s.failed() && !compared {
			return l.fail("exit", "%s: %s", when, s.ended())
		}
	}
	return nil
}

// check runs the checks of a phase. Once the service has ended badly none goes on: its end tells more than they would, even
// if its socket starts it again.
func (l *launch) check(ctx context.Context, phase string) error {
	states, err := l.states(ctx)
	if err != nil {
		return err
	}
	if own := l.environ(states); own != nil { // checks of a service that has stopped get what it had
		l.variables = own
	}
	env := check.Env{Place: l.place, Unit: l.name, Since: l.begin, Environ: slices.Concat(l.variables, told(l.place, l.unit.ID, phase))}
	during, cancel := context.WithCancel(ctx)
	defer cancel()
	var failed func() *state
	if phase != "stopped" {
		env.Gone, failed = l.guard(during, cancel)
	}
	outcomes := check.Run(during, env, l.profile.Checks, phase)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	over := l.alive(ctx, phase)
	if over == nil && failed != nil {
		if s := failed(); s != nil {
			over = l.fail("exit", "%s: %s", phase, s.ended())
		}
	}
	for _, o := range outcomes {
		text := fmt.Sprintf("%s (%s, %s): %s", o.Name, o.Kind, o.Phase, o.Detail)
		switch {
		case o.OK:
		case o.Required:
			over = l.fail("check", "%s", text)
		default:
			l.result.Warnings = append(l.result.Warnings, verdict.Evidence{Kind: "check", Text: text})
		}
	}
	return over
}

// guard watches for the bad end of a service: it then closes gone and calls end. The state that it saw is that of failed.
func (l *launch) guard(ctx context.Context, end func()) (gone <-chan struct{}, failed func() *state) {
	ended := make(chan struct{})
	var seen atomic.Pointer[state]
	go func() {
		for ctx.Err() == nil {
			states, err := l.states(ctx)
			if i := slices.IndexFunc(states, state.failed); err != nil || i >= 0 {
				if i >= 0 {
					seen.Store(&states[i])
				}
				close(ended)
				end()
				return
			}
			if wait(ctx, 50*time.Millisecond) != nil {
				return
			}
		}
	}()
	return ended, seen.Load
}

// note adds how the commands of the services ended.
func (l *launch) note(states []state) {
	for _, s := range states {
		l.result.Seen.AddEnds(s.Restarts, s.ends()...)
	}
}

// stop stops the service: it must end as it does without hardening. Services for each connection end with their clients;
// what they do when they are stopped means nothing.
func (l *launch) stop(ctx context.Context) error {
	job, cancel := context.WithTimeout(ctx, l.profile.Prove.Timeout)
	defer cancel()
	for _, name := range l.sockets { // first: they would start the service again
		if result, err := l.manager.StopUnit(job, name); err != nil || result != systemd.Done {
			return l.judge(ctx, "stop of the socket", result, err)
		}
	}
	if unit.IsTemplate(l.name) {
		return l.check(ctx, "stopped")
	}
	result, err := l.manager.StopUnit(job, l.name)
	if err := l.judge(ctx, "stop", result, err); err != nil {
		return err
	}
	if err := l.alive(ctx, "stop"); err != nil {
		return err
	}
	return l.check(ctx, "stopped")
}

// end reads what remains of a trial: how its commands ended, and its log.
func (l *launch) end(ctx context.Context) error {
	states, err := l.states(ctx)
	if err != nil {
		return err
	}
	entries, err := journal(ctx, l.place, l.pattern(), l.begin)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.own {
			l.result.Log = append(l.result.Log, e.text)
		}
		if e.priority <= errorPriority {
			l.result.Seen.AddErrors(e.text)
		}
	}
	if !unit.IsTemplate(l.name) {
		l.note(states)
	}
	return nil
}
