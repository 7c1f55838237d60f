package observe

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/internal/systemd"
)

func seen(sockets, processes []string, state string) Snapshot {
	set := func(words []string) map[string]bool {
		m := map[string]bool{}
		for _, w := range words {
			m[w] = true
		}
		return m
	}
	return Snapshot{Sockets: set(sockets), Processes: set(processes), States: set([]string{state})}
}

// TestBaselinesMissing: what every launch without hardening had must be there. What only one of them had, and what is
// new, does not matter.
func TestBaselinesMissing(t *testing.T) {
	first := seen([]string{"tcp 0.0.0.0:80", "unix /run/a"}, []string{"nginx", "worker"}, "active (running)")
	second := seen([]string{"tcp 0.0.0.0:80"}, []string{"nginx"}, "active (running)")
	exited := seen([]string{"tcp 0.0.0.0:80"}, []string{"nginx"}, "active (exited)")
	for _, tc := range []struct {
		name string
		base []Snapshot
		got  Snapshot
		want []string
	}{
		{"the same", []Snapshot{first}, first, nil},
		{"more", []Snapshot{second}, first, nil},
		{"nothing to compare with", nil, second, nil},
		{"less", []Snapshot{first}, second, []string{
			"does not listen on unix /run/a, as it does without hardening",
			"does not run worker, as it does without hardening",
		}},
		{"less, as one baseline", []Snapshot{first, second}, second, nil},
		{
			"another state",
			[]Snapshot{second},
			exited,
			[]string{"is active (exited), without hardening active (running)"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, texts(whileRunning(tc.base).Missing("running", tc.got))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func texts(differences []Difference) []string {
	var list []string
	for _, d := range differences {
		list = append(list, d.Text)
	}
	return list
}

// whileRunning returns launches without hardening with one snapshot each.
func whileRunning(base []Snapshot) (n Baselines) {
	for _, o := range base {
		n = append(n, Launch{Phases: map[string]Snapshot{"running": o}})
	}
	return n
}

// TestBaselinesAges: a process that stays without hardening must also stay with it, even if its parent has the same
// name.
func TestBaselinesAges(t *testing.T) {
	aged := func(parent, child time.Duration) Snapshot {
		o := seen(nil, []string{"nginx"}, "active (running)")
		o.Ages = map[string][]time.Duration{"nginx of systemd": {parent}, "nginx of nginx": {child}}
		return o
	}
	base := Baselines{{Phases: map[string]Snapshot{"running": aged(900*time.Millisecond, 800*time.Millisecond)}}}
	for child, want := range map[time.Duration][]string{
		500 * time.Millisecond: nil,
		300 * time.Millisecond: {"does not keep nginx of nginx running, as it does without hardening"},
	} {
		if diff := cmp.Diff(want, texts(base.Missing("running", aged(time.Second, child)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", child, diff)
		}
	}
	base = append(base, Launch{Phases: map[string]Snapshot{"running": aged(time.Second, 20*time.Millisecond)}})
	if lost := base.Missing("running", aged(time.Second, 30*time.Millisecond)); lost != nil {
		t.Errorf("what did not stay without hardening either: %v", lost)
	}
}

// TestBaselinesNumbers: as many processes of one name and parent must stay as in every launch without hardening. Those
// that start later than the first, and those of only one launch, do not count.
func TestBaselinesNumbers(t *testing.T) {
	workers := func(milliseconds ...time.Duration) Snapshot {
		o := seen(nil, []string{"master", "worker"}, "active (running)")
		o.Ages = map[string][]time.Duration{}
		for _, age := range milliseconds {
			o.Ages["worker of master"] = append(o.Ages["worker of master"], age*time.Millisecond)
		}
		return o
	}
	four := workers(1000, 990, 980, 970)
	keeps := func(stay, of int) []string {
		return []string{fmt.Sprintf("keeps only %d worker of master running, without hardening %d", stay, of)}
	}
	for _, tc := range []struct {
		name string
		base []Snapshot
		got  Snapshot
		want []string
	}{
		{"as many", []Snapshot{four}, workers(500, 500, 500, 500), nil},
		{"more", []Snapshot{workers(1000)}, four, nil},
		{"fewer", []Snapshot{four}, workers(1000), keeps(1, 4)},
		{"one less", []Snapshot{four}, workers(1000, 990, 980), keeps(3, 4)},
		{"as many that end at once", []Snapshot{four}, workers(1000, 20, 20, 20), keeps(1, 4)},
		{"as few as one baseline", []Snapshot{four, workers(900, 900)}, workers(1000, 990), nil},
		{"fewer than any baseline", []Snapshot{four, workers(900, 900)}, workers(1000), keeps(1, 2)},
		{"those started for work", []Snapshot{workers(1000, 990, 400, 20)}, workers(1000, 990), nil},
		{"not in one baseline", []Snapshot{four, workers()}, workers(), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, texts(whileRunning(tc.base).Missing("running", tc.got))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for before, want := range map[int]int{0: 1, 1: 1, 2: 2, 4: 4, 5: 4} {
		begun := workers(slices.Repeat([]time.Duration{100}, before)...)
		n := Baselines{{Phases: map[string]Snapshot{"running": four}, IdleAges: begun.Ages}}
		if got := n.requiredAges("running", "worker of master"); len(got) != want {
			t.Errorf("%d before the checks: %d stay, want %d", before, len(got), want)
		}
	}
	two := workers(800, 800)
	both := four.Common(two)
	if len(both.Ages["worker of master"]) != 2 || four.Equal(two) || !four.Equal(workers(1, 1, 1, 1)) {
		t.Errorf("one that had four, and then two, comes to rest with %v", both.Ages)
	}
}

// TestBaselinesDifferences: an exit status or an error that no launch without hardening had is a difference. Numbers in
// errors do not count.
func TestBaselinesDifferences(t *testing.T) {
	of := func(s systemd.Service, messages ...string) Launch {
		l := NewLaunch()
		l.AddEnds(s)
		for _, m := range messages {
			l.AddLine(m, false)
		}
		return l
	}
	stopped, reset := systemd.Service{
		Code:   systemd.Killed,
		Status: 15,
	}, systemd.Service{
		Code:   systemd.Exited,
		Status: 0,
	}
	stop := systemd.Command{Name: "ExecStop=/bin/x", Code: systemd.Killed, Status: 31}
	broken := systemd.Service{Code: systemd.Exited, Status: 1, Commands: []systemd.Command{stop}}
	command := systemd.Service{Commands: []systemd.Command{{Name: "ExecStop=/bin/x", Code: systemd.Exited}}}
	for _, tc := range []struct {
		name string
		base Baselines
		got  Launch
		want []string
	}{
		{"a signal to stop, or an exit", Baselines{of(stopped)}, of(reset), nil},
		{"no longer broken", Baselines{of(broken)}, of(reset), nil},
		{
			"broken",
			Baselines{of(reset)},
			of(broken),
			[]string{"the main process ended with status 1, without hardening with success"},
		},
		{"as one baseline", Baselines{of(reset), of(broken)}, of(broken), nil},
		{
			"a command",
			Baselines{of(command)},
			of(broken),
			[]string{"ExecStop=/bin/x ended with SIGSYS, without hardening with success"},
		},
		{
			"an error with another number",
			Baselines{of(reset, "worker 17 at 0xbeef1: lost")},
			of(reset, "worker 4711 at 0xcafe2: lost"),
			nil,
		},
		{
			"another error",
			Baselines{of(reset, "worker 17: lost")},
			of(reset, "worker 17: denied"),
			[]string{"logs an error that it does not log without hardening: worker 17: denied"},
		},
		{
			"restarts",
			Baselines{of(reset)},
			of(systemd.Service{Restarts: 2}),
			[]string{"was restarted 2 times, without hardening never"},
		},
		{"restarts as ever", Baselines{of(systemd.Service{Restarts: 1})}, of(systemd.Service{Restarts: 2}), nil},
		{"nothing to compare with", nil, of(broken, "denied"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, texts(tc.base.Differences(tc.got))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
