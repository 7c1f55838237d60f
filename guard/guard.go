// Package guard decides what becomes of a hardened unit that fails to start.
//
// A directive that breaks a service must not keep it down, and nobody may get rid of a sandbox by making a service
// fail. So what a service says or does decides nothing. The hardening is given up only where systemd says that it could
// not set the sandbox up before a program ran, or where a proof in a place finds what breaks the service. Where this
// machine cannot run a place, the unit itself is tried: twice hardened, then with its vendor's settings.
//
// A unit that runs is never touched, and a hardening under which some run was good is never given up. The verdict
// [verdict.Broken] is written last, so that a guard which is killed has changed nothing.
//
// Call [New], then [Guard.Look] for a unit that has failed, or [Guard.NoteGoodRuns].
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

	"temper/internal/host"
	"temper/internal/systemd"
	"temper/internal/unit"
)

// A Prover has a unit proven in a place and stored if it is proven. Where it has not been found out by the end of ctx,
// that is an error.
type Prover interface {
	Prove(ctx context.Context, unit string) (Proof, error)
	// Begin has it proven without waiting for that.
	Begin(ctx context.Context, unit string) error
}

// A Reloader makes the manager read its units again, and so run the generator.
type Reloader interface {
	Reload(ctx context.Context) error
}

// hardenings are what temper has written for units; files are the machine's.
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
	out        io.Writer // what is in order
	alarms     io.Writer // what people should see
}

// New makes a guard. What is in order is written to out, what people should see to alarms, with the prefix of a warning
// as in sd-daemon(3).
func New(m Manager, r Reloader, p Prover, out, alarms io.Writer) *Guard {
	return &Guard{
		hardenings: files{host.At("")}, manager: m, reload: r, prover: p, journal: journalctl{},
		notes: notes{NotesDir}, masks: masks{maskDir}, out: out, alarms: alarms,
	}
}

// say tells the journal something that is in order.
func (g *Guard) say(format string, args ...any) { fmt.Fprintf(g.out, format+"\n", args...) }

// alarm tells it something that people should see.
func (g *Guard) alarm(format string, args ...any) { fmt.Fprintf(g.alarms, "<4>"+format+"\n", args...) }

// Look decides about one unit that has failed, and reports whether what it is hardened with has changed.
func (g *Guard) Look(ctx context.Context, name string) (bool, error) {
	if err := g.Undo(ctx, name); err != nil {
		return false, err
	}
	h, ok, err := g.hardenings.hardening(name)
	if err != nil {
		return false, err
	}
	if !ok {
		g.say("%s has no hardening that could be to blame", name)
		return false, nil
	}
	f, err := g.ask(ctx, h)
	if err != nil {
		return false, err
	}
	next, why := decide(f)
	g.say("%s %s", name, why)
	switch next {
	case note:
		if f.last.begin.After(h.since) {
			err = g.notes.put(started, h)
		}
		return false, err
	case giveBack:
		return g.giveBackAndProve(ctx, h, f.last)
	case prove:
		return g.prove(ctx, h, f.last)
	}
	return false, nil
}

// Undo takes back what a guard has left that was killed while it tried a unit.
func (g *Guard) Undo(ctx context.Context, name string) error {
	masked, err := g.masks.remove(name)
	if err != nil || !masked {
		return err
	}
	g.say("%s: a guard was killed while it tried the unit; what it changed is taken back", name)
	return g.reload.Reload(ctx)
}

// patience is how long to wait until the journal has the end of a run.
const patience = time.Second

// ask finds out what is known about a unit that has failed.
func (g *Guard) ask(ctx context.Context, h hardening) (facts, error) {
	name := h.unit.ID
	s, err := g.manager.Service(ctx, name)
	if err != nil {
		return facts{}, err
	}
	current := fmt.Sprintf("%x", systemd.Get[[]byte](s.Properties, "InvocationID"))
	id := failedInvocation(name, current)
	last, others, err := g.runs(ctx, name, id)
	if err != nil {
		return facts{}, err
	}
	others = slices.DeleteFunc(others, func(r run) bool { return !r.begin.After(h.since) })
	isGood := func(r run) bool { return r.started && r.lasted >= h.settle() }
	return facts{
		runs: !isDown(s), failed: last.failed, last: last, settle: h.settle(),
		good:    g.notes.has(started, h) || slices.ContainsFunc(others, isGood),
		others:  slices.ContainsFunc(others, run.programMayHaveRun),
		setUp:   id == current && neverRan(s),
		cleared: g.notes.has(cleared, h),
	}, nil
}

// failedInvocation is the run that a guard is about. systemd says it since version 251; before, it is the unit's last.
func failedInvocation(name, current string) string {
	if id := os.Getenv("MONITOR_INVOCATION_ID"); id != "" && os.Getenv("MONITOR_UNIT") == name {
		return id
	}
	return current
}

// runs returns a run of a unit, and the others that the journal has. It waits a moment until the journal has its end.
func (g *Guard) runs(ctx context.Context, name, id string) (last run, others []run, err error) {
	for end := time.Now().Add(patience); ; {
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
// failed and wait for their next start: before version 254 systemd starts no guard for them.
func (g *Guard) NoteGoodRuns(ctx context.Context) (failing []string, err error) {
	names, err := g.units(ctx)
	problems := []error{err}
	for _, name := range names {
		h, ok, err := g.hardenings.hardening(name)
		if err != nil || !ok {
			problems = append(problems, err)
			continue
		}
		s, err := g.manager.Service(ctx, name)
		switch {
		case err != nil:
		case restarts(s):
			failing = append(failing, name)
		case goodSoFar(s, h, time.Now()):
			err = g.notes.put(started, h)
		}
		problems = append(problems, err)
	}
	return failing, errors.Join(problems...)
}

// goodSoFar reports whether the run of a unit is under the hardening and has lasted for as long as the profile wants.
func goodSoFar(s systemd.Service, h hardening, now time.Time) bool {
	begin := time.UnixMicro(int64(systemd.Get[uint64](s.Properties, "InactiveExitTimestamp")))
	up := time.UnixMicro(int64(systemd.Get[uint64](s.Properties, "ActiveEnterTimestamp")))
	return s.Active == "active" && begin.After(h.since) && now.Sub(up) >= h.settle()
}

// units lists the units that have a drop-in of temper's, and for templates those of their instances that systemd knows.
func (g *Guard) units(ctx context.Context) ([]string, error) {
	written, err := g.hardenings.hardened()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range written {
		if !unit.IsTemplate(name) {
			names = append(names, name)
			continue
		}
		instances, err := g.manager.Units(ctx, nil, []string{strings.Replace(name, "@", "@*", 1)})
		if err != nil {
			return names, err
		}
		for _, u := range instances {
			names = append(names, u.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
