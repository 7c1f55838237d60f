package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/verdict"
)

// A batch proves units, one after the other or side by side. What goes wrong with one does not keep it from the others.
type batch struct {
	*app
	flags   proveFlags
	root    host.Root
	options harness.Options
	store   verdict.Store

	mu       sync.Mutex
	verdicts []verdict.Verdict
	worst    int // exit code
	board    *board
}

// run proves the units and returns an error whose exit code is the worst of all.
func (b *batch) run(ctx context.Context, units []string) error {
	if err := place.Sweep(ctx); err != nil { // it is in nobody's way
		fmt.Fprintf(b.err, "temper: clear what a killed proof left: %v\n", err)
	}
	b.board = newBoard(b.app)
	queue := make(chan string)
	var workers sync.WaitGroup
	failed := make([]error, min(b.flags.jobs, len(units)))
	for i := range failed {
		workers.Go(func() { failed[i] = b.work(ctx, queue) })
	}
	for _, name := range units {
		queue <- name
	}
	close(queue)
	workers.Wait()
	b.board.end()
	slices.SortStableFunc(b.verdicts, func(x, y verdict.Verdict) int {
		return slices.Index(units, x.Unit) - slices.Index(units, y.Unit)
	})
	if ctx.Err() != nil {
		return errors.New("interrupted; nothing is left behind")
	}
	if err := errors.Join(failed...); err != nil {
		return failed[slices.IndexFunc(failed, func(e error) bool { return e != nil })]
	}
	if b.worst != exitOK {
		return exitError(b.worst)
	}
	return nil
}

// work takes units from the queue and proves them in a place of its own. It empties the queue whatever happens.
func (b *batch) work(ctx context.Context, queue <-chan string) error {
	o := b.options
	where, err := openPlace(ctx, b.flags, b.root)
	for name := range queue {
		if err == nil && (where.Err() != nil || !where.Bus().Connected()) { // a service has taken it down
			where.Close()
			where, err = openPlace(ctx, b.flags, b.root)
		}
		if why := cmp.Or(err, ctx.Err()); why != nil {
			b.add(inconclusive(name, why))
			continue
		}
		o.Place = where
		if where.Kind() == "container" {
			o.Again = func(ctx context.Context) (*place.Place, error) { return container(ctx, b.root) }
		}
		err = b.prove(ctx, o, name)
	}
	if where != nil {
		where.Close()
	}
	return err
}

func (b *batch) add(v verdict.Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.verdicts = append(b.verdicts, v)
}

// inconclusive is what a report says of a unit that could not be tried: if it were missing there, it would seem to be in order.
// Nobody keeps it as a verdict.
func inconclusive(name string, why error) verdict.Verdict {
	return verdict.Verdict{
		Unit: name, Result: verdict.Inconclusive, Reason: why.Error(),
		Applied: []verdict.Applied{}, Demotions: []verdict.Demotion{}, LeftOut: []verdict.LeftOut{}, Advisories: []verdict.Evidence{},
	}
}

// prove proves one unit and keeps its verdict. The error is set where the batch cannot go on.
func (b *batch) prove(ctx context.Context, o harness.Options, name string) error {
	release, err := harness.Alone(ctx, b.root, name, func() { b.board.show(name, "waits for another proof of it") })
	if err != nil {
		b.add(inconclusive(name, err))
		return err
	}
	defer release()
	var trials []verdict.Trial
	o.Unit = name
	o.Progress = func(text string) { b.board.show(name, text) }
	o.Trial = func(t verdict.Trial) { trials = append(trials, t) }
	v, err := harness.Prove(ctx, o)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.board.done(name, func() {
		switch {
		case ctx.Err() != nil: // the batch says so itself
		case err != nil:
			b.warn(fmt.Errorf("%s: %w", name, err))
		case b.format == "text":
			b.printVerdict(v)
		}
	})
	if err != nil {
		b.verdicts = append(b.verdicts, inconclusive(name, err))
		b.worst = exitFailed
		return nil
	}
	b.verdicts = append(b.verdicts, v)
	code, err := b.keep(v, trials)
	b.worst = max(b.worst, code)
	return err
}

// keep stores a verdict unless --no-regress forbids it, and says what it means for the exit code.
func (b *batch) keep(v verdict.Verdict, trials []verdict.Trial) (int, error) {
	old, err := b.store.Get(v.Unit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.warn(fmt.Errorf("%w; it is replaced", err))
	}
	if why := weaker(v, old); b.flags.noRegress && err == nil && why != "" {
		b.warn(fmt.Errorf("%s: %s: the stored verdict is kept, beside the trials of this proof", v.Unit, why))
		return exitFindings, b.store.PutTrials(v.Unit, trials)
	}
	if err := b.store.PutProof(v, trials); err != nil {
		return exitFailed, err
	}
	switch {
	case v.Result != verdict.Proven:
		return exitFailed, nil
	case b.flags.strict && (len(v.Demotions) > 0 || b.exceeds(v)), len(v.Loose) > 0:
		return exitFindings, nil
	}
	return exitOK, nil
}

// exceeds reports, and says, that a hardened service keeps more exposure than its profile lets it.
func (b *batch) exceeds(v verdict.Verdict) bool {
	p := b.options.Profile
	if p == nil {
		p, _ = b.options.Profiles.Get(v.Profile)
	}
	if p == nil || p.Prove.Exposure == 0 || v.Exposure.After <= p.Prove.Exposure {
		return false
	}
	b.warn(fmt.Errorf("%s: exposure %.1f, the profile wants %.1f at most", v.Unit, v.Exposure.After, p.Prove.Exposure))
	return true
}
