package generator_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// The service of TestWhatAppliesAfterAChange, and what was proven about it with systemd 252: it does not survive
// ProtectSystem=strict, and nothing was wrong with the rest.
const (
	webUnit    = "[Service]\nExecStart=/usr/sbin/web\n"
	webProfile = "units = [\"web.service\"]\n\n[service]\nProtectSystem = \"strict\"\n" +
		"ReadWritePaths = [\"/var/lib/web\"]\n" +
		"PrivateTmp = \"disconnected\"\nPrivatePIDs = true\nSystemCallFilter = [\"@system-service\"]\n"
)

// webRoot makes the root of it, with a verdict of this machine.
func webRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	put(t, root, "usr/lib/systemd/libsystemd-shared-252.so", "")
	put(t, root, "usr/lib/systemd/system/web.service", webUnit)
	put(t, root, "usr/sbin/web", "version 1")
	put(t, root, "usr/lib/temper/profiles.d/web.toml", webProfile)
	g, u := loadWeb(t, root)
	p, named := g.Profiles.For(u)
	in := g.Input(u, p, named)
	in.Demotions = []verdict.Demotion{{Directive: "ProtectSystem", From: "strict", To: "full"}}
	plan := generator.NewPlan(in)
	v := verdict.Verdict{
		Unit: u.ID, Profile: p.Name, Result: verdict.Proven, Systemd: g.Version,
		Applied: plan.Applied(), Demotions: in.Demotions, Dropin: plan.Text(),
	}
	var err error
	if v.Fingerprint, err = g.Fingerprint(in); err != nil {
		t.Fatal(err)
	}
	if err := g.Store.Put(v); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestWhatAppliesAfterAChange: what was proven once on this machine stays applied whatever changes, as the table says,
// and asks for a proof.
func TestWhatAppliesAfterAChange(t *testing.T) {
	const proven = "PrivateTmp=yes ProtectSystem=full ReadWritePaths=-/var/lib/web SystemCallFilter=@system-service"
	profile := func(old, new string) map[string]string {
		return map[string]string{"usr/lib/temper/profiles.d/web.toml": strings.Replace(webProfile, old, new, 1)}
	}
	override := func(text string) map[string]string {
		return map[string]string{"etc/systemd/system/web.service.d/override.conf": "[Service]\n" + text}
	}
	for _, tc := range []struct {
		name    string
		files   map[string]string // that change; "kernel" stands for the one of the verdict
		applied string
		changed string // as what it is told; "" = nothing
	}{
		{"nothing", nil, proven, ""},
		{"the executable", map[string]string{"usr/sbin/web": "version two"}, proven, "the executable"},
		{"the kernel", map[string]string{"kernel": "6.1.0-old"}, proven, "the kernel"},
		{
			"systemd: what only the new one knows was not tried",
			map[string]string{"usr/lib/systemd/libsystemd-shared-257.so": ""},
			proven, "systemd (252, now 257)",
		},
		{"an override of something else", override("Nice=1\n"), proven, "the unit"},
		{
			"an override: the administrator wins, and the demotion stays", override("PrivateTmp=no\n"),
			"ProtectSystem=full ReadWritePaths=-/var/lib/web SystemCallFilter=@system-service", "the unit",
		},
		{
			"a unit that forbids more by itself",
			map[string]string{"usr/lib/systemd/system/web.service": webUnit + "SystemCallFilter=~@mount\n"},
			"PrivateTmp=yes ProtectSystem=full ReadWritePaths=-/var/lib/web SystemCallFilter= " +
				"SystemCallFilter=@system-service", "the unit",
		},
		{
			"the profile asks for a directive more", profile("[service]\n", "[service]\nNoNewPrivileges = true\n"),
			proven,
			"the profile",
		},
		{
			"the profile asks for a stronger value", profile(`["@system-service"]`, `["@basic-io"]`),
			proven, "the profile",
		},
		{
			"the profile has an exception less", profile("ReadWritePaths = [\"/var/lib/web\"]\n", ""), proven,
			"the profile",
		},
		{
			"the profile has an exception more", profile(`"/var/lib/web"`, `"/srv"`),
			"PrivateTmp=yes ProtectSystem=full ReadWritePaths=-/srv ReadWritePaths=-/var/lib/web " +
				"SystemCallFilter=@system-service",
			"the profile",
		},
		{
			"the profile asks for a weaker value", profile(`PrivateTmp = "disconnected"`, `PrivateTmp = "no"`),
			"ProtectSystem=full ReadWritePaths=-/var/lib/web SystemCallFilter=@system-service", "the profile",
		},
		{
			"the profile asks for a directive less", profile("PrivateTmp = \"disconnected\"\n", ""),
			"ProtectSystem=full ReadWritePaths=-/var/lib/web SystemCallFilter=@system-service", "the profile",
		},
		{
			"the old way",
			map[string]string{"usr/sbin/web": "version two", "etc/temper/temper.toml": "stale = \"drop\"\n"},
			"", "the executable",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := webRoot(t)
			for name, text := range tc.files {
				put(t, root, name, text)
			}
			g, u := loadWeb(t, root)
			if kernel := tc.files["kernel"]; kernel != "" {
				change(t, g.Store, func(v *verdict.Verdict) { v.Fingerprint.Kernel = kernel })
			}
			d, err := g.Decide(u)
			if err != nil {
				t.Fatal(err)
			}
			if got := assigned(d.Text); got != tc.applied {
				t.Errorf("applied\n%s, want\n%s", got, tc.applied)
			}
			if d.NeedsProof != (tc.changed != "") || !strings.Contains(d.Why, tc.changed) ||
				d.Verdict.Stale != d.NeedsProof {
				t.Errorf("%q, needs a proof: %t, want it to tell of %q", d.Why, d.NeedsProof, tc.changed)
			}
		})
	}
}

// change changes the verdict of this machine.
func change(t *testing.T, store verdict.Store, how func(v *verdict.Verdict)) {
	t.Helper()
	v, err := store.Get("web.service")
	if err != nil {
		t.Fatal(err)
	}
	how(&v)
	if err := store.Put(v); err != nil {
		t.Fatal(err)
	}
}

// assigned is what a drop-in assigns, without comments and sections.
func assigned(dropin string) string {
	var list []string
	for line := range strings.Lines(dropin) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") &&
			!strings.HasPrefix(line, "[") {
			list = append(list, line)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func loadWeb(t *testing.T, root string) (*generator.Generator, *unit.Unit) {
	t.Helper()
	g, problems, err := generator.New(host.At(root), "")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	u, err := g.Units.Load("web.service")
	if err != nil {
		t.Fatal(err)
	}
	return g, u
}

// TestWhatAppliesOfOtherVerdicts: what a package brought for another program applies only where it held once; an
// attempt that proved nothing is told, and not repeated.
func TestWhatAppliesOfOtherVerdicts(t *testing.T) {
	const proven = "PrivateTmp=yes ProtectSystem=full ReadWritePaths=-/var/lib/web SystemCallFilter=@system-service"
	ship := func(t *testing.T, g *generator.Generator) {
		t.Helper()
		change(t, g.Store, func(v *verdict.Verdict) { v.Fingerprint.Systemd, v.Fingerprint.Kernel = 0, "" })
		v, err := g.Store.Get("web.service")
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Store.Shipped().PutShared(v); err != nil {
			t.Fatal(err)
		}
	}
	forget := func(t *testing.T, g *generator.Generator) {
		t.Helper()
		if err := g.Store.Remove("web.service"); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name       string
		do         func(t *testing.T, root string, g *generator.Generator)
		applied    string
		why        string
		needsProof bool
	}{
		{"shipped, and it holds", func(t *testing.T, _ string, g *generator.Generator) {
			ship(t, g)
			forget(t, g)
		}, proven, "proven", false},
		{"shipped for another program", func(t *testing.T, root string, g *generator.Generator) {
			ship(t, g)
			forget(t, g)
			put(t, root, "usr/sbin/web", "version two")
		}, "", "the shipped verdict does not hold here, different: the executable; nothing is applied until it is " +
			"proven", true},
		{"shipped, and it held here once", func(t *testing.T, root string, g *generator.Generator) {
			ship(t, g)
			put(t, root, "usr/sbin/web", "version two")
		}, proven, "stays as proven before, changed since: the executable", true},
		{"what is shipped now holds", func(t *testing.T, root string, g *generator.Generator) {
			ship(t, g)
			change(t, g.Store, func(v *verdict.Verdict) {
				v.Fingerprint.Executable, v.Dropin = "/usr/sbin/web 1 x",
					"old"
			})
		}, proven, "proven", false},
		{
			"no verdict", func(t *testing.T, _ string, g *generator.Generator) { forget(t, g) },
			"", "no verdict; nothing is applied until it is proven", true,
		},
		{"revoked, whatever is shipped", func(t *testing.T, _ string, g *generator.Generator) {
			ship(t, g)
			if err := g.Store.Revoke("web.service"); err != nil {
				t.Fatal(err)
			}
		}, "", "revoked; nothing is applied before temper prove web.service", false},
		{"broken here", func(t *testing.T, root string, g *generator.Generator) {
			change(t, g.Store, func(v *verdict.Verdict) { v.Result = verdict.Broken })
			put(t, root, "usr/sbin/web", "version two")
		}, "", "the verdict is stale, changed since: the executable; nothing is applied until it is proven", true},
		{"an attempt as it is now", func(t *testing.T, root string, g *generator.Generator) {
			attempt(t, root, g)
		}, proven, "stays as proven before, changed since: the executable; the last attempt was flaky", false},
		{"started", func(t *testing.T, _ string, g *generator.Generator) {
			change(t, g.Store, func(v *verdict.Verdict) { v.Result = verdict.Started })
		}, "", "the verdict is started; nothing is applied until a check of its profile uses it", false},
		{"started, which is enough", func(t *testing.T, root string, g *generator.Generator) {
			put(t, root, "etc/temper/temper.toml", "apply = [\"proven\", \"started\"]\n")
			change(t, g.Store, func(v *verdict.Verdict) { v.Result = verdict.Started })
		}, proven, "started", false},
		{"started, and everything is enforced", func(t *testing.T, root string, g *generator.Generator) {
			put(t, root, "etc/temper/temper.toml", "unproven = \"enforce\"\n")
			change(t, g.Store, func(v *verdict.Verdict) { v.Result = verdict.Started })
		}, proven, "started", false},
		{"started here, and what is shipped holds", func(t *testing.T, _ string, g *generator.Generator) {
			ship(t, g)
			change(t, g.Store, func(v *verdict.Verdict) {
				v.Result, v.Dropin, v.Demotions = verdict.Started, "old", nil
			})
		}, proven, "proven", false},
		{"proven by some of the checks", func(t *testing.T, _ string, g *generator.Generator) {
			change(t, g.Store, func(v *verdict.Verdict) {
				v.Use = &verdict.Use{Checks: []verdict.Check{{Result: verdict.Passed}, {Result: verdict.NotRun}}}
			})
		}, proven, "proven (1 of 2 checks)", false},
		{"an attempt as it was", func(t *testing.T, root string, g *generator.Generator) {
			attempt(t, root, g)
			put(t, root, "usr/sbin/web", "version three")
		}, proven, "stays as proven before, changed since: the executable; the last attempt was flaky", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := webRoot(t)
			g, _ := loadWeb(t, root)
			tc.do(t, root, g)
			g, u := loadWeb(t, root)
			d, err := g.Decide(u)
			if err != nil {
				t.Fatal(err)
			}
			if got := assigned(d.Text); got != tc.applied || d.Why != tc.why || d.NeedsProof != tc.needsProof {
				t.Errorf("%q: %s, needs a proof: %t\nwant %q: %s, %t", got, d.Why, d.NeedsProof, tc.applied, tc.why,
					tc.needsProof)
			}
		})
	}
}

// attempt replaces the program, and keeps beside the verdict that it was flaky so.
func attempt(t *testing.T, root string, g *generator.Generator) {
	t.Helper()
	put(t, root, "usr/sbin/web", "version two")
	_, u := loadWeb(t, root)
	p, named := g.Profiles.For(u)
	now, err := g.Fingerprint(g.Input(u, p, named))
	if err != nil {
		t.Fatal(err)
	}
	change(t, g.Store, func(v *verdict.Verdict) {
		v.LastAttempt = &verdict.Attempt{Result: verdict.Flaky, Fingerprint: now}
	})
}

// TestProfileWithAnError: a slip in the profile of a proven unit, or in one that it extends, takes nothing away, unless
// the unit has changed as well.
func TestProfileWithAnError(t *testing.T) {
	const proven = "PrivateTmp=yes ProtectSystem=full ReadWritePaths=-/var/lib/web SystemCallFilter=@system-service"
	for _, tc := range []struct {
		name, file, text string
		more             map[string]string
		applied          string
		by               generator.Rule
	}{
		{"typing error", "etc/temper/profiles.d/web.toml", "units = [", nil, proven, generator.ByStale},
		{
			"unknown directive", "usr/lib/temper/profiles.d/web.toml", webProfile + "NoSuch = true\n", nil,
			proven, generator.ByStale,
		},
		{
			"of its base", "usr/lib/temper/profiles.d/web.toml", "extends = [\"base/gone\"]\n" + webProfile, nil,
			proven, generator.ByStale,
		},
		{
			"and the unit has changed", "etc/temper/profiles.d/web.toml", "units = [",
			map[string]string{"etc/systemd/system/web.service.d/10-own.conf": "[Service]\nPrivateTmp=no\n"},
			"", generator.ByNoProfile,
		},
		{
			"and it is excluded", "etc/temper/profiles.d/web.toml", "units = [",
			map[string]string{"etc/temper/temper.toml": "exclude = [\"web.service\"]\n"},
			"", generator.ByExclude,
		},
		{
			"and the old way is wanted", "etc/temper/profiles.d/web.toml", "units = [",
			map[string]string{"etc/temper/temper.toml": "stale = \"drop\"\n"},
			"", generator.ByNoProfile,
		},
		{
			"another profile applies", "etc/temper/profiles.d/web.toml", "units = [",
			map[string]string{
				"etc/temper/profiles.d/all.toml": "units = [\"web*.service\"]\n\n[service]\nPrivateTmp = true\n",
			},
			"PrivateTmp=yes ProtectSystem=full ReadWritePaths=-/var/lib/web", generator.ByStale,
		},
		{"it was removed", "etc/temper/profiles.d/web.toml", "", nil, "", generator.ByNoProfile},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := webRoot(t)
			put(t, root, tc.file, tc.text)
			if tc.text == "" { // masked, which is how an administrator takes a profile away
				must(t, os.Remove(filepath.Join(root, tc.file)))
				must(t, os.Symlink("/dev/null", filepath.Join(root, tc.file)))
			}
			for name, text := range tc.more {
				put(t, root, name, text)
			}
			g, _, err := generator.New(host.At(root), "")
			must(t, err)
			u, err := g.Units.Load("web.service")
			must(t, err)
			d, err := g.Decide(u)
			if err != nil || assigned(d.Text) != tc.applied || d.By != tc.by || d.NeedsProof && d.Profile == nil {
				t.Errorf("applied %q by %s (%s), %v, want %q by %s",
					assigned(d.Text), d.By, d.Why, err, tc.applied, tc.by)
			}
			out := t.TempDir()
			generator.Run(host.At(root), "", out)
			text, _ := os.ReadFile(filepath.Join(out, "web.service.d/50-temper.conf"))
			if assigned(string(text)) != tc.applied {
				t.Errorf("the boot applies %q, want %q", text, tc.applied)
			}
		})
	}
}

// TestDamagedVerdict: a verdict that cannot be read takes nothing away that was applied before, whatever else is stored
// or changes after it. The damage is reported with its path, and a proof is asked for.
func TestDamagedVerdict(t *testing.T) {
	const (
		proven = "PrivateTmp=yes ProtectSystem=full ReadWritePaths=-/var/lib/web SystemCallFilter=@system-service"
		stored = "etc/temper/verdicts/web.service.json"
	)
	other := func(t *testing.T, g *generator.Generator) {
		t.Helper()
		must(t, g.Store.Put(verdict.Verdict{Unit: "other.service", Result: verdict.Broken}))
	}
	for _, tc := range []struct {
		name    string
		do      func(t *testing.T, root string, g *generator.Generator) // before the damage
		text    string                                                  // of the damaged file
		after   map[string]string
		applied string
	}{
		{"nothing else", nil, "{", nil, proven},
		{"it is empty", nil, "", nil, proven},
		{"it is about another unit", nil, `{"unit": "other.service"}`, nil, proven},
		{"another verdict is stored", func(t *testing.T, _ string, g *generator.Generator) {
			other(t, g)
			other(t, g)
		}, "{", nil, proven},
		{"another file is wrong when the record is made", func(t *testing.T, root string, g *generator.Generator) {
			put(t, root, "etc/temper/profiles.d/slip.toml", "units = [")
			other(t, g)
			must(t, generator.MakeBootRecord(g.Root))
		}, "{", nil, proven},
		{"it was proven again with more demotions", func(t *testing.T, _ string, g *generator.Generator) {
			change(t, g.Store, func(v *verdict.Verdict) { v.Dropin = "[Service]\nPrivateTmp=yes\n" })
		}, "{", nil, "PrivateTmp=yes ReadWritePaths=-/var/lib/web"}, // exceptions of the profile only allow more
		{"it was broken", func(t *testing.T, _ string, g *generator.Generator) {
			change(t, g.Store, func(v *verdict.Verdict) { v.Result = verdict.Broken })
		}, "{", nil, ""},
		{"it was revoked", func(t *testing.T, _ string, g *generator.Generator) {
			must(t, g.Store.Revoke("web.service"))
		}, "{", nil, ""},
		{"it was revoked, and the unproven is enforced", func(t *testing.T, root string, g *generator.Generator) {
			put(t, root, "etc/temper/temper.toml", "unproven = \"enforce\"\n")
			must(t, g.Store.Revoke("web.service"))
		}, "{", nil, ""},
		{"it was revoked, and the unproven is proven", func(t *testing.T, root string, g *generator.Generator) {
			put(t, root, "etc/temper/temper.toml", "unproven = \"prove\"\n")
			must(t, g.Store.Revoke("web.service"))
		}, "{", nil, ""},
		{"no record, and the unproven is enforced", func(t *testing.T, root string, _ *generator.Generator) {
			put(t, root, "etc/temper/temper.toml", "unproven = \"enforce\"\n")
			must(t, os.Remove(filepath.Join(root, ready.Path)))
		}, "{", nil, ""},
		{"the verdict was removed before", func(t *testing.T, _ string, g *generator.Generator) {
			must(t, g.Store.Remove("web.service"))
		}, "{", nil, ""},
		{"there is no record", func(t *testing.T, root string, _ *generator.Generator) {
			must(t, os.Remove(filepath.Join(root, ready.Path)))
		}, "{", nil, ""},
		{
			"the administrator sets a directive meanwhile", nil, "{",
			map[string]string{"etc/systemd/system/web.service.d/override.conf": "[Service]\nPrivateTmp=no\n"},
			"ProtectSystem=full ReadWritePaths=-/var/lib/web SystemCallFilter=@system-service",
		},
		{
			"the old way", nil, "{", map[string]string{"etc/temper/temper.toml": "stale = \"drop\"\n"}, "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := webRoot(t)
			g, _ := loadWeb(t, root)
			must(t, generator.MakeBootRecord(g.Root))
			if tc.do != nil {
				tc.do(t, root, g)
			}
			put(t, root, stored, tc.text)
			for name, text := range tc.after {
				put(t, root, name, text)
			}
			for range 2 { // a boot, and one after temper has tried to make a record
				g, _, err := generator.New(host.At(root), "")
				must(t, err)
				u, err := g.Units.Load("web.service")
				must(t, err)
				d, err := g.Decide(u)
				needs := d.Verdict != nil && d.By != generator.ByRevoked
				if assigned(d.Text) != tc.applied || d.NeedsProof != needs || tc.applied != "" && !needs ||
					err == nil || !strings.Contains(err.Error(), stored) ||
					strings.Contains(d.Text, "temper-prove@") {
					t.Errorf("applied %q (%s), needs a proof: %t; %v\nwant %q", assigned(d.Text), d.Why, d.NeedsProof,
						err, tc.applied)
				}
				out := t.TempDir()
				if ready.Copy(root, out) {
					t.Error("the record holds")
				}
				generator.Run(host.At(root), "", out)
				text, _ := os.ReadFile(filepath.Join(out, "web.service.d/50-temper.conf"))
				if assigned(string(text)) != tc.applied {
					t.Errorf("the boot applies %q, want %q", text, tc.applied)
				}
				must(t, generator.MakeBootRecord(g.Root))
			}
		})
	}
}
