package trial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"temper/generator"
	"temper/harness/clone"
	"temper/harness/confine"
	"temper/harness/filechanges"
	"temper/harness/observe"
	"temper/harness/place"
	"temper/harness/witness"
	"temper/internal/journal"
	"temper/internal/scarce"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/needs/recorder"
	"temper/profiles"
)

// A Launcher launches one service in one place. Its fields are set before the first launch.
type Launcher struct {
	Place   *place.Place
	Profile *profiles.Profile
	Clone   clone.Clone
	Stem    string // the beginning of the names of the transient units; see [clone.NewStem]
}

// A Request says what one launch tries, and what earlier launches showed.
type Request struct {
	Plan       generator.Plan
	Baselines  observe.Baselines   // what launches without hardening showed
	Unhardened confine.Confinement // what a launch without hardening showed; the zero value if that is not known
	Witness    bool                // record what the kernel refuses to the service
	Uses       bool                // record what the service uses
	Files      bool                // with Uses: and each file that it sees
	StartAgain bool                // start the service once more after its stop
	NoProbes   bool                // ask the service nothing but what its checks ask
	JobLimit   time.Duration       // how long each start, reload and stop may take; 0 is as long as the profile allows
	Lasting    Lasting
	Skip       []CheckRun // checks that are not run, since they showed nothing without hardening
}

// Lasting finds out what a launch without hardening has made permanently.
type Lasting interface {
	// Made is called after the stop of the service, with the users, by their ids on this machine, as whom it ran. If it
	// returns anything, the launch starts the service once more, since a later start finds these files.
	Made(users map[uint32]bool) ([]string, error)
}

// ErrOriginalStarted says that a container has started the service itself during its trial, for another unit or for the
// bus. Clients may have reached the service instead of the trial, or it may have taken the port.
var ErrOriginalStarted = errors.New("the service itself was started beside the trial")

// Launch launches the service once under a plan. It returns an error only if the launch says nothing about the service:
// the place has ended, the original was started ([ErrOriginalStarted]), or ctx has ended.
func (s Launcher) Launch(ctx context.Context, r Request) (Result, error) {
	stem := clone.NewName(s.Stem)
	l := &launch{
		Launcher: s, Request: r, name: s.Clone.Service(stem), sockets: s.Clone.SocketNames(stem),
		begin: time.Now(), states: newStates(s.Place.Manager()), users: map[uint32]bool{},
		result: Result{Dropin: r.Plan.Text(), Seen: observe.NewLaunch()}, slice: s.slice(stem),
	}
	l.result.Seen.Expected = s.Profile.Prove.Expect
	var err error
	if l.mounts, err = s.Place.Mounts(); err != nil {
		return l.result, err
	}
	l.files = filechanges.NewRecorder(s.Place)
	files := s.Clone.Files(stem, l.result.Dropin)
	defer l.removeUnits(ctx, slices.Sorted(maps.Keys(files)))
	if err := clone.Write(s.Place, files); err != nil {
		return l.result, err
	}
	stop, stopUses := l.startWitness(ctx), l.startUses()
	err = l.runPhases(ctx)
	l.result.Refused, l.result.NoWitness = stop()
	stopUses()
	if err == nil {
		err = l.readLog(ctx)
	}
	if err == nil && s.originalStarted(ctx, l.begin) {
		err = ErrOriginalStarted
	}
	l.result.rename(s.Clone.Names(stem))
	if err != nil {
		return l.result, fmt.Errorf("trial of %s: %w", s.Clone.Unit.Name, err)
	}
	l.result.OK, l.result.Work = len(l.result.Failures) == 0, l.result.Seen.Work()
	l.result.OutOfTime = !l.result.OK && l.outOfTime == len(l.result.Failures)
	l.result.Took, l.result.Users = time.Since(l.begin), l.users
	return l.result, ctx.Err()
}

// witnessWait is how long a launch waits for what a witness needs, where other proofs have all of it.
const witnessWait = 15 * time.Second

// startWitness starts the witness if the request wants it. stop returns the record, or the reason for a missing
// witness. Without a witness the search needs more launches.
func (l *launch) startWitness(ctx context.Context) (stop func() (witness.Record, error)) {
	if !l.Witness {
		return func() (witness.Record, error) { return witness.Record{}, nil }
	}
	file := filepath.Join(l.Place.Cgroup(), l.cgroup())
	w, err := witness.Start(file)
	for begin := time.Now(); scarce.Is(err) && time.Since(begin) < witnessWait; {
		if wait(ctx, 200*time.Millisecond) != nil {
			break
		}
		w, err = witness.Start(file)
	}
	if err != nil {
		return func() (witness.Record, error) { return witness.Record{}, err }
	}
	return w.Stop
}

// startUses starts to record what the service uses, if the request wants that. stop puts it into the result.
func (l *launch) startUses() (stop func()) {
	if !l.Uses {
		return func() {}
	}
	cgroup := filepath.Join(l.Place.Cgroup(), l.cgroup())
	r := recorder.Recorder{Cgroup: cgroup, Root: l.Place.Root(), Files: l.Files}
	recording, err := r.Start()
	if err != nil {
		l.result.Uses.Unknown = err
		return func() {}
	}
	return func() {
		l.result.Uses.Needs, l.result.Uses.Lost, l.result.Uses.Unknown = recording.Stop()
	}
}

// readLog reads how the commands of the service ended, and the log.
func (l *launch) readLog(ctx context.Context) error {
	states, err := l.now(ctx)
	if err != nil {
		return err
	}
	messages, err := serviceLog(ctx, l.Place, l.pattern(), l.begin)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.own {
			l.result.Log = append(l.result.Log, m.text)
		}
		if urgent := m.priority <= journal.Error; m.own || urgent {
			l.result.Seen.AddLine(m.text, urgent)
		}
	}
	if !unit.IsTemplate(l.name) {
		l.recordEnds(states)
	}
	return nil
}

// originalStarted reports whether the service itself, or a unit that starts it, was started since a time. On the host
// the answer is false: there runs a unit that conflicts with all of them.
func (s Launcher) originalStarted(ctx context.Context, since time.Time) bool {
	originals := append(slices.Clone(s.Clone.Activation.Starters), s.Clone.Unit.ID)
	return s.Place.Kind() != "host" && slices.ContainsFunc(originals, func(name string) bool {
		p, err := s.Place.Manager().LoadedUnit(ctx, name)
		return err == nil && systemd.Get[uint64](p, "InactiveExitTimestamp") > uint64(since.UnixMicro())
	})
}

// removeUnits stops the units of a trial and removes their files, also after ctx has ended.
func (l *launch) removeUnits(ctx context.Context, files []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	l.closeClients()
	for _, name := range l.sockets { // first, since they start the service
		l.Place.Manager().Release(ctx, name)
	}
	services, _ := l.services(ctx) // a place that has ended has none
	for _, name := range services {
		l.Place.Manager().Release(ctx, name)
	}
	l.detachRules(ctx)
	clone.Remove(l.Place, files)
}

// StartTransient makes transient units whose text is in their drop-ins, and starts the first of them. They stay loaded
// until they are released, so that their final state can be read.
func (s Launcher) StartTransient(
	ctx context.Context, mode systemd.Mode, description string, units ...string,
) (result string, err error) {
	var all []systemd.Transient
	for _, name := range units {
		all = append(all, systemd.Transient{Name: name, Properties: []systemd.Property{
			{Name: "Description", Value: description},
			{Name: "CollectMode", Value: "inactive-or-failed"},
			{Name: "AddRef", Value: true},
		}})
	}
	return s.Place.Manager().StartTransientUnit(ctx, mode, all[0], all[1:]...)
}

// needed notes how long a job took, and how much of the profile's limit that is.
func (l *launch) needed(began time.Time) {
	took := time.Since(began)
	l.result.Slowest = max(l.result.Slowest, took)
	l.result.Share = max(l.result.Share, float64(took)/float64(l.Profile.Prove.Timeout))
}

// limit is how long a job may take.
func (l *launch) limit() time.Duration {
	if l.JobLimit > 0 {
		return min(l.JobLimit, l.Profile.Prove.Timeout)
	}
	return l.Profile.Prove.Timeout
}
