package results_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"temper/internal/verdict"
	"temper/survey/results"
)

func unit(outcome string, after float64, demotions ...string) results.Unit {
	u := results.Unit{
		Package: "web", Version: "1", Unit: "web.service", Outcome: outcome, Machine: results.Machine{Name: "a"},
	}
	u.Verdict.Exposure = verdict.Exposure{Before: 9, After: after}
	for _, d := range demotions {
		u.Verdict.Demotions = append(u.Verdict.Demotions, verdict.Demotion{Directive: d, To: verdict.Off})
	}
	return u
}

func TestWorse(t *testing.T) {
	for _, tc := range []struct {
		name     string
		old, new results.Unit
		want     string
	}{
		{"the same", unit("proven", 2, "A"), unit("proven", 2, "B"), ""},
		{"used, but more exposed", unit("started", 3), unit("proven", 4, "A"), "exposure 4.0, was 3.0"},
		{"used before", unit("proven", 2), unit("started", 2), "started, was proven"},
		{"works no more", unit("started", 2), unit("flaky", 0), "flaky, was started"},
		{"never worked", unit("broken-baseline", 0), unit("timed-out", 0), ""},
		{"works now", unit("flaky", 0), unit("proven", 9, "A"), ""},
		{"more demotions", unit("proven", 2), unit("proven", 2, "A"), "demotions are 1, were 0"},
	} {
		if got := tc.new.Worse(tc.old); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestMerge: the newest result counts; machines disagree only about one version of a package.
func TestMerge(t *testing.T) {
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	put := func(machine, version string, age time.Duration, u results.Unit) results.Dir {
		t.Helper()
		d := results.Dir(t.TempDir())
		u.Machine.Name, u.Version, u.Began = machine, version, now.Add(-age)
		if err := d.PutUnit(u); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, tc := range []struct {
		name   string
		dirs   []results.Dir
		kept   string
		differ string
	}{
		{"alike", []results.Dir{put("a", "1", 0, unit("proven", 2)), put("b", "1", 0, unit("proven", 2))}, "a", ""},
		{
			"newest",
			[]results.Dir{put("a", "1", time.Hour, unit("flaky", 2)), put("b", "2", 0, unit("proven", 2))},
			"b", "",
		},
		{
			"disagree",
			[]results.Dir{put("b", "1", 0, unit("proven", 2, "B", "A")), put("a", "1", time.Hour, unit("flaky", 0))},
			"b", "a: flaky; b: proven, exposure 9.0 -> 2.0, A= demoted to off, B= demoted to off",
		},
	} {
		into := results.Dir(t.TempDir())
		differ, err := results.Merge(into, tc.dirs...)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, d := range differ {
			got += strings.Join(d.Found, "; ")
		}
		u, err := into.Unit("web", "web.service")
		if err != nil || u.Machine.Name != tc.kept || got != tc.differ {
			t.Errorf("%s: %v, kept that of %s, want %s; disagree %q, want %q", tc.name, err, u.Machine.Name, tc.kept,
				got, tc.differ)
		}
	}
}

// TestAll: one damaged file is told and does not hide the others.
func TestAll(t *testing.T) {
	d := results.Dir(t.TempDir())
	if err := d.PutUnit(unit("proven", 2)); err != nil {
		t.Fatal(err)
	}
	if err := d.PutPackage(results.Package{Package: "web"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(string(d), "web", "bad.service.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	packages, units, err := d.All()
	if err == nil || !strings.Contains(err.Error(), "bad.service.json") || len(packages) != 1 || len(units) != 1 {
		t.Errorf("%v, %v, %v", err, packages, units)
	}
	if _, _, err := results.Dir("/nothing/here").All(); err == nil {
		t.Error("a directory that is not there has results")
	}
}
