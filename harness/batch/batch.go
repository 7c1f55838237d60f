// Package batch proves many units, one after the other or side by side, each worker in a place of its own, and stores
// what was found.
//
// What goes wrong with one unit does not keep the batch from the others.
package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"temper/harness"
	"temper/harness/lock"
	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/verdict"
	"temper/profiles"
)

// Options say what is proven, where, and what becomes of the verdicts.
type Options struct {
	Root     host.Root
	Place    string // where trials run: Auto, Host or Container
	Trusted  bool   // the root of a container may do to this machine what root can; see [place.Options]
	Units    []string
	Jobs     int // how many units are proven side by side
	Profiles *profiles.Set
	Profile  *profiles.Profile // nil: the one of Profiles that applies to each unit
	Tighten  bool              // also find what the profiles name without need
	Store    verdict.Store
	Strict   bool // a demotion, or more exposure than the profile allows, is a finding
	// NoRegress keeps a stored verdict that is better than what is found; the difference is a finding.
	NoRegress  bool
	OnlyProven bool // what is stored is kept unless a unit is proven
	NoLogs     bool // nothing that a service logged or answered is reported or stored
	Report     Report
}

// A Report is told what happens. Its methods are called by several goroutines.
type Report interface {
	Step(unit, text string)   // one more step towards a verdict
	Result(v verdict.Verdict) // a unit is done
	Done(unit string)         // a unit is done without a verdict
	Warn(err error)
}

// An Outcome says how a batch ended; of several units the worst counts.
type Outcome int

// Outcomes, the best first.
const (
	Clean     Outcome = iota // everything is proven
	Findings                 // everything is proven, and something asked for attention
	Undecided                // a unit is not proven
)

// Run proves the units and returns what was found, in their order. The error is set where the batch could not go on;
// units that were not tried are inconclusive then.
func Run(ctx context.Context, o Options) ([]verdict.Verdict, Outcome, error) {
	if err := place.RemoveLeftovers(ctx); err != nil { // it is in nobody's way
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

// A batch is one run. Its workers share what they found.
type batch struct {
	Options

	mu       sync.Mutex
	verdicts []verdict.Verdict
	worst    Outcome
}

// work takes units from the queue and proves them in a place of its own. It empties the queue whatever happens.
func (b *batch) work(ctx context.Context, queue <-chan string) error {
	where, err := b.openPlace(ctx)
	for name := range queue {
		if err == nil && (where.Err() != nil || !where.Bus().Connected()) { // a service has taken it down
			where.Close()
			where, err = b.openPlace(ctx)
		}
		if why := cmp.Or(err, ctx.Err()); why != nil {
			b.add(inconclusive(name, why), Clean)
			continue
		}
		err = b.prove(ctx, where, name)
	}
	if where != nil {
		where.Close()
	}
	return err
}

func (b *batch) add(v verdict.Verdict, outcome Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.verdicts = append(b.verdicts, v)
	b.worst = max(b.worst, outcome)
}

// inconclusive is what a report says of a unit that could not be tried: if it were missing there, it would seem to be
// in order. Nobody keeps it as a verdict.
func inconclusive(name string, why error) verdict.Verdict {
	return verdict.Verdict{
		Unit: name, Result: verdict.Inconclusive, Reason: why.Error(),
		Applied: []verdict.Applied{}, Demotions: []verdict.Demotion{}, LeftOut: []verdict.LeftOut{},
		Advisories: []verdict.Evidence{},
	}
}

// prove proves one unit in a place and stores its verdict. The error is set where the batch cannot go on.
func (b *batch) prove(ctx context.Context, where *place.Place, name string) error {
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
	if where.Kind() == "container" {
		o.Again = func(ctx context.Context) (*place.Place, error) { return b.container(ctx) }
	}
	v, err := harness.Prove(ctx, o)
	switch {
	case ctx.Err() != nil: // the batch says so itself
		b.Report.Done(name)
	case err != nil:
		b.Report.Done(name)
		b.Report.Warn(fmt.Errorf("%s: %w", name, err))
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
