package watch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/refusallog"
)

// notes is a reporter that keeps what is noted.
type notes []string

func (n *notes) New(string, refusallog.Refusal) error { return nil }
func (n *notes) Note(unit, text string) error         { *n = append(*n, unit+": "+text); return nil }

// refused is a service that was refused something that its log does not have yet.
func refused(unit string, cgroup uint64) *service {
	s := newService(unit, cgroup, "", Plan{}, refusallog.Log{})
	r := refusallog.Refusal{Restriction: refusal.PathReadOnly, Subject: "/srv/x", Program: "web", Count: 1}
	s.known[r.Key()], s.pending[r.Key()] = true, &r
	return s
}

// TestFlushGoesOn: a log that cannot be written costs no other unit its own, is told once, and gets later what it has
// missed. A service that has ended does not wait for that.
func TestFlushGoesOn(t *testing.T) {
	root := t.TempDir()
	store := refusallog.Store{Root: host.At(root)}
	newer := filepath.Join(root, refusallog.Dir, "newer.service.json")
	err := errors.Join(os.MkdirAll(filepath.Dir(newer), 0o700),
		os.WriteFile(newer, []byte(`{"schema":2,"unit":"newer.service"}`), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	var told notes
	ended := refused("newer.service", 3)
	ended.ended = true
	w := &watcher{
		Options: Options{Log: &store, Reporter: &told}, unlogged: map[string]string{},
		services: map[uint64]*service{1: refused("newer.service", 1), 2: refused("web.service", 2), 3: ended},
	}
	for range 2 {
		if err := w.flush(); err == nil || !strings.Contains(err.Error(), "newer.service: its log: ") {
			t.Errorf("the error is %v", err)
		}
	}
	if len(told) != 1 || !strings.HasPrefix(told[0], "newer.service: its log: ") {
		t.Errorf("told: %q", told)
	}
	if log, err := store.Get("web.service"); err != nil || len(log.Refusals) != 1 || log.Refusals[0].Count != 1 {
		t.Errorf("the log of another unit: %v, %+v", err, log)
	}
	if w.services[1] == nil || w.services[2] == nil || w.services[3] != nil {
		t.Errorf("watched are %v", w.services)
	}
	if err := os.Remove(newer); err != nil {
		t.Fatal(err)
	}
	if err := w.flush(); err != nil {
		t.Error(err)
	}
	log, err := store.Get("newer.service")
	if err != nil || len(log.Refusals) != 1 || log.Refusals[0].Count != 1 {
		t.Errorf("the log that can be written again: %v, %+v", err, log)
	}
}
