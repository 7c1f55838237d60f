package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"temper/generator"
	"temper/harness/check"
	"temper/harness/place"
	"temper/harness/witness"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// A Trial is one launch of a service and what was seen.
type Trial struct {
	Dropin   string             // temper's drop-in; "" in the baseline
	OK       bool               // it started, stayed up, passed every required check and stopped
	Failures []verdict.Evidence // why not, the most telling first
	Warnings []verdict.Evidence // advisory checks that failed, directives without effect
	Log      []string           // what the service logged
	Refused  witness.Record     // what the kernel refused it; empty where there is no witness
	Status   int32              // exit status of the main process, 0 while it runs
	Took     time.Duration
	seen     observation
}

// unitDir is where a trial's drop-ins are; systemd reads them when the transient unit is made.
const unitDir = "/run/systemd/system"

// trials launches one service again and again in a place.
type trials struct {
	place   *place.Place
	manager *manager
	unit    *unit.Unit
	profile *profiles.Profile
	stem    string // of the transient units' names
	count   int

	blind    error  // why there is no witness; nil while there is one
	baseline *Trial // what hardened trials are compared with; nil until it has passed
}

// run launches the service under a plan. The error is set only where nothing can be said about the service: the place is
// gone, or ctx has ended.
func (t *trials) run(ctx context.Context, plan generator.Plan) (Trial, error) {
	t.count++
	result := Trial{Dropin: plan.Text()}
	name := fmt.Sprintf("%s-%d.service", t.stem, t.count)
	begin := time.Now()
	if err := t.write(name, result.Dropin); err != nil {
		return result, err
	}
	defer t.clear(ctx, name)
	stop := t.watch(name)
	l := &launch{trials: t, plan: plan, name: name, begin: begin, result: &result}
	err := l.life(ctx)
	result.Refused = stop()
	if err != nil {
		return result, fmt.Errorf("trial of %s: %w", t.unit.Name, err)
	}
	result.Log = l.log(ctx)
	result.OK = len(result.Failures) == 0
	result.Took = time.Since(begin)
	return result, ctx.Err()
}

// watch starts the witness for one trial and returns how to stop it. Without a witness the search works too, with more
// launches: the reason is noted, once.
func (t *trials) watch(name string) (stop func() witness.Record) {
	none := func() witness.Record { return witness.Record{} }
	if t.blind != nil {
		return none
	}
	w, err := witness.Start(filepath.Join(t.place.Cgroup(), "system.slice", name))
	if err != nil {
		t.blind = err
		return none
	}
	return func() witness.Record {
		record, err := w.Stop()
		if err != nil {
			t.blind = err
		}
		return record
	}
}

func (t *trials) write(name, dropin string) error {
	files := clone(t.unit)
	if dropin != "" {
		files[generator.Dropin] = dropin
	}
	for _, base := range slices.Sorted(maps.Keys(files)) {
		if err := t.place.WriteFile(path.Join(unitDir, name+".d", base), []byte(files[base]), 0o644); err != nil {
			return fmt.Errorf("write the trial of %s: %w", t.unit.Name, err)
		}
	}
	return nil
}

// clear takes the trial away, also when ctx has ended.
func (t *trials) clear(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	t.manager.release(ctx, name)
	if dir, err := t.place.Root().Path(path.Join(unitDir, name+".d")); err == nil && filepath.Base(dir) == name+".d" {
		os.RemoveAll(dir)
	}
}

// launch is a trial while it runs.
type launch struct {
	*trials
	plan   generator.Plan
	name   string
	begin  time.Time
	result *Trial
}

// errOver ends a trial that has failed: later phases would say nothing new.
var errOver = errors.New("trial is over")

func (l *launch) fail(kind, format string, args ...any) error {
	l.result.Failures = append(l.result.Failures, verdict.Evidence{Kind: kind, Text: fmt.Sprintf(format, args...)})
	return errOver
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
	for _, phase := range append(phases, l.stop) {
		if err := phase(ctx); errors.Is(err, errOver) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (l *launch) start(ctx context.Context) error {
	job, cancel := context.WithTimeout(ctx, l.profile.Prove.Timeout)
	defer cancel()
	result, err := l.manager.start(job, l.name, "temper's trial of "+l.unit.Name)
	return l.judge(ctx, "start", result, err)
}

// judge turns the end of a job into a failure of the trial, or an error where the place is at fault.
func (l *launch) judge(ctx context.Context, what, result string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errTimeout):
		return l.fail("timeout", "%s took longer than %s", what, l.profile.Prove.Timeout)
	case err != nil:
		return err
	case result == "done":
		return nil
	}
	s, err := l.manager.state(l.name)
	if err != nil {
		return err
	}
	l.result.Status = s.Status
	return l.fail("exit", "%s: job %s, %s", what, result, s.ended())
}

// running checks the service while it runs and sees to it that it stays up.
func (l *launch) running(ctx context.Context) error {
	if err := l.alive("start"); err != nil {
		return err
	}
	if err := l.check(ctx, "running"); err != nil {
		return err
	}
	before, err := l.observe()
	if err != nil {
		return err
	}
	if err := l.settle(ctx); err != nil {
		return err
	}
	after, err := l.observe()
	if err != nil {
		return err
	}
	l.result.seen = after.both(before)
	if err := l.confined(); err != nil {
		return err
	}
	return l.compare()
}

// confined notes the directives of the trial that /proc does not show: what has no effect was not proven.
func (l *launch) confined() error {
	s, err := l.manager.state(l.name)
	if err != nil || s.PID == 0 || l.result.Dropin == "" {
		return err // a service that has done its work has no process to look at
	}
	pid := mainPID(l.place, s)
	if pid == 0 {
		return nil
	}
	_, ineffective, err := Confined(pid, l.place.Leader(), l.place.SystemdVersion(), l.plan)
	for _, name := range slices.Sorted(maps.Keys(ineffective)) {
		l.result.Warnings = append(l.result.Warnings, verdict.Evidence{
			Kind: "no-effect", Text: fmt.Sprintf("%s=: %s", name, ineffective[name]),
		})
	}
	return err
}

func (l *launch) observe() (observation, error) {
	s, err := l.manager.state(l.name)
	if err != nil {
		return observation{}, err
	}
	return observe(l.place, s), nil
}

// compare fails a hardened trial that lacks what the baseline has.
func (l *launch) compare() error {
	if l.baseline == nil || !l.profile.Prove.LikeBaseline {
		return nil
	}
	for _, missing := range l.result.seen.lost(l.baseline.seen) {
		l.fail("baseline", "%s", missing)
	}
	if len(l.result.Failures) > 0 {
		return errOver
	}
	return nil
}

// settle waits until the service has been up as long as the profile wants.
func (l *launch) settle(ctx context.Context) error {
	for {
		if err := l.alive("settling"); err != nil {
			return err
		}
		left := l.profile.Prove.Settle - time.Since(l.begin)
		if left <= 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(left, 50*time.Millisecond)):
		}
	}
}

// alive fails the trial if the service has ended though it should not have, or has ended badly.
func (l *launch) alive(when string) error {
	s, err := l.manager.state(l.name)
	if err != nil {
		return err
	}
	l.result.Status = s.Status
	if s.failed() {
		return l.fail("exit", "%s: %s", when, s.ended())
	}
	return nil
}

// check runs the checks of a phase.
func (l *launch) check(ctx context.Context, phase string) error {
	watch, stop := context.WithCancel(ctx)
	defer stop()
	env := check.Env{Place: l.place, Unit: l.name, Since: l.begin, Gone: l.gone(watch)}
	outcomes := check.Run(ctx, env, l.profile.Checks, phase)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	over := l.alive(phase) // the end of a service tells more than the checks that it failed
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

// gone is closed once the service has ended badly: what fails then need not be tried again.
func (l *launch) gone(ctx context.Context) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		for ctx.Err() == nil {
			if s, err := l.manager.state(l.name); err != nil || s.failed() {
				close(gone)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return gone
}

// again is the phase after a job on the running service.
func (l *launch) again(phase, method string) func(context.Context) error {
	return func(ctx context.Context) error {
		job, cancel := context.WithTimeout(ctx, l.profile.Prove.Timeout)
		defer cancel()
		result, err := l.manager.job(job, method, l.name, "replace")
		if err := l.judge(ctx, phase, result, err); err != nil {
			return err
		}
		return l.check(ctx, phase)
	}
}

// stop stops the service: it must end as it does without hardening.
func (l *launch) stop(ctx context.Context) error {
	job, cancel := context.WithTimeout(ctx, l.profile.Prove.Timeout)
	defer cancel()
	result, err := l.manager.job(job, "StopUnit", l.name, "replace")
	if err := l.judge(ctx, "stop", result, err); err != nil {
		return err
	}
	if err := l.alive("stop"); err != nil {
		return err
	}
	return l.check(ctx, "stopped")
}

// log returns what the service logged, for evidence.
func (l *launch) log(ctx context.Context) []string {
	r, err := l.place.Run(ctx, place.Command{
		Args: []string{"journalctl", "--no-pager", "-o", "cat", "-n", "200", "_SYSTEMD_UNIT=" + l.name}, Timeout: 5 * time.Second,
	})
	if err != nil {
		return nil // the log only explains, it decides nothing
	}
	return splitLines(r.Stdout)
}
