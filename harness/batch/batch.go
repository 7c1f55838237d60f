// Package batch proves many units, one after the other or in parallel, and stores their verdicts. Each worker has its
// own place.
//
// Call [Run]. An error in the proof of one unit does not stop the others.
package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"temper/harness"
	"temper/harness/lock"
	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/quote"
	"temper/internal/verdict"
	"temper/needs"
	"temper/profiles"
)

// Options say which units are proven, where, and which verdicts are stored.
type Options struct {
	Root     host.Root
	Place    string // where trials run: Auto, Host or Container
	Trusted  bool   // the root of a container has the rights of this machine's root; see [place.Options]
	Units    []string
	Jobs     int // how many units are proven side by side
	Profiles *profiles.Set
	Profile  *profiles.Profile // nil: the one of Profiles that applies to each unit
	Tighten  bool              // also find what the profiles allow without need
	Store    verdict.Store
	Strict   bool // a demotion, a check that did not run, or more exposure than the profile allows is a finding
	// NoRegress keeps a stored verdict that is better than the new one; the difference is a finding.
	NoRegress  bool
	OnlyProven bool // only the verdict proven replaces a stored verdict
	NoLogs     bool // nothing that a service logged or answered is reported or stored
	Report     Report
}

// A Report receives the progress and the results of a batch. Several goroutines call its methods.
type Report interface {
	Step(unit, text string)   // one more step towards a verdict
	Result(v verdict.Verdict) // a unit is done
	Done(unit string)         // a unit is done without a verdict
	Warn(err error)
}

// An Outcome says how a batch ended. It is the worst outcome of all units.
type Outcome int

// Outcomes, the best first.
const (
	Clean     Outcome = iota // everything is proven
	Findings                 // everything works, and something needs attention: a unit may only be started
	Undecided                // a unit is neither proven nor started
)

// Run proves the units and returns their verdicts in the same order. It returns an error if the batch could not go on;
// then the units that were not tried are inconclusive.
func Run(ctx context.Context, o Options) ([]verdict.Verdict, Outcome, error) {
	if err := place.RemoveLeftovers(ctx); err != nil { // leftovers do not disturb proofs
		o.Report.Warn(fmt.Errorf("clear what a killed proof left: %w", err))
	}
	b := &batch{Options: o}
	queue := make(chan string)
	var workers sync.WaitGroup
	failed := make([]error, min(o.Jobs, len(o.Units)))
	for i := range failed {
		workers.Go(func() { failed[i] = b.work(ctx, queue) })
	}
	for _, name := range o.Units {
		queue <- name
	}
	close(queue)
	workers.Wait()
	slices.SortStableFunc(b.verdicts, func(x, y verdict.Verdict) int {
		return slices.Index(o.Units, x.Unit) - slices.Index(o.Units, y.Unit)
	})
	if ctx.Err() != nil {
		return b.verdicts, Undecided, errors.New("interrupted; nothing is left behind")
	}
	return b.verdicts, b.worst, cmp.Or(failed...)
}

// A batch is one call of Run. Its workers share the results.
type batch struct {
	Options

	mu       sync.Mutex
	verdicts []verdict.Verdict
	worst    Outcome
}

// work takes units from the queue and proves them in its own place. It always empties the queue, also after an error.
func (b *batch) work(ctx context.Context, queue <-chan string) error {
	open := func() (openedPlace, error) {
		where, err := b.openPlace(ctx)
		return where, b.told(err)
	}
	where, err := open()
	used := false
	for name := range queue {
		if err == nil && used && !where.asOpened(ctx) {
			where.Close()
			where, err = open()
		}
		if why := cmp.Or(err, ctx.Err()); why != nil {
			b.add(inconclusive(name, why), Clean)
			continue
		}
		used = true
		err = b.prove(ctx, where.Place, name)
	}
	if where.Place != nil {
		where.Close()
	}
	return err
}

// told is an error as it may be reported.
func (b *batch) told(err error) error {
	if b.NoLogs {
		return quote.Without(err)
	}
	return err
}

func (b *batch) add(v verdict.Verdict, outcome Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.verdicts = append(b.verdicts, v)
	b.worst = max(b.worst, outcome)
}

// inconclusive is the verdict on a unit that could not be tried, for reports: a unit that is missing there would seem
// to be fine. It is never stored.
func inconclusive(name string, why error) verdict.Verdict {
	return verdict.Verdict{
		Unit: name, Result: verdict.Inconclusive, Reason: why.Error(),
		Applied: []verdict.Applied{}, Demotions: []verdict.Demotion{}, LeftOut: []verdict.LeftOut{},
		Advisories: []verdict.Evidence{},
	}
}

// prove proves one unit in a place and stores its verdict. It returns an error if the batch cannot go on.
func (b *batch) prove(ctx context.Context, where *place.Place, name string) error {
	if err := b.Store.Replaceable(name); err != nil {
		b.Report.Warn(err)
		b.add(inconclusive(name, err), Undecided)
		return nil
	}
	release, err := lock.Proof(ctx, b.Root, name, func() { b.Report.Step(name, "waits for another proof of it") })
	if err != nil {
		b.add(inconclusive(name, err), Clean)
		return err
	}
	defer release()
	var trials []verdict.Trial
	o := harness.Options{
		Place: where, Profiles: b.Profiles, Profile: b.Profile, Unit: name, Tighten: b.Tighten,
		Trial: func(t verdict.Trial) { trials = append(trials, t) },
	}
	if !b.NoLogs { // a step says why a trial failed
		o.Progress = func(text string) { b.Report.Step(name, text) }
	}
	if old, err := b.Store.Get(name); err == nil {
		o.EarlierDemotions = old.Demotions
	}
	observed, err := needs.Store{Root: b.Root}.Get(name)
	if err != nil {
		b.Report.Warn(fmt.Errorf("what %s uses on this machine does not count: %w", name, err))
	}
	o.Used = observed.Accepted()
	if where.Kind() == "container" {
		o.NewPlace = func(ctx context.Context) (*place.Place, error) { return b.container(ctx) }
	}
	v, err := harness.Prove(ctx, o)
	err = b.told(err)
	switch {
	case ctx.Err() != nil: // Run reports the interruption
		b.Report.Done(name)
	case err != nil:
		b.Report.Done(name)
		if !strings.HasPrefix(err.Error(), name+": ") {
			err = fmt.Errorf("%s: %w", name, err)
		}
		b.Report.Warn(err)
	default:
		if b.NoLogs {
			v = v.Shared()
		}
		b.Report.Result(v)
	}
	if err != nil {
		b.add(inconclusive(name, err), Undecided)
		return nil
	}
	outcome, err := b.keep(v, trials)
	b.add(v, outcome)
	return err
}
