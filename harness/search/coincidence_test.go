package search

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/harness/observe"
	"temper/harness/trial"
	"temper/harness/witness"
)

// TestRunCoincidence: no directive is to blame for an error or a missing file that comes and goes. What comes whenever
// a directive is there, the directive is to blame for; no further launch confirms what the kernel's refusal explains.
func TestRunCoincidence(t *testing.T) {
	in := input(profile(set("LockPersonality", "yes"), set("RestrictRealtime", "yes")))
	locked := func(_ int, p generator.Plan) bool { return has(p, "LockPersonality") }
	onlyIn := func(launches ...int) func(int, generator.Plan) bool {
		return func(n int, p generator.Plan) bool { return p.Text() != "" && slices.Contains(launches, n) }
	}
	logs := func(r *trial.Result) { r.Seen.AddLine("personality: Operation not permitted", false) }
	lacksFile := func(r *trial.Result) { delete(r.Seen.Files["stopped"], "/srv/made") }
	for _, tt := range []struct {
		name    string
		when    func(launch int, p generator.Plan) bool
		what    func(*trial.Result)
		refused []witness.Denial
		want    map[string]string
		most    int
	}{
		{"an error in one launch", onlyIn(2), logs, nil, map[string]string{}, 4},
		{"a file missing in one launch", onlyIn(2), lacksFile, nil, map[string]string{}, 4},
		{"an error by a directive", locked, logs, nil, map[string]string{"LockPersonality": "off"}, 9},
		{"a file missing by a directive", locked, lacksFile, nil, map[string]string{"LockPersonality": "off"}, 9},
		{
			"an error that a refusal explains", locked, logs,
			[]witness.Denial{{Process: "x", Syscall: "personality", Errno: "EPERM", Filtered: true}},
			map[string]string{"LockPersonality": "off"},
			4,
		},
	} {
		f := &fake{breaks: func(generator.Plan) bool { return false }}
		f.show = func(r *trial.Result, p generator.Plan) {
			r.Seen = observe.NewLaunch()
			r.Seen.Files["stopped"] = observe.Files{"/srv/made": {Kind: "file", Size: 1}}
			if tt.when(f.launches, p) {
				tt.what(r)
				r.Refused.Denials = tt.refused
			}
		}
		found, err := f.prove(in)
		if diff := cmp.Diff(tt.want, brief(found.Demotions)); diff != "" || err != nil || f.launches > tt.most {
			t.Errorf("%s: %d launches, %v (-want +got):\n%s", tt.name, f.launches, err, diff)
		}
	}
}

// TestRunRandomContent: no directive is blamed for a content that is another one in each hardened launch, though all
// launches without hardening have the same by chance. One that stays the same, a directive is blamed for.
func TestRunRandomContent(t *testing.T) {
	in := input(profile(set("LockPersonality", "yes"), set("RestrictRealtime", "yes")))
	for _, tt := range []struct {
		name    string
		content func(launch int) string
		want    map[string]string
		most    int
	}{
		{"another one each time", func(n int) string { return fmt.Sprint(n) }, map[string]string{}, 4},
		{"the same", func(int) string { return "else" }, map[string]string{"LockPersonality": "off"}, 8},
	} {
		f := &fake{breaks: func(generator.Plan) bool { return false }}
		f.show = func(r *trial.Result, p generator.Plan) {
			r.Seen = observe.NewLaunch()
			file := observe.File{Kind: "file", Size: 1, Content: "usual"}
			if has(p, "LockPersonality") {
				file.Content = tt.content(f.launches)
			}
			r.Seen.Files["stopped"] = observe.Files{"/srv/made": file}
		}
		found, err := f.prove(in)
		if diff := cmp.Diff(tt.want, brief(found.Demotions)); diff != "" || err != nil || f.launches > tt.most {
			t.Errorf("%s: %d launches, %v (-want +got):\n%s", tt.name, f.launches, err, diff)
		}
	}
}

// TestRunRandomErrors: an error that every launch logs with the same probability is hardly ever blamed on a directive.
func TestRunRandomErrors(t *testing.T) {
	in := input(profile(
		set("LockPersonality", "yes"), set("RestrictRealtime", "yes"), set("ProtectHostname", "yes")))
	for _, probability := range []float64{0.1, 0.3, 0.5, 0.7, 0.9} {
		const services = 100
		blamed := 0
		for seed := range services {
			random := rand.New(rand.NewPCG(uint64(seed), 0))
			f := &fake{breaks: func(generator.Plan) bool { return false }}
			f.show = func(r *trial.Result, _ generator.Plan) {
				r.Seen = observe.NewLaunch()
				if random.Float64() < probability {
					r.Seen.AddLine("failed to finish a request", false)
				}
			}
			if found, err := f.prove(in); err != nil || len(found.Demotions) > 0 {
				blamed++
			}
		}
		if most := services / 20; blamed > most {
			t.Errorf("with probability %v, %d of %d services lose a directive, want at most %d",
				probability, blamed, services, most)
		}
	}
}

// TestRunRandomWhereHardened: a difference that comes and goes in hardened launches alone, whatever their plan, such as
// a race that a slower start decides, is hardly ever blamed on a directive.
func TestRunRandomWhereHardened(t *testing.T) {
	in := input(profile(
		set("LockPersonality", "yes"), set("RestrictRealtime", "yes"), set("ProtectHostname", "yes"),
		set("ProtectClock", "yes"), set("ProtectKernelLogs", "yes"), set("ProtectKernelModules", "yes"),
		set("PrivateTmp", "yes"), set("ProtectHome", "yes")))
	for _, probability := range []float64{0.1, 0.3, 0.5, 0.7} {
		const services = 400
		blamed, launches := 0, 0
		for seed := range services {
			random := rand.New(rand.NewPCG(uint64(seed), 1))
			f := &fake{breaks: func(generator.Plan) bool { return false }}
			f.show = func(r *trial.Result, p generator.Plan) {
				r.Seen = observe.NewLaunch()
				file := observe.File{Kind: "file", Size: 1, Content: "usual"}
				if p.Text() != "" && random.Float64() < probability {
					file.Content = "else"
				}
				r.Seen.Files["stopped"] = observe.Files{"/srv/made": file}
			}
			if found, err := f.prove(in); err != nil || len(found.Demotions) > 0 {
				blamed++
			}
			launches += f.launches
		}
		const mostLaunches = 9 * services
		if most := services / 12; blamed > most || launches > mostLaunches {
			t.Errorf("with probability %v, %d lose a directive, want at most %d; %d launches, want at most %d",
				probability, blamed, most, launches, mostLaunches)
		}
	}
}

// TestRunRefusedInVain: what is refused and does not matter is put back in one launch, where a difference has another
// cause that nothing names.
func TestRunRefusedInVain(t *testing.T) {
	in := input(profile(
		set("ProtectControlGroups", "yes"), set("ProtectKernelTunables", "yes"), set("ProtectKernelLogs", "yes"),
		set("RestrictRealtime", "yes"), set("LockPersonality", "yes"), set("ProtectHostname", "yes")))
	refused := map[string]witness.Denial{
		"ProtectControlGroups":  {Process: "x", Syscall: "mkdir", Path: "/sys/fs/cgroup/a", Errno: "EROFS", Root: true},
		"ProtectKernelTunables": {Process: "x", Syscall: "openat", Path: "/proc/sys/a", Errno: "EROFS", Root: true},
		"ProtectKernelLogs":     {Process: "x", Syscall: "openat", Path: "/dev/kmsg", Errno: "EACCES", Root: true},
	}
	f := &fake{breaks: func(generator.Plan) bool { return false }}
	f.show = func(r *trial.Result, p generator.Plan) {
		r.Seen = observe.NewLaunch()
		file := observe.File{Kind: "file", Size: 1, Content: "usual"}
		if has(p, "LockPersonality") {
			file.Content = "else"
		}
		r.Seen.Files["stopped"] = observe.Files{"/srv/made": file}
		for name, denial := range refused {
			if has(p, name) {
				r.Refused.Denials = append(r.Refused.Denials, denial)
			}
		}
	}
	const most = 13
	found, err := f.prove(in)
	want := map[string]string{"LockPersonality": "off"}
	if diff := cmp.Diff(want, brief(found.Demotions)); diff != "" || err != nil || f.launches > most {
		t.Errorf("%d launches, %v (-want +got):\n%s", f.launches, err, diff)
	}
}
