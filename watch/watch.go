// Package watch records what the kernel refuses hardened services in production, and which directive of the plan that
// they really run under refuses it.
//
// Call [Run]. It follows services as they start and stop, by their cgroups, reports each new refusal once, and counts
// it afterwards in the log of the unit. It changes no hardening: somebody who attacks a service is refused things, too.
//
// Limits: it sees system calls as they end, and not whether a filter or the kernel refused them; what a filter answers
// for the unit's own sake is taken for the plan's if the plan refuses the same. It does not see what io_uring does.
// What a process does that has stayed from an earlier start is taken for the present start's.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"github.com/fsnotify/fsnotify"

	"temper/harness/witness"
	"temper/internal/refusallog"
)

// A Reporter is told what is new.
type Reporter interface {
	// New reports a refusal that was not known.
	New(unit string, r refusallog.Refusal) error
	// Note reports something else about a unit; of no unit if it is "".
	Note(unit, text string) error
}

// Options say what is watched and where it is kept.
type Options struct {
	Cgroups  string   // the mount point of cgroup2
	Starts   string   // where systemd notes each start of a unit: /run/systemd/units; "" is not known
	Units    []string // only these; nil is every hardened service
	Plans    Plans
	Reporter Reporter
	Log      *refusallog.Store // nil keeps nothing
	Every    time.Duration     // how often the logs are written; 0 is every ten seconds
	// Ready is called as soon as what runs is followed; nil is nobody.
	Ready func()
}

// Run watches until ctx ends. The error wraps [witness.ErrUnsupported] where this kernel does not let it.
func Run(ctx context.Context, o Options) error {
	if o.Every == 0 {
		o.Every = 10 * time.Second
	}
	monitor, err := witness.NewMonitor()
	if err != nil {
		return err
	}
	tree, err := openCgroups(o.Cgroups, o.Starts)
	if err != nil {
		return errors.Join(err, monitor.Close())
	}
	w := &watcher{
		Options: o, monitor: monitor, tree: tree, services: map[uint64]*service{}, unwatched: map[string]string{},
		unlogged: map[string]string{},
	}
	read := make(chan error, 1)
	go func() { read <- w.read() }()
	w.scan(ctx, true)
	if o.Ready != nil {
		o.Ready()
	}
	err = w.follow(ctx, read)
	return errors.Join(err, w.flush(), tree.changes.Close())
}

// watcher is a running watch.
type watcher struct {
	Options
	monitor *witness.Monitor
	tree    *cgroups
	lost    uint64 // refusals for which the buffer had no room, when last read

	mu        sync.Mutex
	services  map[uint64]*service // by cgroup id
	unwatched map[string]string   // units that cannot be watched, and why
	unlogged  map[string]string   // units whose logs cannot be written, and why
}

// follow follows units and writes logs until ctx or the reading ends.
func (w *watcher) follow(ctx context.Context, read <-chan error) error {
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return errors.Join(w.count(), w.monitor.Close(), <-read)
		case err := <-read:
			return errors.Join(err, w.monitor.Close())
		case e := <-w.tree.changes.Events:
			if w.tree.isChange(e) {
				w.scan(ctx, false)
			}
		case err := <-w.tree.changes.Errors: // too many at once: the list is read again
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return errors.Join(fmt.Errorf("follow cgroups: %w", err), w.monitor.Close(), <-read)
			}
			w.scan(ctx, false)
		case <-tick.C:
			w.scan(ctx, false)
			if err := w.count(); err != nil {
				w.note("", err.Error())
			}
			_ = w.flush() // it is told
		}
	}
}

// wanted reports whether a service is to be watched.
func (w *watcher) wanted(name string) bool {
	return (w.Units == nil || slices.Contains(w.Units, name)) && w.Plans.Hardened(name)
}

// scan follows the services that have appeared, and those no longer that are gone.
func (w *watcher) scan(ctx context.Context, running bool) {
	found := w.tree.services()
	w.mu.Lock()
	defer w.mu.Unlock()
	there := map[uint64]bool{}
	for name, id := range found {
		there[id] = true
		start := w.tree.start(name)
		if s := w.services[id]; s != nil {
			if s.ended || start == "" || s.start == start { // without a start it is stopping
				continue
			}
			w.end(s)
		}
		if !w.wanted(name) {
			continue
		}
		err := w.begin(ctx, name, id, start, running)
		if err != nil && w.unwatched[name] != err.Error() { // it is tried again each time
			w.note(name, "is not watched: "+err.Error())
			w.unwatched[name] = err.Error()
		}
	}
	for id, s := range w.services {
		if !there[id] && !s.ended {
			w.end(s)
		}
	}
}

// end no longer follows a service. Its last refusals may be unread yet: the next flush but one lets it go.
func (w *watcher) end(s *service) {
	s.ended = true
	w.countSuppressed(s)
	_ = w.monitor.Forget(s.cgroup) // a cgroup that is gone makes no calls
}

// begin follows a service. The kernel reports from the first moment, and what it reports waits for the plan.
func (w *watcher) begin(ctx context.Context, name string, id uint64, start string, running bool) error {
	if !running {
		if err := w.monitor.Follow(id, witness.AllErrnos()); err != nil {
			return err
		}
	}
	plan, err := w.Plans.Plan(ctx, name, running)
	if err != nil {
		return errors.Join(err, w.monitor.Forget(id))
	}
	if len(plan.applied) == 0 {
		w.note(name, "runs without what is decided, and is watched from its next start on")
	}
	for _, s := range w.services {
		if s.unit == name { // what its last start was refused is known
			_ = w.write(s) // it is told
		}
	}
	var log refusallog.Log
	if w.Log != nil { // that there is a log says since when the unit is watched
		_ = w.logged(name, w.Log.Update(name, func(l *refusallog.Log) { log = *l })) // it is told
	}
	w.services[id] = newService(name, id, start, plan, log)
	return w.monitor.Follow(id, witness.Errnos(plan.service.RefusedKinds(plan.applied)))
}

// read takes refusals from the kernel until the monitor is closed.
func (w *watcher) read() error {
	var record ringbuf.Record
	for {
		id, d, err := w.monitor.Read(&record)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		w.mu.Lock()
		s := w.services[id]
		if s == nil {
			w.mu.Unlock()
			continue
		}
		r, report := s.add(d, time.Now().Truncate(time.Second))
		w.mu.Unlock()
		if report {
			_ = w.Reporter.New(s.unit, r) // it is in the log too
		}
	}
}

// note reports something; a journal that takes nothing is no reason to stop.
func (w *watcher) note(unit, text string) { _ = w.Reporter.Note(unit, text) }

// count reads what the kernel has only counted.
func (w *watcher) count() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.services {
		if !s.ended {
			w.countSuppressed(s)
		}
	}
	lost, err := w.monitor.Dropped()
	if lost > w.lost {
		w.note("", fmt.Sprintf("%d refusals were lost, since the buffer was full", lost-w.lost))
		w.lost = lost
	}
	return err
}

// countSuppressed notes how many refusals of a service came too fast.
func (w *watcher) countSuppressed(s *service) {
	if n, err := w.monitor.Suppressed(s.cgroup); err == nil && n > s.suppressed { // a service that is gone has none
		s.missed += n - s.suppressed
		s.suppressed = n
	}
}

// flush writes the logs, and lets services go that have ended before the last flush.
func (w *watcher) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var problems []error
	for id, s := range w.services {
		if s.unreported > 0 {
			w.note(s.unit, fmt.Sprintf("was refused %d more new things: temper show %s", s.unreported, s.unit))
		}
		s.reports, s.unreported = 0, 0
		changed := s.changed()
		if changed {
			problems = append(problems, w.write(s))
		}
		if s.ended && (!changed || s.changed()) { // it is over, or its log takes nothing
			delete(w.services, id)
		}
	}
	return errors.Join(problems...)
}

// write adds to the log of a unit what it does not have yet. What the log does not take is tried again later.
func (w *watcher) write(s *service) error {
	if w.Log != nil {
		if err := w.logged(s.unit, w.Log.Update(s.unit, s.addTo)); err != nil {
			return err
		}
	}
	s.added()
	return nil
}

// logged reports the error of the log of a unit, once as long as it stays the same, and returns it.
func (w *watcher) logged(name string, err error) error {
	if err == nil {
		delete(w.unlogged, name)
		return nil
	}
	err = fmt.Errorf("its log: %w", err)
	if w.unlogged[name] != err.Error() {
		w.note(name, err.Error())
		w.unlogged[name] = err.Error()
	}
	return fmt.Errorf("%s: %w", name, err)
}
