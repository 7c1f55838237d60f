package generator_test

import (
	"slices"
	"testing"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/verdict"
)

// TestUnprofiled: the setting unprofiled gives every service without a profile base/baseline, of which it is enough
// that the service is started, and changes nothing for other services.
func TestUnprofiled(t *testing.T) {
	const unit = "[Service]\nExecStart=/usr/sbin/web\n"
	root := webRoot(t)
	put(t, root, "usr/lib/systemd/system/plain.service", unit)
	put(t, root, "usr/lib/systemd/system/other.service", unit)
	put(t, root, "usr/lib/systemd/system/slip.service", unit)
	put(t, root, "usr/lib/systemd/system/php8.4-fpm.service", unit)
	put(t, root, "usr/lib/systemd/system/NetworkManager.service", unit)
	put(t, root, "etc/temper/profiles.d/slip.toml", "units = [\"slip.service\"]\n[service]\nPrivateTmp = \"perhaps\"\n")
	put(t, root, "etc/temper/profiles.d/php.toml", "units = [\"php*.service\"]\n[service]\nPrivateTmp = true\n")

	decide := func(name string) (generator.Decision, *generator.Generator) {
		t.Helper()
		g, _, err := generator.New(host.At(root), "") // slip.toml is a problem
		must(t, err)
		u, err := g.Units.Load(name)
		must(t, err)
		d, err := g.Decide(u)
		must(t, err)
		return d, g
	}
	start := func(name string) {
		t.Helper()
		d, g := decide(name)
		u, err := g.Units.Load(name)
		must(t, err)
		in := g.Input(u, d.Profile, d.Named)
		v := verdict.Verdict{
			Unit: name, Profile: d.Profile.Name, Result: verdict.Started, Systemd: g.Version,
			Dropin: generator.NewPlan(in).Text(), Applied: generator.NewPlan(in).Applied(),
		}
		v.Fingerprint, err = g.Fingerprint(in)
		must(t, err)
		must(t, g.Store.Put(v))
	}

	if d, _ := decide("plain.service"); d.By != generator.ByNoProfile {
		t.Errorf("without the setting it is decided by %q", d.By)
	}
	put(t, root, "etc/temper/temper.toml", "unprofiled = \"base/baseline\"\n")
	start("plain.service")
	start("php8.4-fpm.service")
	for _, want := range []struct {
		unit, profile string
		by            generator.Rule
		hardens       bool
	}{
		{"plain.service", "base/baseline", generator.ByApply, true},
		{"other.service", "base/baseline", generator.ByUnproven, false},
		{"web.service", "web", generator.ByProof, true},
		{"php8.4-fpm.service", "php", generator.ByApply, false}, // for its profile nobody has said that this is enough
		{"NetworkManager.service", "base/baseline", generator.ByBoot, false},
		{"slip.service", "", generator.ByNoProfile, false}, // its own profile has an error
	} {
		d, g := decide(want.unit)
		profile := ""
		if d.Profile != nil {
			profile = d.Profile.Name
		}
		if profile != want.profile || d.By != want.by || d.Hardens() != want.hardens || d.NeedsProof {
			t.Errorf("%s: profile %q, decided by %q (%s), hardens %v, needs a proof %v; want %+v",
				want.unit, profile, d.By, d.Why, d.Hardens(), d.NeedsProof, want)
		}
		decisions, _ := g.Decisions()
		isUnit := func(d generator.Decision) bool { return d.Unit == want.unit && d.By == want.by }
		if !slices.ContainsFunc(decisions, isUnit) {
			t.Errorf("%s: the list of all decisions lacks it", want.unit)
		}
	}
	dir := t.TempDir()
	report := generator.Run(host.At(root), "", dir)
	if report.Written != 2 {
		t.Errorf("%d drop-ins are written at a boot, want those of plain and web: %v", report.Written, report.Problems)
	}
	put(t, root, "etc/temper/temper.toml", "unprofiled = \"leave\"\n")
	if d, _ := decide("plain.service"); d.By != generator.ByNoProfile || d.Hardens() {
		t.Errorf("after the setting is taken back it is decided by %q (%s)", d.By, d.Why)
	}
}
