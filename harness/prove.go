// Package harness proves by experiment what hardening a service survives.
//
// [Prove] launches the service in a place many times: first as its vendor wrote it, then with exactly the drop-in that
// the generator would write at boot. While that fails, it weakens the drop-in by evidence and bisection until the
// checks of the profile pass and nothing that was removed can be put back. The result is a verdict.Verdict.
//
// A trial never touches a running service, its data, its ports or its directories; see temper/harness/place.
package harness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"temper/generator"
	"temper/harness/lock"
	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/needs"
	"temper/profiles"
)

// Options say what to prove and where.
type Options struct {
	Place    *place.Place
	NewPlace func(ctx context.Context) (*place.Place, error) // boots another place like Place; nil = impossible
	Profiles *profiles.Set
	Profile  *profiles.Profile   // nil = the one of Profiles that applies to the unit
	Unit     string              // a service unit of the place
	Progress func(text string)   // called with every step; nil = silent
	Trial    func(verdict.Trial) // called with the log of every trial; nil = not kept
	Tighten  bool                // also find what the profile allows without need

	// EarlierDemotions are those of an earlier proof of the unit. They stay where the checks to which they are owed
	// show nothing this time.
	EarlierDemotions []verdict.Demotion

	// Used is what the unit was seen to use on this machine, as far as a person has accepted it.
	// What is proven does not refuse it.
	Used []needs.Need

	WithoutWitness bool // search without the kernel witness
	Files          bool // the baseline tells each file that the service sees
}

// ErrNoProfile says that no profile applies to a unit.
var ErrNoProfile = errors.New("no profile names or matches it")

// Prove finds out which hardening the unit survives. A service that cannot be judged gets a verdict too, also where the
// machine has too little left to watch it. Prove returns
// an error only if it could not try the unit: there is no such unit, no profile (the error wraps [ErrNoProfile]), the
// place has ended, or ctx has.
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
		err = placeError(r.series.current.Place, err)
	}
	err = errors.Join(err, r.series.close(ctx))
	v.Seconds = float64(time.Since(begin).Milliseconds()) / 1000
	return v, err
}

// placeError explains the error of a proof by the end of its place, if the place has ended.
func placeError(where *place.Place, err error) error {
	if where.Manager().Connected() {
		return err
	}
	select {
	case <-where.Done():
		return where.Err()
	case <-time.After(2 * time.Second): // when a place ends, its bus ends first
		return fmt.Errorf("the system bus of the %s has gone: %w", where.Kind(), err)
	}
}

// newRun prepares the first trial. The caller closes the series.
func newRun(ctx context.Context, o Options) (*run, error) {
	loader := &unit.Loader{Root: o.Place.Root(), Version: o.Place.SystemdVersion(), Context: ctx}
	u, err := loader.Load(o.Unit)
	if err != nil {
		return nil, err
	}
	u = u.Without(generator.Dropin)
	if err := u.Unread(); err != nil { // what it forbids there, a drop-in could allow
		return nil, fmt.Errorf("a part of the unit cannot be read: %w", err)
	}
	p, named := o.Profile, o.Profile != nil && !o.Profile.Draft
	if p == nil {
		p, named = o.Profiles.For(u)
	}
	if p == nil {
		if file := o.Profiles.Faulty(generator.NamesOf(u)); file != "" {
			return nil, hint.With(fmt.Errorf("its profile %s has an error", file), "temper check "+file)
		}
		return nil, ErrNoProfile
	}
	settings, _ := generator.LoadSettings(o.Place.Root()) // the generator reports errors in them
	r := &run{Options: o, input: generator.Input{
		Unit: u, Profile: p, Named: named, Version: o.Place.SystemdVersion(),
		Secrets: generator.Secrets(o.Profiles, settings, u),
	}}
	// The fingerprint is taken before the first trial, so that a change during the proof makes the verdict stale.
	if r.before, err = verdict.Take(o.Place.Root(), u, r.input.Digest(), r.input.Version); err != nil {
		return nil, err
	}
	r.series, err = newSeries(ctx, o, u, p)
	return r, err
}

// Reload makes the manager of a place run its generators and load its units again, as systemctl daemon-reload does.
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

// run is the proof of one unit.
type run struct {
	Options
	series *series
	input  generator.Input
	before verdict.Fingerprint
}
