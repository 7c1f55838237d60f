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
	"temper/harness/search"
	"temper/harness/trial"
	"temper/harness/usage"
	"temper/harness/witness"
	"temper/internal/host"
	"temper/internal/scarce"
	"temper/internal/unit"
	"temper/profiles"
)

// A series makes the launches of one proof. It owns what changes from launch to launch: the place of the next one, and
// what the launches without hardening showed.
type series struct {
	unit     *unit.Unit
	profile  *profiles.Profile
	stem     string                                          // the beginning of the names of the transient units
	newPlace func(ctx context.Context) (*place.Place, error) // boots a place like the first; nil = impossible

	protection  hostProtection
	current     readyPlace          // the place of the next launch
	next        *bootingPlace       // the place of the launch after that; nil while none boots
	alwaysFresh bool                // each further launch is the first one of the service in its place
	launches    int                 // number of launches so far
	patience    search.Patience     // of the next launch
	baselines   []trial.Result      // launches without hardening that passed; hardened ones are compared with them
	failed      []observe.Launch    // without hardening
	unhardened  confine.Confinement // of a launch without hardening; the zero value until there is one
	placeFault  string              // why the place may have caused a failure; empty if there is no sign
	setAside    []usage.SetAside    // checks that fail alike without hardening
	limits      []string            // limits of the place that launches reached and passed
	noWitness   error               // why there is no witness; nil while there is one
	leftOnHost  []string            // what the first launch made on the host and the next boot removes

	noProbes         bool // a client ends the service, so it is only asked by its checks
	recordsUses      bool // what the service uses is recorded
	recordsFiles     bool // and each file that it sees
	disableOriginals bool // nothing may start the service itself during a trial
}

// errNotWanted is the reason for a missing witness if the caller wants none.
var errNotWanted = errors.New("not wanted")

// newSeries prepares the first launch: it makes sure that trials disturb nothing, and runs the setup commands of the
// profile. The caller closes the series.
func newSeries(ctx context.Context, o Options, u *unit.Unit, p *profiles.Profile) (_ *series, err error) {
	stem, err := clone.NewStem()
	if err != nil {
		return nil, err
	}
	s := &series{unit: u, profile: p, stem: stem, newPlace: o.NewPlace, current: readyPlace{Place: o.Place}}
	if o.WithoutWitness {
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

// close undoes what newSeries has done, also after ctx has ended.
func (s *series) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	var unused error
	if s.next != nil {
		unused = s.next.discard()
	}
	return errors.Join(s.unprotect(ctx), s.leavePlace(ctx), unused)
}

// launcher returns what launches the service in the current place.
func (s *series) launcher() trial.Launcher {
	return trial.Launcher{
		Place: s.current.Place, Profile: withLimits(s.profile, s.limitsFactor()), Stem: s.stem,
		Clone: clone.Clone{
			Unit: s.unit, Activation: s.current.activation, NoDevices: s.current.Kind() != "host",
			Requires: s.protection.unit, SharesBusName: s.current.sharesBusName,
			OwnSlice: !s.current.Trusted(),
		},
	}
}

// launch launches the service once under a plan. It returns an error only if the launch says nothing about the service:
// the place has ended, or ctx has. If another unit starts the service itself meanwhile, launch disables the originals
// and tries once more; and if a client that only asks ends the service, nothing but its checks asks it from then on.
func (s *series) launch(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	result, err := s.launchOnce(ctx, plan)
	if err == nil && result.EndedByProbe {
		s.noProbes = true
		result, err = s.launchOnce(ctx, plan)
	}
	if !errors.Is(err, trial.ErrOriginalStarted) || s.disableOriginals {
		return result, err
	}
	s.disableOriginals = true
	if err := s.stopOriginals(ctx); err != nil {
		return result, err
	}
	return s.launchOnce(ctx, plan)
}

func (s *series) launchOnce(ctx context.Context, plan generator.Plan) (trial.Result, error) {
	release, err := lock.Manager(ctx, s.current.Place, lock.Trial)
	if err != nil {
		return trial.Result{}, err
	}
	defer release()
	if err := notRunning(ctx, s.current.Place, s.unit.ID); err != nil { // it may have been started since
		return trial.Result{}, err
	}
	if s.alwaysFresh && s.launches > 0 {
		if err := s.useFreshPlace(ctx); err != nil {
			return trial.Result{}, err
		}
	}
	ctx, cancel := whileRuns(ctx, s.current.Place)
	defer cancel()
	s.launches++
	reached := s.current.LimitsReached()
	factor := s.limitsFactor()
	result, err := s.launcher().Launch(ctx, trial.Request{
		Plan: plan, Baselines: s.observedBaselines(), Unhardened: s.unhardened, Witness: s.noWitness == nil,
		Uses:       s.recordsUses,
		Files:      s.recordsFiles,
		StartAgain: s.alwaysFresh, Lasting: s, Skip: s.notJudged(), NoProbes: s.noProbes,
		JobLimit: jobLimit(plan, s.baselines, s.patience),
	})
	if err = errors.Join(err, s.noteWitness(result.NoWitness)); err != nil {
		return result, err
	}
	result.Share *= factor // of the limits of the profile
	result.Withheld = blame.Withheld(result.Refused, s.current.Withholds)
	result.Limits = s.current.LimitsReached().Since(reached)
	if result.Dropin == "" && s.unhardened.Mounts == nil {
		s.unhardened = result.Confinement
	}
	if result.Dropin == "" {
		s.addBaseline(result)
	}
	if s.profile.Prove.LikeBaseline {
		result = result.Compare(s.observedBaselines())
	}
	if result.OK {
		s.limits = append(s.limits, result.Limits...)
	}
	if s.placeFault == "" {
		s.placeFault = placeFault(s.current.Place, s.unit, result)
	}
	return result, nil
}

// noteWitness notes why a launch had no witness. That the machine has too little left for one is an error: a proof that
// is half seen says too little.
func (s *series) noteWitness(missing error) error {
	if scarce.Is(missing) {
		return missing
	}
	if s.noWitness == nil {
		s.noWitness = missing
	}
	return nil
}

// addBaseline adds a launch without hardening to the baselines, if it passed. What one that failed has logged, a
// hardened launch may log too.
func (s *series) addBaseline(r trial.Result) {
	if !r.OK {
		s.failed = append(s.failed, r.Seen)
		return
	}
	for _, f := range s.failed {
		r.Seen.AddLinesOf(f)
	}
	s.baselines = append(s.baselines, r)
}

// Root is the file tree of the current place.
func (s *series) Root() host.Root { return s.current.Root() }

// ExistedAtStart reports whether a file of the current place existed before its first launch.
func (s *series) ExistedAtStart(name string) bool { return s.current.ExistedAtStart(name) }

// observedBaselines returns what the launches without hardening showed.
func (s *series) observedBaselines() observe.Baselines {
	var list observe.Baselines
	for _, b := range s.baselines {
		list = append(list, b.Seen)
	}
	return list
}

// refusedToBaselines returns what the kernel refused in each launch without hardening.
func (s *series) refusedToBaselines() []witness.Record {
	var list []witness.Record
	for _, b := range s.baselines {
		list = append(list, b.Refused)
	}
	return list
}

// waiters are programs that only wait. Every system has one of them.
var waiters = []string{"/usr/bin/sleep", "/bin/sleep"}

// standIn reads the confinement of a program that runs instead of a service whose own process has ended already.
func (s *series) standIn(ctx context.Context, plan generator.Plan) (confine.Confinement, error) {
	exists := blame.NewService(generator.Input{Unit: s.unit}, s.current).Exists
	i := slices.IndexFunc(waiters, exists)
	if i < 0 {
		return confine.Confinement{}, nil
	}
	release, err := lock.Manager(ctx, s.current.Place, lock.Trial)
	if err != nil {
		return confine.Confinement{}, err
	}
	defer release()
	if s.unhardened.Mounts == nil {
		without, err := s.launcher().StandIn(ctx, trial.Request{}, waiters[i])
		if err != nil {
			return without, err
		}
		s.unhardened = without
	}
	return s.launcher().StandIn(ctx, trial.Request{Plan: plan, Unhardened: s.unhardened}, waiters[i])
}

// whileRuns returns a context that ends when the place ends. The caller must call stop.
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

// A hardened launch may take this many times as long as the slowest without hardening did, and with search.Longer twice
// that.
const (
	spareTime  = 4.0
	longerTime = 2.0
)

// limitsFactor is by how much the limits of the profile are extended for the next launch: its writer did not know this
// machine.
func (s *series) limitsFactor() float64 { return timeFactor(s.baselines, s.patience) }

func timeFactor(baselines []trial.Result, patience search.Patience) float64 {
	factor := 1.0
	for _, b := range baselines {
		factor = max(factor, spareTime*b.Share)
	}
	if patience == search.Longer {
		factor *= longerTime
	}
	return factor
}

// A start, reload or stop may take this many times as long as the slowest without hardening did, at least leastJob: one
// that hangs under hardening is no reason to wait as long as the profile allows.
const (
	spareJob = 20
	leastJob = 10 * time.Second
)

// jobLimit is how long each start, reload and stop of a launch may take; 0 is as long as the profile allows, for those
// without hardening.
func jobLimit(plan generator.Plan, baselines []trial.Result, patience search.Patience) time.Duration {
	if len(plan.Items) == 0 || len(baselines) == 0 {
		return 0
	}
	limit := leastJob
	for _, b := range baselines {
		limit = max(limit, spareJob*b.Slowest)
	}
	if patience == search.Longer {
		limit = time.Duration(longerTime * float64(limit))
	}
	return limit
}

// withLimits returns a profile whose limits of time are longer by a factor.
func withLimits(p *profiles.Profile, factor float64) *profiles.Profile {
	longer := func(d time.Duration) time.Duration { return time.Duration(float64(d) * factor) }
	scaled := *p
	scaled.Prove.Timeout = longer(p.Prove.Timeout)
	scaled.Checks = slices.Clone(p.Checks)
	for i, c := range p.Checks {
		if c.Timeout <= 0 {
			c.Timeout = profiles.DefaultCheckTimeout
		}
		scaled.Checks[i].Timeout, scaled.Checks[i].Retry = longer(c.Timeout), longer(c.Retry)
	}
	return &scaled
}
