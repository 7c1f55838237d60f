// Package apply makes hardening that was decided take effect now: it restarts a running service and goes back to what
// ran before where the service does not come up, or where a check fails that passed before.
//
// Call [Unit] for one unit after the other. It promises that a service which ran and can be started runs when it
// returns: with its new hardening, or with what it had. While it restarts a unit, the guard waits; where the process is
// killed in the middle, the guard decides about the unit as it does at any other failure.
//
// Limits: a service whose own files keep it from starting, as a mistake in its configuration does, was up only because
// nobody had restarted it, and cannot be brought back. The result says so.
package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"temper/generator"
	"temper/harness"
	"temper/harness/check"
	"temper/harness/lock"
	"temper/harness/place"
	"temper/harness/runningunit"
	"temper/harness/trial"
	"temper/internal/inforce"
	"temper/internal/systemd"
	"temper/internal/verdict"
	"temper/profiles"
)

// Outcomes of applying.
const (
	Applied     = "applied"       // it runs with what was decided
	Already     = "already"       // it ran with that before
	AtNextStart = "at-next-start" // it does not run, or systemd does not let it be restarted
	WentBack    = "went-back"     // it failed, and runs as before
	Down        = "down"          // it failed, and does not start as it ran before either
)

// A Result is what became of one unit.
type Result struct {
	Unit    string   `json:"unit"`
	Outcome string   `json:"result"`
	Reason  string   `json:"reason,omitempty"`
	Checks  []string `json:"checks"`              // the live checks that passed after the restart
	Aside   []string `json:"set_aside,omitempty"` // those that failed before it, and say nothing
	Log     []string `json:"log,omitempty"`       // the end of what the service logged when it failed
	Seconds float64  `json:"seconds"`             // from the restart to the end of its checks
}

// Good reports whether the unit is as it should be.
func (r Result) Good() bool { return r.Outcome != WentBack && r.Outcome != Down }

// ErrNothing says that nothing is decided for a unit that could be applied.
var ErrNothing = errors.New("there is no hardening to apply")

// job is the work on one unit.
type job struct {
	place    *place.Place
	gen      *generator.Generator
	decision generator.Decision
	service  inforce.Service
	before   string // the drop-in with which its process runs, without what the guard adds; "" if none
	result   Result
}

// Unit makes what g decided about a unit take effect; s says how the unit stands. The error says that nothing was
// tried. When ctx ends, the unit is finished first, which takes seconds.
func Unit(
	ctx context.Context, here *place.Place, g *generator.Generator, d generator.Decision, s inforce.Service,
) (Result, error) {
	j := &job{
		place: here, gen: g, decision: d, service: s, result: Result{Unit: d.Unit, Checks: []string{}},
	}
	if !d.Hardens() && s.State != inforce.RestartNeeded {
		return j.result, fmt.Errorf("%w: %s", ErrNothing, s.Why)
	}
	release, err := lock.Apply(ctx, d.Unit)
	if err != nil {
		return j.result, err
	}
	defer release()
	now, err := here.Manager().Service(ctx, d.Unit)
	if err != nil {
		return j.result, err
	}
	switch {
	case s.State == inforce.Hardened:
		return j.end(Already, s.Why), nil
	case now.Active != "active":
		return j.end(AtNextStart, "it does not run"), harness.Reload(ctx, here)
	case systemd.Get[bool](now.Properties, "RefuseManualStop"), systemd.Get[bool](now.Properties, "RefuseManualStart"):
		return j.end(AtNextStart, "systemd does not let it be restarted: it takes effect at the next boot"),
			harness.Reload(ctx, here)
	}
	return j.run(ctx, now)
}

func (j *job) end(outcome, reason string) Result {
	j.result.Outcome, j.result.Reason = outcome, reason
	return j.result
}

// run restarts the unit, tries it, and goes back if that fails.
func (j *job) run(ctx context.Context, now systemd.Service) (Result, error) {
	var err error
	if j.before, err = runningunit.RunsWith(j.place, now); err != nil {
		return j.result, err
	}
	if j.before == generator.WithoutGuard(j.decision.Text) {
		j.before = ""
	}
	live := liveChecks(j.decision.Profile)
	good := j.passing(ctx, live)
	if ctx.Err() != nil {
		return j.result, ctx.Err()
	}
	if err := harness.Reload(ctx, j.place); err != nil {
		return j.result, err
	}
	if ctx.Err() != nil { // nothing has happened to the service
		return j.result, ctx.Err()
	}
	// From here on the unit is finished, whatever happens to ctx.
	ctx = context.WithoutCancel(ctx)
	begin := time.Now()
	failure := j.restart(ctx)
	if failure == nil {
		failure = j.check(ctx, live, good)
	}
	j.result.Seconds = time.Since(begin).Round(time.Millisecond).Seconds()
	if failure == nil {
		return j.end(Applied, ""), nil
	}
	j.result.Log = j.log(ctx, begin)
	if !j.decision.Hardens() {
		return j.end(Down, failure.Error()+"; nothing of temper applies to it any more"), nil
	}
	return j.goBack(ctx, failure)
}

// liveChecks are the checks of a profile that do no harm to a service that people use.
func liveChecks(p *profiles.Profile) []profiles.Check {
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Checks), func(c profiles.Check) bool {
		return !c.Live || !c.In(profiles.PhaseRunning)
	})
}

// outcomes runs checks on the running service.
func (j *job) outcomes(ctx context.Context, checks []profiles.Check, since time.Time) []check.Outcome {
	if len(checks) == 0 {
		return nil
	}
	env := check.Env{
		Place: j.place, Service: trial.RunningUnit{Place: j.place, Name: j.decision.Unit}, Unit: j.decision.Unit,
		Since: since, Environ: trial.Variables(j.place, j.decision.Unit, profiles.PhaseRunning),
	}
	return check.Run(ctx, env, checks, profiles.PhaseRunning)
}

// passing lists the checks that pass before anything is done. Checks of the journal are about a start, so that they
// count in any case.
func (j *job) passing(ctx context.Context, checks []profiles.Check) []string {
	var names []string
	var others []profiles.Check
	for _, c := range checks {
		if c.Journal != nil {
			names = append(names, c.Name)
			continue
		}
		others = append(others, c)
	}
	for _, o := range j.outcomes(ctx, others, time.Now()) {
		if o.OK {
			names = append(names, o.Name)
		} else {
			j.result.Aside = append(j.result.Aside, o.Name)
		}
	}
	return names
}

// check runs the checks that passed before, and looks whether the service still runs.
func (j *job) check(ctx context.Context, live []profiles.Check, good []string) error {
	checks := slices.DeleteFunc(slices.Clone(live), func(c profiles.Check) bool {
		return !slices.Contains(good, c.Name)
	})
	began := time.Now().Add(-j.settle() - time.Second)
	before, err := j.place.Manager().Service(ctx, j.decision.Unit)
	if err != nil {
		return err
	}
	for _, o := range j.outcomes(ctx, checks, began) {
		if !o.OK && o.Required {
			return fmt.Errorf("the check %q fails: %s", o.Name, o.Detail)
		}
		if o.OK {
			j.result.Checks = append(j.result.Checks, o.Name)
		}
	}
	now, err := j.place.Manager().Service(ctx, j.decision.Unit)
	if err != nil {
		return err
	}
	return hasFailed(before, now)
}

// goBack gives the unit what it ran with before, and where it does not start with that either, what it has without
// temper. The verdict comes first: whoever starts the unit then, the guard or a boot, gives it that too.
func (j *job) goBack(ctx context.Context, failure error) (Result, error) {
	was, had := j.stored()
	var err error
	for _, before := range slices.Compact([]string{j.before, ""}) {
		if err := j.gen.Store.Put(j.failed(before, failure)); err != nil {
			return j.end(Down, failure.Error()), fmt.Errorf("it fails, and what it had cannot be given back: %w", err)
		}
		if err = harness.Reload(ctx, j.place); err == nil {
			err = j.restart(ctx)
		}
		if err == nil {
			return j.end(WentBack, failure.Error()), nil
		}
	}
	reason := fmt.Sprintf("%v; as it ran before it does not start either (%v), so its hardening is not to blame and stays",
		failure, err)
	if had {
		err = j.gen.Store.Put(was)
	} else {
		err = j.gen.Store.Remove(j.decision.Unit)
	}
	return j.end(Down, reason), errors.Join(err, harness.Reload(ctx, j.place))
}

// stored is this machine's verdict on the unit, and whether there is one.
func (j *job) stored() (verdict.Verdict, bool) {
	v, err := j.gen.Store.Own().Get(j.decision.Unit)
	return v, err == nil
}

// failed is the verdict after the unit has failed: the drop-in that it ran with before stays proven; where that is "",
// the verdict is broken, and nothing is applied until a person has the unit proven.
func (j *job) failed(before string, failure error) verdict.Verdict {
	v := j.service.Verdict
	v.Unit = j.decision.Unit
	reason := "it failed when temper apply restarted it: " + failure.Error()
	for _, l := range j.result.Log {
		v.Advisories = append(v.Advisories, verdict.Evidence{Kind: "log", Text: l})
	}
	if u, err := j.gen.Units.Load(j.decision.Unit); err == nil && j.decision.Profile != nil {
		now, err := j.gen.Fingerprint(j.gen.Input(u.Without(generator.Dropin), j.decision.Profile, j.decision.Named))
		if err == nil {
			v.Fingerprint, v.Stale, v.StaleReason = now, false, ""
		}
	}
	v.Systemd = j.gen.Version
	if before == "" {
		v.Result, v.Reason, v.LastAttempt = verdict.Broken, reason, nil
		return v
	}
	v.Result, v.Dropin, v.Applied = verdict.Proven, before, runningunit.Assignments(before)
	v.LastAttempt = &verdict.Attempt{Result: verdict.Broken, Reason: reason, Fingerprint: v.Fingerprint}
	return v
}

// log is the end of what the service logged since a time.
func (j *job) log(ctx context.Context, since time.Time) []string {
	const lines = 10
	r, err := j.place.Run(ctx, place.Command{
		Args: []string{
			"journalctl", "--quiet", "--no-pager", "--output=cat", fmt.Sprintf("--since=@%d", since.Unix()),
			fmt.Sprintf("--lines=%d", lines), "_SYSTEMD_UNIT=" + j.decision.Unit,
		},
		Timeout: 10 * time.Second,
	})
	if err != nil || strings.TrimSpace(r.Stdout) == "" { // a log explains, and decides nothing
		return nil
	}
	return strings.Split(strings.TrimRight(r.Stdout, "\n"), "\n")
}
