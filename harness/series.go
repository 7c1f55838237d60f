package harness

import (
	"context"
	"errors"
	"slices"
	"time"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/clone"
	"temper/harness/confine"
	"temper/harness/lock"
	"temper/harness/observe"
	"temper/harness/place"
	"temper/harness/trial"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/profiles"
)

// series is the launches of one proof. It owns what changes between them: where the next one is made, and what those
// without hardening showed.
type series struct {
	unit    *unit.Unit
	profile *profiles.Profile
	stem    string                                          // of the transient units' names
	another func(ctx context.Context) (*place.Place, error) // boots a place like the first; nil if there is none

	protection hostProtection
	at         readyPlace // where launches are made
	fresh      bool       // each further launch is the first one of the service in its place
	count      int
	baselines  []trial.Result // without hardening, passed: what hardened ones are compared with
	doubt      string         // why the place, not the service, may be what failed; empty if nothing says so
	noWitness  error          // why there is no witness; nil while there is one
	remains    []string       // what the first launch left on the host, and what is gone after a reboot

	disableOriginals bool // the service itself is kept from being started beside a trial
}

// errNotWanted is why there is no witness where none is wanted.
var errNotWanted = errors.New("not wanted")

// newSeries makes everything ready for the first launch: trials will disturb nothing, and what the profile wants done
// before is done. The caller closes it.
func newSeries(ctx context.Context, o Options, u *unit.Unit, p *profiles.Profile) (_ *series, err error) {
	stem, err := clone.NewStem()
	if err != nil {
		return nil, err
	}
	s := &series{unit: u, profile: p, stem: stem, another: o.Again, at: readyPlace{Place: o.Place}}
	if o.Blind {
		s.noWitness = errNotWanted
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	if err := notRunning(ctx, o.Place, u.ID); err != nil {
		return nil, err
	}
	if o.Place.Kind() == "host" {
		if err := s.protect(ctx); err != nil {
			return nil, err
		}
	}
	return s, s.prepare(ctx)
}

// close ends what newSeries has begun, also when ctx has ended.
func (s *series) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	return errors.Join(s.unprotect(ctx), s.leave(ctx))
}

// launcher launches the service where the series is now.
func (s *series) launcher() trial.Launcher {
	return trial.Launcher{
		Place: s.at.Place, Profile: s.profile, Stem: s.stem,
		Clone: clone.Clone{
			Unit: s.unit, Activation: s.at.activation, NoDevices: s.at.Kind() != "host",
			Requires: s.protection.unit, SharesBusName: s.at.sharesBusName,
			OwnSlice: !s.at.Trusted(),
		},
	}
}

// launch launches the service once under a plan. The error is set only where nothing can be said about the service: the
// place is gone, or ctx has ended.
func (s *series) launch(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	result, err := s.once(ctx, plan)
	if !errors.Is(err, trial.ErrOriginalStarted) || s.disableOriginals {
		return result, err
	}
	s.disableOriginals = true
	if err := s.makeRoom(ctx); err != nil {
		return result, err
	}
	return s.once(ctx, plan)
}

func (s *series) once(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	release, err := lock.Manager(ctx, s.at.Place, lock.Trial)
	if err != nil {
		return trial.Result{}, err
	}
	defer release()
	if err := notRunning(ctx, s.at.Place, s.unit.ID); err != nil { // it may have been started since
		return trial.Result{}, err
	}
	if s.fresh && s.count > 0 {
		if err := s.renew(ctx); err != nil {
			return trial.Result{}, err
		}
	}
	ctx, cancel := whileRuns(ctx, s.at.Place)
	defer cancel()
	s.count++
	result, err := s.launcher().Launch(ctx, trial.Request{
		Plan: plan, Baselines: s.seen(), Witness: s.noWitness == nil, StartAgain: s.fresh, Lasting: s,
	})
	if s.noWitness == nil {
		s.noWitness = result.NoWitness
	}
	if err != nil {
		return result, err
	}
	result.Withheld = blame.Withheld(result.Refused, s.at.Withholds)
	if s.doubt == "" {
		s.doubt = doubt(s.at.Place, result)
	}
	if result.Dropin == "" && result.OK {
		s.baselines = append(s.baselines, result)
	}
	if s.profile.Prove.LikeBaseline {
		result = result.Compare(s.seen())
	}
	return result, nil
}

// Root is the file tree of the place where launches are made now.
func (s *series) Root() host.Root { return s.at.Root() }

// Had reports whether what is at a path there was there before the first launch.
func (s *series) Had(name string) bool { return s.at.Had(name) }

// seen is what the launches without hardening showed.
func (s *series) seen() observe.Baselines {
	var list observe.Baselines
	for _, b := range s.baselines {
		list = append(list, b.Seen)
	}
	return list
}

// waiters are programs that wait, one of which every system has.
var waiters = []string{"/usr/bin/sleep", "/bin/sleep"}

// standIn finds out by a stand-in what holds for a service that leaves no process to look at.
func (s *series) standIn(ctx context.Context, plan generator.Plan) (confine.Confinement, error) {
	exists := blame.NewService(generator.Input{Unit: s.unit}, s.at).Exists
	i := slices.IndexFunc(waiters, exists)
	if i < 0 {
		return confine.Confinement{}, nil
	}
	release, err := lock.Manager(ctx, s.at.Place, lock.Trial)
	if err != nil {
		return confine.Confinement{}, err
	}
	defer release()
	return s.launcher().StandIn(ctx, plan, waiters[i])
}

// whileRuns ends a context when a place does not run any more. stop frees what it needs.
func whileRuns(ctx context.Context, where *place.Place) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-where.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); <-watched }
}
