package generator_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/verdict"
)

// TestDraft: nothing of a draft is ever applied, whatever its verdict and the settings say, and what applies without
// the draft goes on applying. Without its mark it is a profile like any other.
func TestDraft(t *testing.T) {
	const mark = "draft = true\n"
	const profile = "usr/lib/temper/profiles.d/web.toml"
	baseline := func(t *testing.T, root string) {
		put(t, root, "etc/temper/profiles.d/all.toml", "units = [\"w*.service\"]\n[service]\nPrivateTmp = true\n")
	}
	enforce := func(t *testing.T, root string) {
		put(t, root, "etc/temper/temper.toml", "unproven = \"enforce\"\napply = [\"proven\", \"started\"]\n")
	}
	for _, tc := range []struct {
		name    string
		do      func(t *testing.T, root string)
		profile string // "" if web.toml stays as it is
		by      generator.Rule
		hardens bool
	}{
		{"proven", nil, mark + webProfile, generator.ByDraft, false},
		{"unproven is enforce", enforce, mark + webProfile, generator.ByDraft, false},
		{"of a later file", func(t *testing.T, root string) {
			put(t, root, "etc/temper/profiles.d/mine.toml", "units = [\"web.service\"]\nextends = [\"web\"]\n")
		}, mark + "[service]\nPrivateTmp = true\n", generator.ByDraft, false},
		{
			"a pattern applies", func(t *testing.T, root string) { baseline(t, root); enforce(t, root) },
			mark + webProfile, generator.ByStale, true,
		},
		{"unprofiled applies", func(t *testing.T, root string) {
			put(t, root, "etc/temper/temper.toml", "unproven = \"enforce\"\nunprofiled = \"base/baseline\"\n")
		}, mark + webProfile, generator.ByStale, true},
		{"it has an error after it was proven", func(t *testing.T, root string) {
			g, _ := loadWeb(t, root)
			change(t, g.Store, func(v *verdict.Verdict) { v.Draft = true })
		}, "draft = 1\n" + webProfile, generator.ByNoProfile, false},
		{"the mark is gone", nil, "", generator.ByProof, true},
		{"the mark is false", nil, "draft = false\n" + webProfile, generator.ByStale, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := webRoot(t)
			if tc.do != nil {
				tc.do(t, root)
			}
			if tc.profile != "" {
				put(t, root, profile, tc.profile)
			}
			g, _, err := generator.New(host.At(root), "")
			must(t, err)
			u, err := g.Units.Load("web.service")
			must(t, err)
			d, err := g.Decide(u)
			must(t, err)
			isApplied := d.NeedsProof || d.Text != ""
			if d.By != tc.by || d.Hardens() != tc.hardens || d.By == generator.ByDraft && isApplied {
				t.Errorf("decided by %q (%s), needs a proof %v:\n%s", d.By, d.Why, d.NeedsProof, d.Text)
			}
			if report := generator.Run(host.At(root), "", t.TempDir()); (report.Written > 0) != tc.hardens {
				t.Errorf("%d drop-ins at a boot: %v", report.Written, report.Problems)
			}
		})
	}
}

// TestDraftOfACriticalUnit: the mark decides, not the list, and neither a boot nor its record applies anything.
func TestDraftOfACriticalUnit(t *testing.T) {
	root := webRoot(t)
	put(t, root, "etc/temper/temper.toml", "unproven = \"enforce\"\n")
	put(t, root, "usr/lib/systemd/system/polkit.service", webUnit)
	const draft = "etc/temper/profiles.d/polkit.toml"
	const rest = "units = [\"polkit.service\"]\nsecrets = [\"/var/lib/polkit\"]\n[service]\nPrivateTmp = true\n"
	recorded := func() (units []string, text string) {
		t.Helper()
		must(t, generator.MakeBootRecord(host.At(root)))
		r, ok := ready.Load(root)
		if !ok || !r.Holds(root) {
			t.Fatal("the boot record does not hold")
		}
		for _, d := range r.Dropins {
			units = append(units, d.Unit)
		}
		return units, string(r.Text("web.service"))
	}
	put(t, root, draft, "draft = true\n"+rest)
	units, with := recorded()
	if slices.Contains(units, "polkit.service") {
		t.Errorf("the boot record applies a draft: %v", units)
	}
	must(t, os.Remove(filepath.Join(root, draft)))
	if _, without := recorded(); with != without {
		t.Errorf("a draft hides its secrets from other services:\n%s\nwithout it:\n%s", with, without)
	}
	put(t, root, draft, rest)
	if r, _ := ready.Load(root); r.Holds(root) {
		t.Error("the boot record outlasts the mark")
	}
	if units, _ := recorded(); !slices.Contains(units, "polkit.service") {
		t.Errorf("a profile that names a critical unit is not applied: %v", units)
	}
}
