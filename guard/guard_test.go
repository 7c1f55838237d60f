package guard

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

const name = "web.service"

// Hardenings of the unit in these tests. The empty one stands for the vendor's settings.
const (
	full    = "everything"
	demoted = "all but one directive"
)

// A world is a machine with one unit that has failed. It implements every interface that a guard uses.
type world struct {
	works  func(dropin string) bool // whether the unit starts
	proof  Proof                    // the result of a proof
	leaves string                   // the drop-in that the proof stores
	on     func(event string)       // called before each event
	full   bool                     // no verdict can be stored

	reloading bool // what the generator wrote is not there until the manager answers

	dropin  string // that the generator writes
	verdict string
	masks   masks
	state   systemd.Service
	entries []entry // of systemd, the newest first
	events  []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		works:  func(string) bool { return true },
		dropin: full,
		leaves: full,
		masks:  masks{t.TempDir()},
		on:     func(string) {},
	}
	w.state = systemd.Service{Active: "failed", Code: systemd.Exited, Status: 1, Properties: systemd.Properties{
		"InvocationID": []byte{
			0xff,
		}, "ExecMainStartTimestampMonotonic": uint64(5), "ExecMainHandoffTimestampMonotonic": uint64(6),
	}}
	w.entries = slices.Concat(ran("ff", time.Second/10), ran("ee", time.Second/10))
	return w
}

// ran adds what systemd logs of a run that crashes some time after its start.
func ran(invocation string, after time.Duration) []entry {
	begin := time.Now().Add(-time.Minute)
	return []entry{
		{id: messageResult, invocation: invocation, at: begin.Add(after)},
		{id: messageExit, invocation: invocation, at: begin.Add(after), code: "exited", status: "1"},
		{id: messageStarted, invocation: invocation, at: begin},
	}
}

func (w *world) event(what string) {
	w.on(what)
	w.events = append(w.events, what)
}

// applies is the drop-in that the next start would use.
func (w *world) applies() string {
	if data := w.masks.file(name); exists(data) {
		return ""
	}
	return w.dropin
}

func (w *world) Service(context.Context, string) (systemd.Service, error) {
	w.reloading = false
	return w.state, nil
}

func (w *world) Unit(context.Context, string) (systemd.Properties, error) {
	return systemd.Properties{"ActiveEnterTimestamp": uint64(1)}, nil
}

func (w *world) ResetFailed(context.Context, string) error { return nil }

func (w *world) Units(context.Context, []string, []string) ([]systemd.UnitStatus, error) {
	return nil, nil
}

func (w *world) StartUnit(ctx context.Context, _ string) (string, error) {
	w.event("start with " + w.applies())
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	w.state.Active = "failed"
	if w.works(w.applies()) {
		w.state.Active = "active"
		return systemd.Done, nil
	}
	return "failed", nil
}

func (w *world) StopUnit(context.Context, string) (string, error) { return systemd.Done, nil }

func (w *world) Reload(context.Context) error { w.event("reload"); return nil }

func (w *world) Prove(context.Context, string) (Proof, error) {
	w.event("prove")
	if w.proof == Proven {
		w.dropin = w.leaves
	}
	return w.proof, nil
}

func (w *world) Begin(context.Context, string) error { w.event("begin to prove"); return nil }

func (w *world) hardening(string) (hardening, bool, error) {
	p := &profiles.Profile{}
	p.Prove.Settle = time.Second
	return hardening{
		unit:     &unit.Unit{ID: name},
		decision: generator.Decision{Profile: p},
		dropin:   w.dropin,
	}, w.dropin != "" && !w.reloading, nil
}

func (w *world) hardened() ([]string, error) { return []string{name}, nil }

func (w *world) putBroken(hardening, run, []entry) error {
	w.event("broken")
	if w.full {
		return errors.New("no space left")
	}
	w.verdict, w.dropin = verdict.Broken, ""
	return nil
}

func (w *world) systemd(context.Context, string) ([]entry, error) { return w.entries, nil }
func (w *world) reloads(context.Context) []load                   { return nil }
func (w *world) service(context.Context, string) ([]entry, error) { return nil, nil }

// guard returns a guard for the world.
func (w *world) guard(t *testing.T, said *bytes.Buffer) *Guard {
	t.Helper()
	return &Guard{
		hardenings: w, manager: w, reload: w, prover: w, journal: w, notes: notes{t.TempDir()}, masks: w.masks,
		out: said, alarms: said,
	}
}

// neverHandedOver is what systemd says of a main process that ended before the program was there.
func neverHandedOver(w *world) {
	w.state.Status = 226
	w.state.Properties["ExecMainHandoffTimestampMonotonic"] = uint64(0)
	w.entries = slices.DeleteFunc(w.entries, func(e entry) bool { return e.invocation != "ff" })
	w.entries[1].status = "226"
}

func TestHandleFailure(t *testing.T) {
	hardenedFails := func(dropin string) bool { return dropin != full }
	never := func(string) bool { return false }
	for _, test := range []struct {
		name    string
		arrange func(w *world)
		events  string // in their order, without reloads
		dropin  string // at the end
		says    string
	}{
		// Attempts to remove a sandbox that breaks nothing.
		{"a client crashes the service at its start", func(*world) {}, "prove", full, "is not at fault and stays"},
		{
			"a service fails only where it is hardened, and has run well before",
			func(w *world) {
				w.works, w.proof, w.leaves = hardenedFails, Proven, demoted
				w.entries = append(w.entries, ran("dd", 30*time.Second)...)
			},
			"", full, "has started with this hardening before",
		},
		{
			"a crash burst after a good run that nobody noted",
			func(w *world) { w.entries = append(w.entries, ran("dd", 2*time.Second)...) }, "", full,
			"has started with this hardening before",
		},
		{
			"the service exits with the status of a sandbox that cannot be set up",
			func(w *world) { w.state.Status = 226 }, "prove", full, "is not at fault and stays",
		},
		{
			"and spoils its sandbox before the last start",
			func(w *world) { neverHandedOver(w); w.entries = append(w.entries, ran("ee", time.Second/10)...) }, "prove",
			full, "is not at fault",
		},
		{
			"and systemd is too old to tell",
			func(w *world) { neverHandedOver(w); delete(w.state.Properties, "ExecMainHandoffTimestampMonotonic") },
			"prove", full, "is not at fault",
		},
		{
			"a local user holds the port until the guard comes", func(w *world) { w.works = never }, "prove", full,
			"is not at fault and stays",
		},
		{
			"the service takes down the place it is proven in", func(w *world) { w.proof = Undecided }, "prove", full,
			"could not decide",
		},
		{
			"the guard is called without a failure", func(w *world) { w.entries = nil }, "", full,
			"nothing is known of a failure",
		},
		{
			"the guard is called while the unit runs", func(w *world) { w.state.Active = "active" }, "", full,
			"runs: its hardening stays",
		},
		{"the unit runs when the proof is over", func(w *world) {
			w.leaves = demoted
			w.on = func(string) { w.state.Active = "active" }
		}, "prove", demoted, "it is left alone"},
		{"the unit runs when a place cannot be had", func(w *world) {
			w.proof = NoPlace
			w.on = func(string) { w.state.Active = "active" }
		}, "prove", full, "it is left alone"},
		{
			"without a place a client crashes it once", func(w *world) { w.proof = NoPlace },
			"prove, start with everything", full, "starts hardened when it is tried again",
		},
		{"without a place it is broken for another reason", func(w *world) {
			w.proof, w.works = NoPlace, never
		}, "prove, start with everything, start with everything, start with ", full, "is not to blame and is back"},
		{"somebody starts it when it is about to be tried without", func(w *world) {
			w.proof, w.works = NoPlace, hardenedFails
			w.on = func(what string) {
				if what == "reload" {
					w.state.Active = "active"
				}
			}
		}, "prove, start with everything, start with everything", full, "it is left alone"},

		// The hardening breaks the service.
		{"a proof finds the directive while the manager reloads", func(w *world) {
			w.works, w.leaves, w.reloading = hardenedFails, demoted, true
		}, "prove, start with all but one directive", demoted, "has found why"},
		{"a proof finds the directive", func(w *world) {
			w.works, w.leaves = hardenedFails, demoted
		}, "prove, start with all but one directive", demoted, "has found why"},
		{"systemd cannot set the sandbox up", func(w *world) {
			neverHandedOver(w)
			w.works = hardenedFails
		}, "start with , broken, begin to prove", "", "which it keeps"},
		{"without a place it starts with its vendor's settings alone", func(w *world) {
			w.proof, w.works = NoPlace, hardenedFails
		}, "prove, start with everything, start with everything, start with , broken", "", "which it keeps"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.arrange(w)
			var said bytes.Buffer
			changed, err := w.guard(t, &said).HandleFailure(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			events := strings.Join(slices.DeleteFunc(w.events, func(e string) bool { return e == "reload" }), ", ")
			if events != test.events || w.applies() != test.dropin || !strings.Contains(said.String(), test.says) {
				t.Errorf(
					"it did %q, want %q; the drop-in is %q, want %q; said\n%swant %q",
					events,
					test.events,
					w.applies(),
					test.dropin,
					said.String(),
					test.says,
				)
			}
			if changed != (test.dropin != full) {
				t.Errorf("reported that the hardening has changed: %t", changed)
			}
		})
	}
}

// TestHandleFailureRemembers: the guard proves a hardening once, however often the service fails.
func TestHandleFailureRemembers(t *testing.T) {
	w := newWorld(t)
	var said bytes.Buffer
	g := w.guard(t, &said)
	for range 3 {
		if _, err := g.HandleFailure(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if proofs := strings.Count(strings.Join(w.events, " "), "prove"); proofs != 1 {
		t.Errorf("%d proofs, want 1: %s", proofs, said.String())
	}
	w.dropin, w.leaves = "another hardening", "another hardening"
	if _, err := g.HandleFailure(t.Context(), name); err != nil || w.events[len(w.events)-2] != "prove" {
		t.Errorf("another hardening was not proven: %v, %v", w.events, err)
	}
}

// TestHandleFailureGoodRun: a good run is noted when it ends in a failure, and from then on no failure removes that
// hardening.
func TestHandleFailureGoodRun(t *testing.T) {
	w := newWorld(t)
	var said bytes.Buffer
	g := w.guard(t, &said)
	w.entries = ran("ff", time.Hour)
	if _, err := g.HandleFailure(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	w.entries, w.works, w.leaves = ran("ff", 0), func(dropin string) bool { return dropin == "" }, ""
	if _, err := g.HandleFailure(t.Context(), name); err != nil || len(w.events) > 0 {
		t.Errorf("it did %q, %v; want nothing", w.events, err)
	}
}

// TestHandleFailureUnreadableNote: where a note cannot be read, the hardening may have run well, and stays.
func TestHandleFailureUnreadableNote(t *testing.T) {
	for _, what := range []string{started, cleared} {
		w := newWorld(t)
		neverHandedOver(w)
		w.works = func(dropin string) bool { return dropin != full }
		var said bytes.Buffer
		g := w.guard(t, &said)
		h, _, err := w.hardening(name)
		if err == nil {
			err = os.MkdirAll(g.notes.file(what, h), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		changed, err := g.HandleFailure(t.Context(), name)
		if !errors.Is(err, unix.EISDIR) || changed || len(w.events) > 0 || w.applies() != full {
			t.Errorf("%s: %v, it did %q, the drop-in is %q", what, err, w.events, w.applies())
		}
	}
}

// TestHandleFailureStopped: a guard that is stopped at any moment leaves the hardening as it was, and no verdict.
func TestHandleFailureStopped(t *testing.T) {
	for at := 0; ; at++ {
		w := newWorld(t)
		w.proof, w.works = NoPlace, func(dropin string) bool { return dropin == "" }
		ctx, stop := context.WithCancel(t.Context())
		count := 0
		w.on = func(what string) {
			if count++; count == at+1 {
				stop()
			}
		}
		var said bytes.Buffer
		_, err := w.guard(t, &said).HandleFailure(ctx, name)
		if err == nil && ctx.Err() == nil {
			if w.verdict != verdict.Broken {
				t.Errorf("at last the verdict is %q: %s", w.verdict, said.String())
			}
			stop()
			return
		}
		stop()
		if exists(w.masks.file(name)) {
			t.Errorf("stopped at event %d, %v: a mask is left", at, w.events)
		}
		if w.verdict != "" && w.events[len(w.events)-2] != "broken" && w.events[len(w.events)-1] != "broken" {
			t.Errorf("stopped at event %d, %v: there is a verdict", at, w.events)
		}
	}
}

// TestHandleFailureFullDisk: a unit whose verdict cannot be stored keeps its hardening.
func TestHandleFailureFullDisk(t *testing.T) {
	w := newWorld(t)
	w.proof, w.works, w.full = NoPlace, func(dropin string) bool { return dropin == "" }, true
	var said bytes.Buffer
	changed, err := w.guard(t, &said).HandleFailure(t.Context(), name)
	if changed || err == nil || w.applies() != full || exists(w.masks.file(name)) {
		t.Errorf("%t, %v, the drop-in is %q: %s", changed, err, w.applies(), said.String())
	}
}

// TestHandleFailureAfterKill: a guard that is killed while it tries the unit leaves only a mask, which the next guard
// removes.
func TestHandleFailureAfterKill(t *testing.T) {
	w := newWorld(t)
	if err := w.masks.put(name); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if err := w.guard(t, &said).Undo(t.Context(), name); err != nil || w.applies() != full ||
		!slices.Equal(w.events, []string{"reload"}) {
		t.Errorf("%v, the drop-in is %q, after %q", err, w.applies(), w.events)
	}
}

// TestMaskOfTheAdministrator: the guard neither replaces nor removes a drop-in by which the administrator hides
// temper's.
func TestMaskOfTheAdministrator(t *testing.T) {
	m := masks{t.TempDir()}
	writeFile(t, m.file(name), "[Service]\nPrivateTmp=no\n")
	if err := m.put(name); err == nil {
		t.Error("it was replaced")
	}
	if removed, err := m.remove(name); removed || err != nil || !exists(m.file(name)) {
		t.Errorf("removed %t, %v", removed, err)
	}
}

// TestNoteGoodRuns: only runs that are certain to be under the hardening are noted.
func TestNoteGoodRuns(t *testing.T) {
	now := time.Unix(1000, 0)
	at := func(begin, up int64) systemd.Service {
		return systemd.Service{Active: "active", Properties: systemd.Properties{
			"InactiveExitTimestamp": uint64(begin * 1e6), "ActiveEnterTimestamp": uint64(up * 1e6),
		}}
	}
	w := newWorld(t)
	h, _, _ := w.hardening(name)
	since := time.Unix(500, 0)
	for _, test := range []struct {
		name    string
		service systemd.Service
		want    bool
	}{
		{"under it", at(600, 601), true},
		{"before it", at(400, 600), false},
		{"not long enough", at(998, 1000), false},
		{"down", systemd.Service{Active: "failed", Properties: at(600, 601).Properties}, false},
	} {
		if got := goodSoFar(test.service, h.settle(), since, now); got != test.want {
			t.Errorf("%s: got %t, want %t", test.name, got, test.want)
		}
	}
}

func TestOutcome(t *testing.T) {
	for status, want := range map[int32]Proof{0: Proven, 1: Undecided, 2: Undecided, 3: NoPlace, 203: Undecided} {
		if got := outcome(systemd.Service{Code: systemd.Exited, Status: status}); got != want {
			t.Errorf("exit status %d: got %d, want %d", status, got, want)
		}
	}
	if got := outcome(systemd.Service{Code: systemd.Killed, Status: 0}); got != Undecided {
		t.Errorf("killed: got %d", got)
	}
	if got := (ServiceProver{}).instance("a@b.service"); got != "temper-renew@a@b.service" {
		t.Errorf("got %q", got)
	}
}

// TestProverFails: if the proof itself fails, the hardening stays.
func TestProverFails(t *testing.T) {
	w := newWorld(t)
	var said bytes.Buffer
	g := w.guard(t, &said)
	g.prover = failing{}
	if changed, err := g.HandleFailure(t.Context(), name); changed || err == nil || w.applies() != full {
		t.Errorf("%t, %v", changed, err)
	}
}

type failing struct{}

func (failing) Prove(context.Context, string) (Proof, error) { return NoPlace, errors.New("no bus") }
func (failing) Begin(context.Context, string) error          { return errors.New("no bus") }
