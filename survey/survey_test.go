package survey_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"temper/internal/host"
	"temper/internal/verdict"
	"temper/profiles"
	"temper/survey"
	"temper/survey/debian"
	"temper/survey/results"
	"temper/survey/shard"
)

// archive is an archive whose packages do what their names say.
type archive struct {
	mu       sync.Mutex
	tried    []string // packages that were installed
	versions map[string]string
	outcome  map[string]string // of units; proven if not said
	stop     context.CancelFunc
}

func (a *archive) Versions(_ context.Context, packages []string) (map[string]string, error) {
	return a.versions, nil
}

func (a *archive) Install(ctx context.Context, pkg string) (survey.Subject, error) {
	a.mu.Lock()
	a.tried = append(a.tried, pkg)
	a.mu.Unlock()
	failed := &debian.Failed{Command: "apt-get install", Log: []string{"it said so"}}
	switch pkg {
	case "broken-script":
		return nil, fmt.Errorf("%w: %w", debian.ErrScript, failed)
	case "broken-depends":
		return nil, fmt.Errorf("%w: %w", debian.ErrNotInstallable, failed)
	case "no-network":
		return nil, failed
	case "hangs-installing":
		<-ctx.Done()
		return nil, ctx.Err()
	case "kills":
		a.stop()
	}
	return &subject{a, pkg}, nil
}

type subject struct {
	archive *archive
	pkg     string
}

func (s *subject) Close() error { return nil }

func (s *subject) Units() ([]string, error) {
	if s.pkg == "library" {
		return nil, nil
	}
	return []string{s.pkg + ".service", s.pkg + "-two.service"}, nil
}

func (s *subject) Prove(ctx context.Context, unit string, step func(string)) (results.Unit, error) {
	step("trial 1")
	if unit == "hangs-two.service" {
		<-ctx.Done()
		return results.Unit{}, ctx.Err()
	}
	if ctx.Err() != nil {
		return results.Unit{}, ctx.Err()
	}
	s.archive.mu.Lock()
	defer s.archive.mu.Unlock()
	outcome := s.archive.outcome[unit]
	if outcome == "" {
		outcome = verdict.Proven
	}
	v := verdict.Verdict{Unit: unit, Result: outcome, Exposure: verdict.Exposure{Before: 9.6, After: 2}}
	return results.Unit{Outcome: outcome, Verdict: v}, nil
}

// report collects warnings.
type report struct {
	mu   sync.Mutex
	said []string
}

func (*report) Step(string, string)     {}
func (*report) Unit(results.Unit)       {}
func (*report) Package(results.Package) {}
func (r *report) Warn(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, err.Error())
}

func options(t *testing.T, packages ...string) survey.Options {
	t.Helper()
	set, problems := profiles.Load(host.At(t.TempDir()), []string{profiles.Builtin})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return survey.Options{
		Packages: packages, Suite: "trixie", Out: results.Dir(t.TempDir()), Profiles: set, Jobs: 2,
		Extends: []string{"base/network-daemon"}, Limit: time.Minute, Report: &report{},
		Machine: results.Machine{Name: "here"},
	}
}

func newArchive(packages ...string) *archive {
	a := &archive{versions: map[string]string{}, outcome: map[string]string{}}
	for _, p := range packages {
		a.versions[p] = "1-1"
	}
	return a
}

// TestEveryPackageIsToldOf: whatever becomes of a package, it has a file that says so, unless the machine was at fault.
func TestEveryPackageIsToldOf(t *testing.T) { synctest.Test(t, testEveryPackageIsToldOf) }

func testEveryPackageIsToldOf(t *testing.T) {
	packages := []string{"web", "library", "broken-script", "broken-depends", "no-network", "hangs-installing", "hangs"}
	o := options(t, append(packages, "unheard-of")...)
	o.Jobs = 8
	tally, err := survey.Run(t.Context(), newArchive(packages...), o)
	if want := (survey.Tally{Total: 8, Faults: 1}); err != nil || tally != want {
		t.Errorf("%v, %+v, want %+v", err, tally, want)
	}
	kept, units, err := o.Out.All()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range kept {
		got = append(got, p.Package+": "+p.Outcome+" "+strings.Join(p.Log, " "))
	}
	for _, u := range units {
		got = append(got, u.Package+" "+u.Unit+": "+u.Outcome)
	}
	want := []string{
		"broken-depends: not-installable it said so", "broken-script: install-failed it said so", "hangs: installed ",
		"hangs-installing: timed-out ", "library: no-service ", "unheard-of: unknown ", "web: installed ",
		"hangs hangs-two.service: timed-out", "hangs hangs.service: proven", "web web-two.service: proven",
		"web web.service: proven",
	}
	if !slices.Equal(got, want) {
		t.Errorf("kept %q\nwant %q", got, want)
	}
}

// TestFresh: a result is passed over until its package, its profiles or the suite has changed.
func TestFresh(t *testing.T) {
	a := newArchive("web", "nginx")
	o := options(t, "web", "nginx")
	run := func(want ...string) {
		t.Helper()
		a.tried = nil
		if _, err := survey.Run(t.Context(), a, o); err != nil {
			t.Fatal(err)
		}
		if slices.Sort(a.tried); !slices.Equal(a.tried, want) {
			t.Errorf("tried %q, want %q", a.tried, want)
		}
	}
	run("nginx", "web")
	run()
	a.versions["web"] = "1-2"
	run("web")
	o.Extends = []string{"base/daemon"} // nginx has a profile, and its second unit has none
	run("nginx", "web")
	o.Extends = nil // drafts instead
	run("nginx", "web")
	o.Again = true
	run("nginx", "web")
	o.Again, o.Suite = false, "sid"
	run("nginx", "web")
}

// TestInterrupted: of a package that was interrupted nothing is kept that would pass it over.
func TestInterrupted(t *testing.T) {
	a := newArchive("kills", "web")
	o := options(t, "kills", "web")
	o.Jobs = 1
	ctx, cancel := context.WithCancel(t.Context())
	a.stop = cancel
	if _, err := survey.Run(ctx, a, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if packages, units, err := o.Out.All(); err != nil || len(packages)+len(units) > 0 {
		t.Errorf("%v, kept %v %v", err, packages, units)
	}
	a.stop = func() {}
	if _, err := survey.Run(t.Context(), a, o); err != nil {
		t.Fatal(err)
	}
	if packages, units, err := o.Out.All(); err != nil || len(packages) != 2 || len(units) != 4 {
		t.Errorf("%v, kept %v %v", err, packages, units)
	}
}

// TestWorse: a result that is worse than the kept one is told at each run, until somebody accepts it.
func TestWorse(t *testing.T) {
	a := newArchive("web")
	o := options(t, "web")
	run := func(worse int, kept string) {
		t.Helper()
		tally, err := survey.Run(t.Context(), a, o)
		if err != nil || tally.Worse != worse {
			t.Errorf("%v, %+v, want %d", err, tally, worse)
		}
		if u, err := o.Out.Unit("web", "web.service"); err != nil || u.Outcome != kept {
			t.Errorf("%v, kept %s, want %s", err, u.Outcome, kept)
		}
	}
	run(0, verdict.Proven)
	a.versions["web"], a.outcome["web.service"] = "2-1", verdict.Flaky
	run(1, verdict.Proven)
	run(1, verdict.Proven)
	o.Accept = true
	run(0, verdict.Flaky)
	a.versions["web"], a.outcome["web.service"], o.Accept = "3-1", verdict.Proven, false
	run(0, verdict.Proven)
}

// TestShards: the merged results of all shards are those of one machine.
func TestShards(t *testing.T) {
	var packages []string
	for i := range 20 {
		packages = append(packages, fmt.Sprintf("daemon-%d", i))
	}
	a := newArchive(packages...)
	a.outcome["daemon-7.service"] = verdict.BrokenBaseline
	whole := options(t, packages...)
	if _, err := survey.Run(t.Context(), a, whole); err != nil {
		t.Fatal(err)
	}
	var parts []results.Dir
	for i := range 3 {
		o := options(t, packages...)
		o.Shard = shard.Shard{Index: i, Count: 3}
		if _, err := survey.Run(t.Context(), a, o); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, o.Out)
	}
	merged := results.Dir(t.TempDir())
	if differ, err := results.Merge(merged, parts...); err != nil || len(differ) > 0 {
		t.Fatalf("%v, %v", err, differ)
	}
	if got, want := findings(t, merged), findings(t, whole.Out); !slices.Equal(got, want) {
		t.Errorf("merged are %q\nwant %q", got, want)
	}
}

func findings(t *testing.T, d results.Dir) (list []string) {
	t.Helper()
	packages, units, err := d.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		list = append(list, p.Package+" "+p.Outcome)
	}
	for _, u := range units {
		list = append(list, u.Package+" "+u.Unit+" "+u.Finding())
	}
	return list
}
