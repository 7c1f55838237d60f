package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"temper/internal/host"
	"temper/internal/refusal"
	"temper/needs"
)

// TestObserveAtTerminal: a person accepts one need, not the next, and ends before the third. A later observation adds
// to what was accepted.
func TestObserveAtTerminal(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{
		"/usr/lib/systemd/libsystemd-shared-257.so": "",
		"/usr/lib/systemd/system/web.service":       "[Service]\nExecStart=/usr/sbin/web\n",
		"/usr/lib/temper/profiles.d/web.toml":       "units = [\"web.service\"]\n[service]\nProtectSystem = true\n",
	})
	store := needs.Store{Root: host.At(root)}
	record := func(kind refusal.Kind, subject string) {
		t.Helper()
		_, err := store.Update("web.service", func(r *needs.Record) {
			r.Add([]needs.Need{{Kind: kind, Subject: subject, Program: "\x1b[2Jweb", Count: 3}}, 0, time.Now())
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	record(refusal.Capability, "CAP_CHOWN")
	record(refusal.Capability, "CAP_SYS_ADMIN")
	record(refusal.PathReadOnly, "/srv/web/new")
	const question = "accept? [y]es, [n]o, [q]uit: "
	said := converse(t, question, []string{"perhaps", "yes", "n", "q"}, "observe", "--root", root, "--accept", "web")
	if strings.Contains(said, "\x1b") {
		t.Error("what the service has chosen reached the terminal")
	}
	for _, want := range []string{"web.service: 1 accepted", "prove it there: temper prove web.service"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q was not said:\n%s", want, said)
		}
	}
	record(refusal.Capability, "CAP_CHOWN")
	r, err := store.Get("web.service")
	if err != nil {
		t.Fatal(err)
	}
	var accepted []string
	for _, n := range r.Accepted() {
		accepted = append(accepted, n.String())
	}
	if !slices.Equal(accepted, []string{"capability CAP_CHOWN"}) || r.Accepted()[0].Count != 6 {
		t.Errorf("accepted are %q, %d needs in all", accepted, len(r.Needs))
	}
}
