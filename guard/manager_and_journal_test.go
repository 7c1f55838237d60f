package guard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"temper/internal/systemd"
)

// withJournalctl replaces journalctl(1) by a shell script.
func withJournalctl(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "journalctl")
	writeFile(t, file, "#!/bin/sh\n"+script)
	if err := os.Chmod(file, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// TestJournal: a run is read only from messages of PID 1 with known ids.
func TestJournal(t *testing.T) {
	args := filepath.Join(t.TempDir(), "args")
	withJournalctl(t, fmt.Sprintf("echo \"$@\" >%s\necho '%s'\n", args, line(1, "a", messageStarted, "Started", "")))
	entries, err := (journalctl{}).systemd(t.Context(), "web.service")
	if err != nil || len(entries) != 1 || entries[0].id != messageStarted {
		t.Errorf("%v, %v", entries, err)
	}
	asked, _ := os.ReadFile(args)
	for _, want := range []string{
		"_PID=1", "UNIT=web.service", "MESSAGE_ID=" + messageResult, "--reverse",
		"--lines=500",
	} {
		if !strings.Contains(string(asked)+" ", want+" ") {
			t.Errorf("asked for %q without %s", asked, want)
		}
	}
	if lines, err := (journalctl{}).service(t.Context(), "abc"); err != nil || len(lines) != 1 ||
		lines[0].message != "Started" {
		t.Errorf("%v, %v", lines, err)
	}
}

// TestReloads: only what PID 1 says at the beginning of a message counts, with the time at which it said so. Without a
// reload, and without a journalctl that can search, none is known.
func TestReloads(t *testing.T) {
	entry := `echo '{"__REALTIME_TIMESTAMP":"2000000","_SOURCE_REALTIME_TIMESTAMP":"%s","MESSAGE":"%s"}'` + "\n"
	withJournalctl(t, fmt.Sprintf(entry, "1000000", "Reloading...")+
		fmt.Sprintf(entry, "1000000", "Reloading finished in 7 ms.")+
		fmt.Sprintf(entry, "1000000", "Started Reloading.")+fmt.Sprintf(entry, "", "Reloading.")+"exit 1\n")
	got := (journalctl{}).reloads(t.Context())
	if len(got) != 1 || !got[0].began.Equal(time.Unix(1, 0)) || !got[0].logged.Equal(time.Unix(2, 0)) {
		t.Errorf("%v", got)
	}
	withJournalctl(t, "exit 1\n")
	if got := (journalctl{}).reloads(t.Context()); got != nil {
		t.Errorf("%v", got)
	}
}

// TestJournalBounded: reading stops at the limit if the journal is endless.
func TestJournalBounded(t *testing.T) {
	withJournalctl(t, fmt.Sprintf("exec yes '%s'\n", line(1, "a", messageStarted, strings.Repeat("x", 100), "")))
	begin := time.Now()
	entries, err := (journalctl{}).systemd(t.Context(), "web.service")
	if err != nil || len(entries) == 0 || time.Since(begin) > 20*time.Second {
		t.Errorf("%d entries, %v, after %s", len(entries), err, time.Since(begin))
	}
}

func TestJournalFails(t *testing.T) {
	withJournalctl(t, "echo no journal >&2; exit 1\n")
	if _, err := (journalctl{}).systemd(t.Context(), "web.service"); err == nil ||
		!strings.Contains(err.Error(), "no journal") {
		t.Errorf("got %v", err)
	}
	w := newWorld(t)
	g := w.guard(t, nil)
	g.journal = journalctl{}
	if changed, err := g.HandleFailure(t.Context(), name); changed || err == nil {
		t.Errorf("without a journal: %t, %v", changed, err)
	}
}

// A provingManager has one unit, which proves another one. The unit is active until its state has been read a few
// times, and its exit status is lost when it is stopped.
type provingManager struct {
	world
	lasts, asked int
	end          systemd.Service
	started      bool
	events       []string
}

func (m *provingManager) Service(_ context.Context, name string) (systemd.Service, error) {
	if name != "temper-renew@web.service" {
		return systemd.Service{}, errors.New("asked for " + name)
	}
	if m.started {
		m.asked++
	}
	switch {
	case m.started && m.asked <= m.lasts:
		return systemd.Service{Active: "active", Sub: "running"}, nil
	case m.started:
		return m.end, nil
	}
	return systemd.Service{Active: "inactive", Sub: "dead"}, nil
}

func (m *provingManager) StartUnit(context.Context, string) (string, error) {
	m.started, m.asked = true, 0
	m.events = append(m.events, "start")
	return systemd.Done, nil
}

func (m *provingManager) StopUnit(context.Context, string) (string, error) {
	m.started = false
	m.events = append(m.events, "stop")
	return systemd.Done, nil
}

func TestServiceProver(t *testing.T) {
	ended := func(active, sub string, code, status int32) systemd.Service {
		return systemd.Service{Active: active, Sub: sub, Code: code, Status: status}
	}
	for _, test := range []struct {
		name string
		end  systemd.Service
		want Proof
	}{
		{"proven", ended("active", "exited", systemd.Exited, 0), Proven},
		{"not proven", ended("active", "exited", systemd.Exited, 1), Undecided},
		{"no place", ended("active", "exited", systemd.Exited, 3), NoPlace},
		{"killed", ended("failed", "failed", systemd.Killed, 9), Undecided},
		{"crashed", ended("failed", "failed", systemd.Exited, 2), Undecided},
		{"stopped and forgotten", ended("inactive", "dead", 0, 0), Undecided},
	} {
		m := &provingManager{world: *newWorld(t), lasts: 2, end: test.end}
		if proof, err := (ServiceProver{m}).Prove(t.Context(), name); err != nil || proof != test.want {
			t.Errorf("%s: got %d, %v", test.name, proof, err)
		}
	}

	// The exit status of an earlier proof is not taken for that of the next.
	m := &provingManager{world: *newWorld(t), end: ended("active", "exited", systemd.Exited, 0)}
	prover := ServiceProver{m}
	if err := errors.Join(prover.Begin(t.Context(), name), prover.Begin(t.Context(), name)); err != nil {
		t.Error(err)
	}
	if events := strings.Join(m.events, " "); events != "start stop start" {
		t.Errorf("it did %s", events)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	m = &provingManager{world: *newWorld(t), lasts: 1 << 30}
	if proof, err := (ServiceProver{m}).Prove(ctx, name); err == nil || proof != Undecided {
		t.Errorf("got %d, %v, though it did not end", proof, err)
	}
}

// TestNoteGoodRunsOfAll: units that are up are noted, and those that restart again and again are returned.
func TestNoteGoodRunsOfAll(t *testing.T) {
	w := newWorld(t)
	g := w.guard(t, nil)
	w.state = systemd.Service{Active: "active", Properties: systemd.Properties{
		"InactiveExitTimestamp": uint64(1), "ActiveEnterTimestamp": uint64(2),
	}}
	failing, err := g.NoteGoodRuns(t.Context())
	h, _, _ := w.hardening(name)
	noted, unread := g.notes.has(started, h)
	if err := errors.Join(err, unread); err != nil || len(failing) > 0 || !noted {
		t.Errorf("%q, %v, noted: %t", failing, err, noted)
	}
	w.state = systemd.Service{Active: "activating", Sub: "auto-restart"}
	if failing, err = g.NoteGoodRuns(t.Context()); err != nil || len(failing) != 1 {
		t.Errorf("%q, %v", failing, err)
	}
}
