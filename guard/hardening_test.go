package guard

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/generator"
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
	if err := os.Symlink("x.service.d", f.root.Dir()+writtenDir+"/x.service.d"); err != nil {
		t.Fatal(err)
	}
	if names, err := f.hardened(); !errors.Is(err, unix.ELOOP) || len(names) != 1 {
		t.Errorf("hardened are %q, %v; what cannot be seen is no error", names, err)
	}
	if since := h.inForceSince(nil); since.After(time.Now()) || since.Before(begin.Add(-time.Minute)) {
		t.Errorf("in force since %s, at %s", since, begin)
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
	if err != nil || now.key() == h.key() || now.inForceSince(nil).Before(replaced.Add(-10*time.Millisecond)) {
		t.Errorf("in force since %s, replaced at %s, the key is the same: %t; %v", now.inForceSince(nil), replaced,
			now.key() == h.key(), err)
	}
}

// TestInForceSince: a load of the manager counts if nothing on which the drop-in depends has changed after it.
func TestInForceSince(t *testing.T) {
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	of := func(second int64) load { return load{at(second), at(second).Add(time.Second / 2)} }
	for _, test := range []struct {
		name               string
		changed, installed time.Time
		loads              []load
		want               time.Time
	}{
		{"nothing since the boot", at(50), at(10), []load{of(400), of(300), of(100)}, of(100).logged},
		{"between two reloads", at(200), at(10), []load{of(400), of(300), of(100)}, of(300).logged},
		{"during a reload", at(300), at(10), []load{of(400), of(300), of(100)}, of(400).logged},
		{"too near to tell", at(300).Add(-tick / 2), at(10), []load{of(400), of(300)}, of(400).logged},
		{"after the last reload that is known", at(450), at(10), []load{of(400), of(100)}, at(500)},
		{"nothing is known of changes", time.Time{}, at(10), []load{of(400), of(100)}, at(500)},
		{"no load is known", at(50), at(10), nil, at(500)},
		{"another program since", at(50), at(350), []load{of(400), of(100)}, at(350)},
		{"another program since the last reload", at(50), at(600), []load{of(400), of(100)}, at(600)},
	} {
		h := hardening{written: at(500), changed: test.changed, installed: test.installed}
		if got := h.inForceSince(test.loads); !got.Equal(test.want) {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// TestLastChange: whatever changes a drop-in, and is taken back, has changed something after which earlier loads count
// no more.
func TestLastChange(t *testing.T) {
	for _, test := range []struct {
		name, file string
		known      bool
	}{
		{"the unit", "usr/lib/systemd/system/web.service", true},
		{"the settings", "etc/temper/temper.toml", true},
		{"its profile", "etc/temper/profiles.d/web.toml", true},
		{"an off switch that goes again", "-etc/temper/disabled", true},
		{"an override that goes again", "-etc/systemd/system/web.service.d/override.conf", true},
		{"a profile that goes again", "-etc/temper/profiles.d/other.toml", true},
		{"the mask of a guard that goes again", "-run/systemd/system/web.service.d/50-temper.conf", true},
		{"a drop-in of its slice", "etc/systemd/system/system.slice.d/net.conf", true},
		{"a verdict that goes again", "-etc/temper/verdicts/web.service.json", true},
		{"another generator", "run/systemd/generator/web.service.d/60-other.conf", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f, dir := newMachine(t)
			for _, name := range []string{"etc/systemd/system", "run/systemd/system", "etc/temper/verdicts"} {
				if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			writeFile(t, filepath.Join(dir, "etc/systemd/system/system.slice.d/net.conf"),
				"[Slice]\nIPAddressDeny=192.0.2.1\n")
			read := func() time.Time {
				t.Helper()
				h, ok, err := f.hardening("web.service")
				if err != nil || !ok {
					t.Fatalf("%t, %v", ok, err)
				}
				return h.changed
			}
			first := read()
			time.Sleep(tick)
			file, goes := strings.CutPrefix(test.file, "-")
			file = filepath.Join(dir, file)
			data, _ := os.ReadFile(file)
			writeFile(t, file, string(data))
			if goes {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
				_ = os.Remove(filepath.Dir(file))
			}
			if now := read(); first.IsZero() || now.IsZero() == test.known || test.known && !now.After(first) {
				t.Errorf("the last change was at %s, and is at %s", first, now)
			}
		})
	}
}

// TestDamage: neither a verdict nor a profile that cannot be read makes a hardening look as if there were none.
func TestDamage(t *testing.T) {
	f, dir := newMachine(t)
	writeFile(t, filepath.Join(dir, "etc/temper/temper.toml"), "")
	g, err := f.generator()
	if err != nil {
		t.Fatal(err)
	}
	u, err := g.Units.Load("web.service")
	if err != nil {
		t.Fatal(err)
	}
	d, err := g.Decide(u)
	if err != nil {
		t.Fatal(err)
	}
	v := verdict.Verdict{
		Unit: u.ID, Profile: "web", Result: verdict.Proven, Systemd: 257, Dropin: d.Plan.Text(), Applied: d.Plan.Applied(),
	}
	if v.Fingerprint, err = g.Fingerprint(g.Input(u, d.Profile, d.Named)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.Store.Put(v), generator.MakeBootRecord(f.root)); err != nil {
		t.Fatal(err)
	}
	profile := filepath.Join(dir, "etc/temper/profiles.d/web.toml")
	good, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, profile, "units = [")
	if h, ok, err := f.hardening(u.ID); ok || err != nil || h.decision.Text == "" {
		t.Errorf("with an error in its profile: %t, %v, %q", ok, err, h.decision.Text)
	}
	writeFile(t, profile, string(good))
	writeFile(t, filepath.Join(dir, "etc/temper/verdicts/web.service.json"), "{")
	h, ok, err := f.hardening(u.ID)
	if !ok || err != nil {
		t.Fatalf("with a damaged verdict: %t, %v", ok, err)
	}
	if err := f.putBroken(h, run{}, nil); err != nil {
		t.Fatal(err)
	}
	if h, ok, err := f.hardening(u.ID); ok || err != nil || h.decision.Text != "" {
		t.Errorf("after it was found to be broken: %t, %v, %q", ok, err, h.decision.Text)
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
	has := func(what string) bool {
		t.Helper()
		noted, err := n.has(what, h)
		if err != nil {
			t.Error(err)
		}
		return noted
	}
	if has(started) {
		t.Error("something is noted already")
	}
	if err := errors.Join(n.put(started, h), n.put(started, h)); err != nil || !has(started) || has(cleared) {
		t.Errorf("%v, noted %t and %t", err, has(started), has(cleared))
	}
	h.fingerprint.Kernel += "+"
	if has(started) {
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
