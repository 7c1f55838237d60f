package generator_test

import (
	"os"
	"path/filepath"
	"testing"

	"temper/generator"
	"temper/internal/verdict"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhatDecides: all rules are true of a unit at first. They are taken away one by one, and the next one decides:
// their order is that of generator.Rules and of the manual.
func TestWhatDecides(t *testing.T) {
	root := webRoot(t)
	remove := func(name string) { must(t, os.Remove(filepath.Join(root, name))) }
	link := filepath.Join(root, "etc/systemd/system/web.service.d/50-temper.conf")
	must(t, os.MkdirAll(filepath.Dir(link), 0o755))
	must(t, os.Symlink("/dev/null", link))
	unit := filepath.Join(root, "etc/systemd/system/web.service")
	must(t, os.Symlink("/dev/null", unit))
	put(t, root, "etc/temper/temper.toml", "exclude = [\"web.service\"]\nstale = \"keep\"\nunproven = \"enforce\"\n")
	put(t, root, "etc/temper/disabled", "")
	stored := filepath.Join(root, "etc/temper/verdicts/web.service.json")
	proven, err := os.ReadFile(stored)
	must(t, err)
	g, _ := loadWeb(t, root)
	must(t, g.Store.Revoke("web.service"))
	profile := filepath.Join(root, "usr/lib/temper/profiles.d/web.toml")
	text, err := os.ReadFile(profile)
	must(t, err)
	must(t, os.WriteFile(profile, append([]byte("draft = true\n"), text...), 0o644))
	for _, step := range []struct {
		by   generator.Rule
		next func()
	}{
		{generator.ByNoProfile, func() { must(t, os.Remove(unit)) }},
		{generator.ByDropin, func() { must(t, os.Remove(link)) }},
		{generator.ByExclude, func() { put(t, root, "etc/temper/temper.toml", "") }},
		{generator.ByOffSwitch, func() { remove("etc/temper/disabled") }},
		{generator.ByDraft, func() { must(t, os.WriteFile(profile, text, 0o644)) }},
		{generator.ByRevoked, func() {
			must(t, os.WriteFile(stored, proven, 0o600))
			change(t, g.Store, func(v *verdict.Verdict) { v.Result = verdict.Started })
		}},
		{generator.ByApply, func() { must(t, os.WriteFile(stored, proven, 0o600)) }},
		{generator.ByProof, func() { put(t, root, "usr/sbin/web", "version two") }},
		{generator.ByStale, func() {
			change(t, g.Store, func(v *verdict.Verdict) { v.Result = verdict.Flaky })
		}},
		{generator.ByUnproven, func() {}},
	} {
		g, u := loadWeb(t, root)
		d, err := g.Decide(u)
		if err != nil || d.By != step.by {
			t.Fatalf("decided by %q (%s), %v; want %q", d.By, d.Why, err, step.by)
		}
		step.next()
	}
}
