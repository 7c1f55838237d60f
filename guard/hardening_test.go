package guard

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"temper/internal/host"
	"temper/internal/verdict"
)

// newMachine is a root with one service, which temper has hardened.
func newMachine(t *testing.T) (files, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"usr/lib/systemd/libsystemd-shared-257.so": "",
		"usr/bin/web":                         "#!",
		"usr/lib/systemd/system/web.service":  "[Service]\nExecStart=/usr/bin/web\n",
		"usr/lib/systemd/system/bare.service": "[Service]\nExecStart=/usr/bin/web\n",
		"etc/temper/temper.toml":              "unproven = \"enforce\"\n",
		"etc/temper/profiles.d/web.toml": "units = [\"web.service\"]\n\n[service]\n" +
			"NoNewPrivileges = true\n\n[prove]\nsettle = \"3s\"\n",
		"run/systemd/generator/web.service.d/50-temper.conf": "[Service]\nNoNewPrivileges=yes\n",
		"run/systemd/generator/x.mount.d/50-temper.conf":     "",
	} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	return files{host.At(dir)}, dir
}

func TestHardening(t *testing.T) {
	f, dir := newMachine(t)
	begin := time.Now()
	h, ok, err := f.hardening("web.service")
	if err != nil || !ok {
		t.Fatalf("%t, %v", ok, err)
	}
	if h.settle() != 3*time.Second || h.dropin != "[Service]\nNoNewPrivileges=yes\n" {
		t.Errorf("settle %s, drop-in %q", h.settle(), h.dropin)
	}
	if _, ok, err := f.hardening("bare.service"); ok || err != nil {
		t.Errorf("a unit without a drop-in: %t, %v", ok, err)
	}
	if _, _, err := f.hardening("gone.service"); err == nil {
		t.Error("a unit that is not there is no error")
	}
	if names, err := f.hardened(); err != nil || !slices.Equal(names, []string{"web.service"}) {
		t.Errorf("hardened are %q, %v", names, err)
	}
	if h.since.After(time.Now()) || h.since.Before(begin.Add(-time.Minute)) {
		t.Errorf("in force since %s, at %s", h.since, begin)
	}

	// A replaced program counts from the time of its replacement, although its mtime is old.
	time.Sleep(20 * time.Millisecond)
	replaced := time.Now()
	program := filepath.Join(dir, "usr/bin/web")
	if err := errors.Join(os.WriteFile(program, []byte("#!2"), 0o755),
		os.Chtimes(program, begin.Add(-time.Hour), begin.Add(-time.Hour))); err != nil {
		t.Fatal(err)
	}
	now, _, err := f.hardening("web.service")
	if err != nil || now.key() == h.key() || now.since.Before(replaced.Add(-10*time.Millisecond)) {
		t.Errorf("in force since %s, replaced at %s, the key is the same: %t; %v", now.since, replaced,
			now.key() == h.key(), err)
	}
}

// TestInForceSinceBoot: a verdict that is older than the boot has been in force since the boot, however late the
// manager was reloaded.
func TestInForceSinceBoot(t *testing.T) {
	f, _ := newMachine(t)
	h, _, err := f.hardening("web.service")
	if err != nil {
		t.Fatal(err)
	}
	h.decision.Verdict = &verdict.Verdict{Unit: "web.service", Result: verdict.Proven}
	booted, err := bootTime()
	if err != nil {
		t.Fatal(err)
	}
	// A verdict that is stored only now counts from the reload.
	since, err := f.inForceSince(h, writtenDir+"/web.service.d/50-temper.conf")
	if err != nil || since.Before(booted) {
		t.Errorf("in force since %s, %v; booted at %s", since, err, booted)
	}
}

func TestPutBroken(t *testing.T) {
	f, _ := newMachine(t)
	h, _, err := f.hardening("web.service")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.putBroken(h, run{exits: []exit{{"exited", "226"}}}, []entry{{message: "denied"}}); err != nil {
		t.Fatal(err)
	}
	v, err := verdict.Store{Root: f.root}.Get("web.service")
	if err != nil || v.Result != verdict.Broken ||
		v.Reason != "did not start hardened on this machine: status exited 226" || len(v.Advisories) != 2 {
		t.Errorf("%v: %+v", err, v)
	}
	// With this verdict the generator writes no drop-in, although the settings apply unproven hardening.
	after, _, err := f.hardening("web.service")
	if err != nil || after.decision.Text != "" {
		t.Errorf("%v: it still gets %q", err, after.decision.Text)
	}
}

func TestNotes(t *testing.T) {
	f, _ := newMachine(t)
	h, _, err := f.hardening("web.service")
	if err != nil {
		t.Fatal(err)
	}
	n := notes{filepath.Join(t.TempDir(), "temper")}
	if n.has(started, h) {
		t.Error("something is noted already")
	}
	if err := errors.Join(n.put(started, h), n.put(started, h)); err != nil || !n.has(started, h) || n.has(cleared, h) {
		t.Errorf("%v, noted %t and %t", err, n.has(started, h), n.has(cleared, h))
	}
	h.fingerprint.Kernel += "+"
	if n.has(started, h) {
		t.Error("it holds for another kernel")
	}
	release, err := n.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release()
	if release, err = n.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	release()
}
