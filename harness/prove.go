// Package harness proves by experiment what hardening a service survives.
//
// [Prove] launches the service in a place again and again: as its vendor wrote it, then with exactly the drop-in that
// the generator would write at boot, then with what evidence and bisection leave of it, until the checks of its profile
// pass and nothing that was given up can be put back. The result is a verdict.Verdict.
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
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// Options say what to prove and where.
type Options struct {
	Place    *place.Place
	Again    func(ctx context.Context) (*place.Place, error) // boots a place like Place; nil = there is none
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
		Unit: u, Profile: p, Named: named, Version: o.Place.SystemdVersion(),
		Secrets: generator.Secrets(o.Profiles, settings, u),
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
