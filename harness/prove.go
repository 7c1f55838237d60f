// Package harness proves by experiment what hardening a service survives.
//
// [Prove] launches the service in a place again and again: as its vendor wrote it, then with exactly the drop-in that
// the generator would write at boot, then with what evidence and bisection leave of it, until the checks of its profile
// pass and nothing that was given up can be put back. The result is a verdict.Verdict.
//
// A trial never touches a running service, its data, its ports or its directories; see temper/harness/place.
package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/confine"
	"temper/harness/lock"
	"temper/harness/place"
	"temper/harness/search"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/offline"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// Options say what to prove and where.
type Options struct {
	Place    *place.Place
	Again    func(ctx context.Context) (*place.Place, error) // another place like Place as it came up; nil = there is none
	Profiles *profiles.Set
	Profile  *profiles.Profile   // nil = the one of Profiles that applies to the unit
	Unit     string              // a service unit of the place
	Progress func(text string)   // called with every step; nil = silent
	Trial    func(verdict.Trial) // called with the log of every trial; nil = not kept
	Blind    bool                // search without the kernel witness
	Tighten  bool                // find what the profile names without need, too
}

// ErrNoProfile says that no profile applies to a unit.
var ErrNoProfile = errors.New("no profile names or matches it")

// Prove finds out what the unit survives. A service that cannot be judged is a verdict too; the error is set where
// nothing could be tried at all: no such unit, no profile (wrapping [ErrNoProfile]), a place that is gone, ctx ended.
func Prove(ctx context.Context, o Options) (verdict.Verdict, error) {
	begin := time.Now()
	ctx, cancel := whileRuns(ctx, o.Place)
	defer cancel()
	r, err := newRun(ctx, o)
	if err != nil {
		return verdict.Verdict{}, err
	}
	v, err := r.verdict(ctx)
	if err != nil {
		err = cause(r.series.at.Place, err)
	}
	err = errors.Join(err, r.series.close(ctx))
	v.Seconds = float64(time.Since(begin).Milliseconds()) / 1000
	return v, err
}

// cause is why a proof could not go on: what has become of the place, if anything has.
func cause(where *place.Place, err error) error {
	if where.Manager().Connected() {
		return err
	}
	select {
	case <-where.Done():
		return where.Err()
	case <-time.After(2 * time.Second): // the bus ends first, where all of the place does
		return fmt.Errorf("the system bus of the %s has gone: %w", where.Kind(), err)
	}
}

// newRun makes everything ready for the first trial. The caller closes it.
func newRun(ctx context.Context, o Options) (*run, error) {
	loader := &unit.Loader{Root: o.Place.Root(), Version: o.Place.SystemdVersion()}
	u, err := loader.Load(o.Unit)
	if err != nil {
		return nil, err
	}
	u = u.Without(generator.Dropin)
	p, named := o.Profile, true
	if p == nil {
		p, named = o.Profiles.For(u)
	}
	if p == nil {
		return nil, fmt.Errorf("%s: %w", u.Name, ErrNoProfile)
	}
	settings, _ := generator.LoadSettings(o.Place.Root()) // wrong ones apply nothing at boot, and say so there
	r := &run{Options: o, input: generator.Input{
		Unit: u, Profile: p, Named: named, Version: o.Place.SystemdVersion(), Secrets: generator.Secrets(o.Profiles, settings, u),
	}}
	// Before anything is tried: what changes meanwhile makes the verdict stale.
	if r.before, err = verdict.Take(o.Place.Root(), u, r.input.Digest(), r.input.Version); err != nil {
		return nil, err
	}
	r.series, err = newSeries(ctx, o, u, p)
	return r, err
}

// Reload makes the manager of a place read its units again, and so run its generators; systemctl daemon-reload.
func Reload(ctx context.Context, where *place.Place) error {
	release, err := lock.Manager(ctx, where, lock.Reload)
	if err != nil {
		return fmt.Errorf("reload the manager: %w", err)
	}
	defer release()
	return where.Manager().Reload(ctx)
}

// Starting reports whether the manager of a place is still booting.
func Starting(ctx context.Context, where *place.Place) bool {
	starting, err := where.Manager().Starting(ctx)
	return err == nil && starting
}

// run is the proving of one unit.
type run struct {
	Options
	series *series
	input  generator.Input
	before verdict.Fingerprint
}

func (r *run) verdict(ctx context.Context) (verdict.Verdict, error) {
	found, err := search.Run(ctx, r.input, r.series, r)
	v := verdict.Verdict{
		Unit: r.input.Unit.ID, Profile: r.input.Profile.Name, Result: result(err), Place: r.Place.Kind(),
		Systemd: r.input.Version,
		Applied: []verdict.Applied{}, Demotions: []verdict.Demotion{}, LeftOut: []verdict.LeftOut{}, Advisories: []verdict.Evidence{},
		Fingerprint: r.before,
	}
	if v.Result == "" {
		return v, err
	}
	if err != nil {
		v.Reason = err.Error()
	}
	if v.Result == verdict.Proven {
		v.Applied, v.Dropin = append(v.Applied, found.Plan.Applied()...), found.Plan.Text()
		v.Demotions, v.LeftOut = append(v.Demotions, tellSecrets(found.Demotions, r.input.Secrets)...), append(v.LeftOut, found.Plan.LeftOut...)
		v.Advisories = append(v.Advisories, r.advisories(found)...)
	}
	if v.Result == verdict.Proven && r.Tighten {
		if v.Loose, err = search.Tighten(ctx, r.input, r.series, r, found); err != nil {
			return v, err
		}
	}
	v.Trials = r.series.count
	v.Exposure, err = offline.Exposure(r.input.Unit, generator.Dropin, v.Dropin, r.input.Version)
	return v, err
}

// advisories are what no check noticed, and what was not seen, of a service that is proven.
func (r *run) advisories(found search.Outcome) []verdict.Evidence {
	service, last := blame.NewService(r.input, r.series), found.Result
	var baselines []witness.Record
	for _, b := range r.series.baselines {
		baselines = append(baselines, b.Refused)
	}
	return slices.Concat(last.Warnings, service.Unnoticed(service.New(last.Refused, baselines...), found.Applied), last.Unwitnessed(),
		unseen(found.Plan, last), notGranted(service, r.series.at.Place, baselines, found.Applied),
		notReloaded(r.input.Unit, r.input.Profile), r.series.remained())
}

// unseen lists what is applied and was not seen to hold: it is only known not to break the service.
func unseen(plan generator.Plan, t trial.Result) []verdict.Evidence {
	var list []verdict.Evidence
	for _, i := range plan.Items {
		if !i.Directive.Restricts() || slices.Contains(t.Holds, i.Directive.Name) {
			continue
		}
		why := cmp.Or(t.Partly[i.Directive.Name], i.Directive.Unseen, "no process of the service could be asked")
		list = append(list, verdict.Evidence{Kind: "unseen", Text: fmt.Sprintf("that %s= holds was not seen: %s", i.Directive.Name, why)})
	}
	return list
}

// result is the verdict that the end of a search amounts to; "" where it is no verdict but a failure of the harness.
func result(err error) string {
	switch {
	case err == nil:
		return verdict.Proven
	case errors.Is(err, search.ErrBroken):
		return verdict.BrokenBaseline
	case errors.Is(err, search.ErrFlaky):
		return verdict.Flaky
	}
	return ""
}

// saidBlind is done once it was said why there is no witness: the kernel is the same for all units.
var saidBlind sync.Once

// Try is one trial of the search, with its progress.
func (r *run) Try(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	t, err := r.series.launch(ctx, plan)
	if err != nil {
		return t, err
	}
	if r.Progress != nil {
		if r.series.noWitness != nil && !r.Blind {
			saidBlind.Do(func() {
				r.Progress(fmt.Sprintf("without the kernel witness, more trials are needed: %v", r.series.noWitness))
			})
		}
		r.Progress(describe(r.series.count, t))
		if len(t.Made) > 0 {
			r.Progress("its first start makes " + some(t.Made) + ": each further trial gets a new place")
		}
	}
	if r.Trial != nil {
		r.Trial(t.Record(r.series.count))
	}
	return t, nil
}

// Baselines are the launches without hardening that passed, so far.
func (r *run) Baselines() []trial.Result { return r.series.baselines }

// StandIn tells what a program that waits is kept from in place of the service.
func (r *run) StandIn(ctx context.Context, plan generator.Plan) (confine.Confinement, error) {
	return r.series.standIn(ctx, plan)
}

func describe(n int, t trial.Result) string {
	what, end := "hardened", "ok"
	if t.Dropin == "" {
		what = "baseline"
	}
	if len(t.Failures) > 0 {
		end = t.Failures[0].Text
	}
	return fmt.Sprintf("trial %d, %s, %.1fs: %s", n, what, t.Took.Seconds(), end)
}

// some is the first of a list, and how many more there are.
func some(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
}
