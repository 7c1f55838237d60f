package trial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"temper/harness/attach"
	"temper/harness/clone"
	"temper/harness/confine"
	"temper/harness/filechanges"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// launch is one launch while it runs.
type launch struct {
	Launcher
	Request
	name        string   // of the service, or of the template of its instances
	sockets     []string // names of the sockets that start it
	slice       string   // the slice in which it runs, where temper enforces the rules of the unit; else empty
	attached    []*attach.Attached
	notAttached error // why temper cannot enforce some of the rules; nil if it can
	begin       time.Time
	states      states
	result      Result
	mounts      map[string]bool       // of the place before the launch
	files       *filechanges.Recorder // of what the launch makes, changes and removes
	clients     []net.Conn            // connections, each of which keeps an instance running
	environment []string              // of the service, for the commands of checks
	users       map[uint32]bool       // as whom its processes were seen to run, by their ids on this machine
	outOfTime   int                   // number of failures that are only a limit of time
}

// errOver ends a launch that has failed: later phases would show nothing new.
var errOver = errors.New("trial is over")

func (l *launch) fail(kind, format string, args ...any) error {
	l.result.Failures = append(l.result.Failures, verdict.Evidence{Kind: kind, Text: fmt.Sprintf(format, args...)})
	if kind == timeout {
		l.outOfTime++
	}
	return errOver
}

// timeout is the kind of failure of a job that took too long.
const timeout = "timeout"

// runPhases takes the service through its phases until one fails.
func (l *launch) runPhases(ctx context.Context) error {
	phases := []func(context.Context) error{l.start, l.running}
	if l.Profile.Prove.Reload {
		phases = append(phases, l.reload)
	}
	if l.Profile.Prove.Restart {
		phases = append(phases, l.restart)
	}
	for _, phase := range append(phases, l.stop, l.secondStart) {
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
	began := time.Now()
	job, cancel := context.WithTimeout(ctx, l.limit())
	defer cancel()
	last, result, err := l.startUnits(job, "temper's trial of "+l.Clone.Unit.Name)
	l.needed(began)
	what := "start"
	if last != l.name {
		what += " of the " + unit.Type(last)
	}
	if err := l.judgeJob(ctx, what, result, err); err != nil {
		return err
	}
	return l.awaitBusName(ctx, job, "start")
}

// startUnits makes the units of the launch and starts one after the other, until one does not start: the slice in which
// the service is confined before it runs, the sockets, and the service unless each of its instances waits for a client.
// It returns which was the last to be started.
func (l *launch) startUnits(ctx context.Context, description string) (last, result string, err error) {
	units := slices.Clone(l.sockets)
	if l.slice != "" {
		units = slices.Insert(units, 0, l.slice)
	}
	if !unit.IsTemplate(l.name) {
		units = append(units, l.name)
	}
	last = units[0]
	result, err = l.StartTransient(ctx, systemd.Replace, description, units...)
	if l.slice != "" && err == nil {
		err = l.attachRules(ctx)
	}
	for _, next := range units[1:] {
		if err != nil || result != systemd.Done {
			break
		}
		last = next
		result, err = l.Place.Manager().StartUnit(ctx, next)
	}
	return last, result, err
}

// judgeJob turns the result of a job into a failure of the launch, or into an error if the place is at fault.
func (l *launch) judgeJob(ctx context.Context, what, result string, err error) error {
	refusal, refused := systemd.Refused(err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return l.fail(timeout, "%s took longer than %s", what, l.limit())
	case refused:
		return l.fail("start", "%s: systemd refuses it: %s", what, refusal)
	case err != nil:
		return err
	case result == systemd.Done:
		return nil
	}
	states, err := l.now(ctx)
	if err != nil {
		return err
	}
	for _, s := range states {
		l.result.Status = s.Status
		if failed(s) {
			return l.fail("exit", "%s: job %s, %s", what, result, ended(s))
		}
	}
	return l.fail("exit", "%s: job %s", what, result)
}

// running checks the service while it runs, and fails the launch if the service does not stay up.
func (l *launch) running(ctx context.Context) error {
	up := time.Now()
	if err := l.alive(ctx, "start"); err != nil {
		return err
	}
	if err := l.waitUntilIdle(ctx); err != nil {
		return err
	}
	if err := l.check(ctx, "running"); err != nil {
		return err
	}
	if unit.IsTemplate(l.name) {
		if err := l.connect(ctx); err != nil {
			return err
		}
	}
	if len(l.clients) > 0 {
		up = time.Now() // the instance for the client has just started
	}
	if err := l.settle(ctx, up); err != nil {
		return err
	}
	if err := l.recordSnapshot(ctx, "running"); err != nil {
		return err
	}
	if err := l.readConfinement(ctx); err != nil {
		return err
	}
	return l.probe(ctx)
}

// readConfinement records which directives of the plan hold, since a directive without effect is not proven, and the
// mounts of the service. It finds nothing out about a service that has ended already.
func (l *launch) readConfinement(ctx context.Context) error {
	states, err := l.now(ctx)
	if err != nil {
		return err
	}
	for _, s := range states {
		l.result.Confinement, err = confine.Read(l.subject(s), l.Plan)
		if err != nil || l.result.NoEffect != nil {
			return err
		}
	}
	return nil
}

// settle waits until the service has been up as long as the profile wants, and twice as long as its watchdog waits for
// a sign of life: who may not send it is killed only then.
func (l *launch) settle(ctx context.Context, up time.Time) error {
	states, err := l.now(ctx)
	if err != nil {
		return err
	}
	for _, s := range states {
		l.result.Watchdog = max(l.result.Watchdog, watchdog(s))
	}
	least := max(l.Profile.Prove.Settle, min(2*l.result.Watchdog, l.Profile.Prove.Timeout))
	for {
		if err := l.alive(ctx, "settling"); err != nil {
			return err
		}
		left := least - time.Since(up)
		if left <= 0 {
			return nil
		}
		if err := wait(ctx, min(left, 50*time.Millisecond)); err != nil {
			return err
		}
	}
}

// alive fails the launch if the service has failed. An exit status after a stop is not a failure by itself, but is
// compared with the baseline: some services always end with one.
func (l *launch) alive(ctx context.Context, when string) error {
	states, err := l.polled(ctx)
	if err != nil {
		return err
	}
	for _, s := range states {
		l.result.Status = s.Status
		compared := l.Profile.Prove.LikeBaseline && s.Result == "exit-code" && (when == "stop" || when == "stopped")
		if failed(s) && !compared {
			return l.fail("exit", "%s: %s", when, ended(s))
		}
	}
	return nil
}

// reload reloads the service while it runs. It does nothing for a service with an instance for each connection, and for
// a service that has ended.
func (l *launch) reload(ctx context.Context) error {
	states, err := l.now(ctx)
	if err != nil || unit.IsTemplate(l.name) || states[0].Active == "inactive" {
		return err
	}
	if !states[0].CanReload {
		return l.fail("start", "reloaded: the profile wants a reload, and the unit has no ExecReload=")
	}
	return l.after(ctx, "reloaded", states, l.Place.Manager().ReloadUnit)
}

// restart restarts the service, unless it has an instance for each connection.
func (l *launch) restart(ctx context.Context) error {
	states, err := l.now(ctx)
	if err != nil || unit.IsTemplate(l.name) {
		return err
	}
	return l.after(ctx, "restarted", states, l.Place.Manager().RestartUnit)
}

// after runs a job on the running service, and then the phase after it.
func (l *launch) after(
	ctx context.Context, phase string, before []systemd.Service, job func(context.Context, string) (string, error),
) error {
	l.recordEnds(before)
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, l.limit())
	defer cancel()
	result, err := job(limited, l.name)
	l.needed(began)
	if err := l.judgeJob(ctx, phase, result, err); err != nil {
		return err
	}
	if err := l.awaitBusName(ctx, limited, phase); err != nil {
		return err
	}
	if err := l.check(ctx, phase); err != nil {
		return err
	}
	return l.recordSnapshot(ctx, phase)
}

// recordEnds records how the commands of the services ended.
func (l *launch) recordEnds(states []systemd.Service) {
	for _, s := range states {
		l.result.Seen.AddEnds(s)
	}
}

// stop stops the service, which must end as it does without hardening. Instances for connections end with their
// clients, so they are not stopped.
func (l *launch) stop(ctx context.Context) error {
	defer l.needed(time.Now())
	job, cancel := context.WithTimeout(ctx, l.limit())
	defer cancel()
	for _, name := range l.sockets { // first, since they would start the service again
		if result, err := l.Place.Manager().StopUnit(job, name); err != nil || result != systemd.Done {
			return l.judgeJob(ctx, "stop of the socket", result, err)
		}
	}
	if unit.IsTemplate(l.name) {
		return l.stopped(ctx)
	}
	began := time.Now()
	result, err := l.Place.Manager().StopUnit(job, l.name)
	l.needed(began)
	if err := l.judgeJob(ctx, "stop", result, err); err != nil {
		return err
	}
	if err := l.alive(ctx, "stop"); err != nil {
		return err
	}
	return l.stopped(ctx)
}

// stopped checks what is left after the stop.
func (l *launch) stopped(ctx context.Context) error {
	if err := l.check(ctx, "stopped"); err != nil {
		return err
	}
	return l.recordFiles(ctx, "stopped")
}

// secondStart starts the service once more, since it now finds the files that its first start has made. It does nothing
// if the profile asks for a restart, which has done the same.
func (l *launch) secondStart(ctx context.Context) (err error) {
	if l.result.Dropin == "" {
		if l.result.Made, err = l.Lasting.Made(l.users); err != nil {
			return err
		}
	}
	again := l.StartAgain || len(l.result.Made) > 0
	if !again || l.Profile.Prove.Restart || unit.IsTemplate(l.name) {
		return nil
	}
	states, err := l.now(ctx)
	if err != nil {
		return err
	}
	l.recordEnds(states)
	if err := l.startAgain(ctx); err != nil {
		return err
	}
	if err := l.check(ctx, "restarted"); err != nil {
		return err
	}
	if err := l.recordSnapshot(ctx, "restarted"); err != nil {
		return err
	}
	return l.stop(ctx)
}

// startAgain starts the sockets and the service after a stop.
func (l *launch) startAgain(ctx context.Context) error {
	defer l.needed(time.Now())
	job, cancel := context.WithTimeout(ctx, l.limit())
	defer cancel()
	for _, name := range append(slices.Clone(l.sockets), l.name) {
		result, err := l.Place.Manager().StartUnit(job, name)
		if err := l.judgeJob(ctx, "second start", result, err); err != nil {
			return err
		}
	}
	return l.awaitBusName(ctx, job, "second start")
}

// awaitBusName waits until the service has its name on the bus, if systemd does not wait for it.
func (l *launch) awaitBusName(ctx, job context.Context, what string) error {
	name := clone.BusName(l.Clone.Unit)
	if name == "" || !l.Clone.SharesBusName {
		return nil
	}
	for {
		var owned bool
		bus := l.Place.Bus().BusObject()
		err := bus.CallWithContext(job, "org.freedesktop.DBus.NameHasOwner", 0, name).Store(&owned)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case job.Err() != nil:
			return l.fail(timeout, "%s took longer than %s: the bus has no %s", what, l.limit(), name)
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
