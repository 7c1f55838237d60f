// Package guard decides what becomes of a hardened unit that fails to start.
//
// A directive that breaks a service must not keep it down, and nobody may remove a sandbox by making a service fail. So
// the guard trusts nothing that the service says or does. It removes the hardening only where systemd says that it
// could not set up the sandbox before a program ran, or where a proof in a place finds what breaks the service. Where
// this machine cannot run a place, the guard tries the unit itself: twice hardened, then with its vendor's settings.
//
// The guard never touches a unit that runs, and never removes a hardening that had a good run. It writes the verdict
// [verdict.Broken] last, so that a guard which is killed has changed nothing.
//
// Call [New], then [Guard.HandleFailure] for a unit that has failed, or [Guard.NoteGoodRuns].
package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"temper/harness/lock"
	"temper/internal/host"
	"temper/internal/plain"
	"temper/internal/systemd"
	"temper/internal/unit"
)

// A Prover proves units in a place, and stores the verdict of a unit that is proven.
type Prover interface {
	// Prove waits for the result. It returns an error if ctx ends first.
	Prove(ctx context.Context, unit string) (Proof, error)
	// Begin does not wait for the result.
	Begin(ctx context.Context, unit string) error
}

// A Reloader makes the manager read its units again, and so run the generator.
type Reloader interface {
	Reload(ctx context.Context) error
}

// hardenings are the drop-ins that temper has written for units. The type files reads those of this machine.
type hardenings interface {
	hardening(name string) (h hardening, ok bool, err error)
	hardened() (names []string, err error)
	putBroken(h hardening, last run, log []entry) error
}

// A Guard decides about the units of this machine.
type Guard struct {
	hardenings hardenings
	manager    Manager
	reload     Reloader
	prover     Prover
	journal    runLog
	notes      notes
	masks      masks
	out        io.Writer // for messages that need no attention
	alarms     io.Writer // for messages that people should see
}

// New makes a guard. It writes what people should see to alarms, with the prefix of a warning as in sd-daemon(3), and
// all other messages to out.
func New(m Manager, r Reloader, p Prover, out, alarms io.Writer) *Guard {
	return &Guard{
		hardenings: files{host.At("")}, manager: m, reload: r, prover: p, journal: journalctl{},
		notes: notes{NotesDir}, masks: masks{maskDir}, out: out, alarms: alarms,
	}
}

// say logs a message that needs no attention.
func (g *Guard) say(format string, args ...any) {
	plain.Args(args)
	fmt.Fprintf(g.out, format+"\n", args...)
}

// alarm logs a warning.
func (g *Guard) alarm(format string, args ...any) {
	plain.Args(args)
	fmt.Fprintf(g.alarms, "<4>"+format+"\n", args...)
}

// HandleFailure decides about one unit that has failed, and reports whether its hardening has changed.
func (g *Guard) HandleFailure(ctx context.Context, name string) (bool, error) {
	if err := lock.AwaitApply(ctx, name); err != nil {
		return false, err
	}
	if err := g.Undo(ctx, name); err != nil {
		return false, err
	}
	h, ok, err := g.readHardening(ctx, name)
	if err != nil {
		return false, err
	}
	switch {
	case !ok && h.decision.Text != "":
		g.alarm("%s has failed, and its hardening %s", name, h.decision.Why)
		return false, nil
	case !ok:
		g.say("%s has no hardening that could be to blame", name)
		return false, nil
	}
	f, err := g.readFacts(ctx, h)
	if err != nil {
		return false, err
	}
	next, why := decide(f)
	g.say("%s %s", name, why)
	switch next {
	case keepAndNote:
		if f.last.begin.After(f.since) {
			err = g.notes.put(started, h)
		}
		return false, err
	case removeHardening:
		return g.removeHardeningAndProve(ctx, h, f.last)
	case prove:
		return g.prove(ctx, h, f.last)
	}
	return false, nil
}

// readHardening reads the hardening of a unit. While the manager reloads, what the generator wrote is away. The manager
// answers only after that, so a unit without hardening is read once more then.
func (g *Guard) readHardening(ctx context.Context, name string) (h hardening, ok bool, err error) {
	h, ok, err = g.hardenings.hardening(name)
	if err != nil || !ok {
		if _, err := g.manager.Service(ctx, name); err != nil {
			return h, false, err
		}
		h, ok, err = g.hardenings.hardening(name)
	}
	return h, ok, err
}

// Undo removes the mask that a guard has left if it was killed while it tried a unit.
func (g *Guard) Undo(ctx context.Context, name string) error {
	masked, err := g.masks.remove(name)
	if err != nil || !masked {
		return err
	}
	g.say("%s: a guard was killed while it tried the unit; what it changed is taken back", name)
	return g.reload.Reload(ctx)
}

// journalDelay is how long the journal may take to show the end of a run.
const journalDelay = time.Second

// readFacts collects what is known about a unit that has failed.
func (g *Guard) readFacts(ctx context.Context, h hardening) (facts, error) {
	name := h.unit.ID
	s, err := g.manager.Service(ctx, name)
	if err != nil {
		return facts{}, err
	}
	current := fmt.Sprintf("%x", systemd.Get[[]byte](s.Properties, "InvocationID"))
	id := failedInvocation(name, current)
	last, earlier, err := g.runs(ctx, name, id)
	if err != nil {
		return facts{}, err
	}
	isGood := func(r run) bool { return r.started && r.lasted >= h.settle() }
	since := h.inForceSince(nil)
	isBefore := func(r run) bool { return !r.begin.After(since) }
	if slices.ContainsFunc(append(earlier, last), func(r run) bool { return isGood(r) && isBefore(r) }) {
		loads, err := g.loads(ctx)
		if err != nil {
			return facts{}, err
		}
		since = h.inForceSince(loads)
	}
	earlier = slices.DeleteFunc(earlier, isBefore)
	hadGoodRun, noteErr := g.notes.has(started, h)
	wasCleared, err := g.notes.has(cleared, h)
	if err := errors.Join(noteErr, err); err != nil {
		return facts{}, fmt.Errorf("what was noted of its hardening is not known, which stays: %w", err)
	}
	return facts{
		isRunning: !isDown(s), failed: last.failed, last: last, settle: h.settle(), since: since,
		hadGoodRun:        hadGoodRun || slices.ContainsFunc(earlier, isGood),
		programMayHaveRun: slices.ContainsFunc(earlier, run.programMayHaveRun),
		setupFailed:       id == current && sandboxSetupFailed(s),
		cleared:           wasCleared,
	}, nil
}

// failedInvocation is the invocation ID of the run that failed. systemd passes it since version 251; with an older
// systemd it is the current one of the unit.
func failedInvocation(name, current string) string {
	if id := os.Getenv("MONITOR_INVOCATION_ID"); id != "" && os.Getenv("MONITOR_UNIT") == name {
		return id
	}
	return current
}

// runs returns the run of a unit with an invocation ID, and the other runs that the journal has. It waits a moment
// until the journal has the end of the first one.
func (g *Guard) runs(ctx context.Context, name, id string) (last run, others []run, err error) {
	for end := time.Now().Add(journalDelay); ; {
		entries, err := g.journal.systemd(ctx, name)
		if err != nil {
			return last, nil, err
		}
		others = readRuns(entries, time.Now())
		if at := slices.IndexFunc(others, func(r run) bool { return r.id == id }); at >= 0 {
			last = others[at]
			others = slices.Delete(others, at, at+1)
		}
		if last.failed || time.Now().After(end) {
			return last, others, nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return last, nil, err
		}
	}
}

// NoteGoodRuns notes every hardened unit that has been up for as long as its profile wants, and returns those that have
// failed and wait for their restart: before version 254, systemd starts no guard for them.
func (g *Guard) NoteGoodRuns(ctx context.Context) (failing []string, err error) {
	names, err := g.units(ctx)
	loads, unknown := g.loads(ctx)
	problems := []error{err, unknown}
	for _, name := range names {
		h, ok, err := g.hardenings.hardening(name)
		if err != nil || !ok {
			problems = append(problems, err)
			continue
		}
		since := h.inForceSince(loads)
		s, err := g.manager.Service(ctx, name)
		switch {
		case err != nil:
		case waitsForRestart(s):
			failing = append(failing, name)
		case goodSoFar(s, h.settle(), since, time.Now()):
			err = g.notes.put(started, h)
		}
		problems = append(problems, err)
	}
	return failing, errors.Join(problems...)
}

// goodSoFar reports whether a unit runs under the hardening and has been up for as long as its profile wants.
func goodSoFar(s systemd.Service, settle time.Duration, since, now time.Time) bool {
	begin := time.UnixMicro(int64(systemd.Get[uint64](s.Properties, "InactiveExitTimestamp")))
	up := time.UnixMicro(int64(systemd.Get[uint64](s.Properties, "ActiveEnterTimestamp")))
	return s.Active == "active" && begin.After(since) && now.Sub(up) >= settle
}

// units lists the units that have a drop-in of temper. Instead of a template, it lists the instances that systemd
// knows.
func (g *Guard) units(ctx context.Context) ([]string, error) {
	written, unseen := g.hardenings.hardened()
	var names []string
	for _, name := range written {
		if !unit.IsTemplate(name) {
			names = append(names, name)
			continue
		}
		instances, err := g.manager.Units(ctx, nil, []string{strings.Replace(name, "@", "@*", 1)})
		if err != nil {
			return names, errors.Join(unseen, err)
		}
		for _, u := range instances {
			names = append(names, u.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), unseen
}
