package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/harness/observe"
	"temper/harness/place"
	"temper/harness/place/owner"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/profiles"
)

// A Trial is one launch of a service and what was seen.
type Trial = trial.Result

// unitDir is where a trial's drop-ins are; systemd reads them when the transient unit is made.
const unitDir = "/run/systemd/system"

// trials launches one service again and again in a place.
type trials struct {
	place   *place.Place
	own     *place.Place                                    // the same, if it is not that of the caller
	again   func(ctx context.Context) (*place.Place, error) // boots another; nil = there is no other
	renew   func(ctx context.Context) error                 // sees to it that the service never ran; nil = it may have
	manager *manager
	unit    *unit.Unit
	profile *profiles.Profile
	stem    string            // of the transient units' names
	began   time.Time         // when everything was ready for the first
	kept    map[string]string // by the kernel of the place at that time
	count   int

	cloning   *cloning // of the unit, once it is known
	guard     string   // the unit that keeps trials off the service's data, "" if none has to
	left      []string // what the first launch left on the host that no boot finds again
	alone     bool     // the original is kept from being started beside a trial
	blind     error    // why there is no witness; nil while there is one
	baselines []Trial  // those without hardening that passed: what hardened ones are compared with
}

// seen is what the launches without hardening showed.
func (t *trials) seen() observe.Baselines {
	var list observe.Baselines
	for _, b := range t.baselines {
		list = append(list, b.Seen)
	}
	return list
}

// judge compares a hardened trial that has not failed otherwise with all launches without hardening so far.
func (t *trials) judge(r Trial) Trial {
	if !t.profile.Prove.LikeBaseline {
		return r
	}
	return r.Compare(t.seen())
}

// run launches the service once under a plan. The error is set only where nothing can be said about the service: the place
// is gone, or ctx has ended.
func (t *trials) run(ctx context.Context, plan generator.Plan) (Trial, error) {
	result, err := t.once(ctx, plan)
	if !errors.Is(err, errBeside) || t.alone {
		return result, err
	}
	t.alone = true
	if err := t.makeRoom(ctx); err != nil {
		return result, err
	}
	return t.once(ctx, plan)
}

func (t *trials) once(ctx context.Context, plan generator.Plan) (Trial, error) {
	release, err := hold(ctx, t.place, unix.LOCK_SH)
	if err != nil {
		return Trial{}, err
	}
	defer release()
	if err := spare(ctx, t.place, t.manager, t.unit.ID); err != nil { // it may have been started since
		return Trial{}, err
	}
	if t.renew != nil && t.count > 0 {
		if err := t.renew(ctx); err != nil {
			return Trial{}, err
		}
	}
	ctx, cancel := whileRuns(ctx, t.place)
	defer cancel()
	t.count++
	result := Trial{Dropin: plan.Text(), Seen: observe.NewLaunch()}
	if t.cloning == nil {
		if err := t.prepare(ctx); err != nil {
			return result, err
		}
	}
	stem := fmt.Sprintf("%s-%d", t.stem, launches.Add(1))
	l := &launch{trials: t, plan: plan, name: t.cloning.service(stem), sockets: t.cloning.socketNames(stem), begin: time.Now(), result: &result}
	files := t.cloning.files(stem, result.Dropin)
	defer l.clear(ctx, slices.Sorted(maps.Keys(files)))
	if err := t.write(files); err != nil {
		return result, err
	}
	stop := t.watch(l.cgroup())
	err = l.life(ctx)
	result.Refused = stop()
	if err == nil {
		err = l.end(ctx)
	}
	if err == nil && t.beside(ctx, l.begin) {
		err = errBeside
	}
	result.Rename(stem, unit.Prefix(t.unit.ID))
	if err != nil {
		return result, fmt.Errorf("trial of %s: %w", t.unit.Name, err)
	}
	result.OK = len(result.Failures) == 0
	result.Took = time.Since(l.begin)
	if result.Dropin == "" && result.OK {
		t.baselines = append(t.baselines, result)
	}
	return t.judge(result), ctx.Err()
}

// launches counts the trials of this process, whatever their place: the names of units must not collide on one manager.
var launches atomic.Int64

// prepare finds out what is to be cloned, and sees to it that nothing is in the way on a manager that others use too.
func (t *trials) prepare(ctx context.Context) error {
	c, err := newCloning(t.place, t.unit)
	if err != nil {
		return err
	}
	c.guard = t.guard
	t.cloning = &c
	if t.place.Kind() != "host" {
		return t.makeRoom(ctx)
	}
	t.sweep(ctx)
	for _, socket := range c.sockets {
		if err := spare(ctx, t.place, t.manager, socket.ID); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom stops the original, and what starts it, where the place has started it for others: it would answer for the trial.
func (t *trials) makeRoom(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.profile.Prove.Timeout)
	defer cancel()
	if t.alone {
		if err := t.hollow(ctx); err != nil {
			return err
		}
	}
	for _, name := range append(slices.Clone(t.cloning.starts), t.unit.ID) {
		s, err := t.manager.state(ctx, name)
		if err != nil {
			continue // it is not loaded
		}
		t.cloning.named = t.cloning.named || name == t.unit.ID
		if s.Active == "inactive" || s.Active == "failed" {
			continue
		}
		result, err := t.manager.StopUnit(ctx, name)
		if err == nil && result != systemd.Done {
			err = errors.New("job " + result)
		}
		if err != nil {
			return fmt.Errorf("stop %s, which runs in the place: %w", name, err)
		}
	}
	return nil
}

// sweep clears the trials of processes that were killed: a container takes its own with it, the host keeps them.
func (t *trials) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	entries, _ := t.place.Root().ReadDir(unitDir) // without it there are none
	for _, e := range entries {
		if !owner.Gone(trialName.FindString(e.Name())) {
			continue
		}
		names, _ := t.manager.matching(ctx, strings.Replace(strings.TrimSuffix(e.Name(), ".d"), "@.", "@*.", 1))
		for _, name := range names {
			t.manager.Release(ctx, name)
		}
		t.removeUnit(e.Name())
	}
}

// trialStem begins the names of all trials; the id of the process that makes them follows, and when it started.
const trialStem = "temper-trial"

// trialName matches the part of a name that trials of one process share.
var trialName = regexp.MustCompile(`^` + trialStem + `-[0-9]+-[0-9]+-[0-9]+`)

// removeUnit removes a file or a directory of drop-ins that makes a trial.
func (t *trials) removeUnit(base string) {
	if name, err := t.place.Root().Path(path.Join(unitDir, base)); err == nil && filepath.Base(name) == base {
		os.RemoveAll(name)
	}
}

// watch starts the witness for one trial and returns how to stop it. Without a witness the search works too, with more
// launches: the reason is noted, once.
func (t *trials) watch(cgroup string) (stop func() witness.Record) {
	none := func() witness.Record { return witness.Record{} }
	if t.blind != nil {
		return none
	}
	w, err := witness.Start(filepath.Join(t.place.Cgroup(), cgroup))
	if err != nil {
		t.blind = err
		return none
	}
	return func() witness.Record {
		record, err := w.Stop()
		if err != nil {
			t.blind = err
		}
		return record
	}
}

func (t *trials) write(files map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := t.place.WriteFile(path.Join(unitDir, name), []byte(files[name]), 0o644); err != nil {
			return fmt.Errorf("write the trial of %s: %w", t.unit.Name, err)
		}
	}
	return nil
}

// clear takes the units of a trial and their files away, also when ctx has ended.
func (l *launch) clear(ctx context.Context, files []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	l.hangUp()
	for _, name := range l.sockets { // first: they start the service
		l.manager.Release(ctx, name)
	}
	services, _ := l.services(ctx) // a place that is gone has none
	for _, name := range services {
		l.manager.Release(ctx, name)
	}
	for _, file := range files {
		top, _, _ := strings.Cut(file, "/")
		l.removeUnit(top)
	}
}
