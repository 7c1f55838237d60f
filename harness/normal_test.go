package harness

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func seen(sockets, processes []string, state string) observation {
	set := func(words []string) map[string]bool {
		m := map[string]bool{}
		for _, w := range words {
			m[w] = true
		}
		return m
	}
	return observation{sockets: set(sockets), processes: set(processes), states: set([]string{state})}
}

// TestNormalLost: what every launch without hardening had must be there; what only one had, and what is new, means nothing.
func TestNormalLost(t *testing.T) {
	first := seen([]string{"tcp 0.0.0.0:80", "unix /run/a"}, []string{"nginx", "worker"}, "active (running)")
	second := seen([]string{"tcp 0.0.0.0:80"}, []string{"nginx"}, "active (running)")
	for _, tc := range []struct {
		name string
		base []observation
		got  observation
		want []string
	}{
		{"the same", []observation{first}, first, nil},
		{"more", []observation{second}, first, nil},
		{"nothing to compare with", nil, second, nil},
		{"less", []observation{first}, second, []string{
			"does not listen on unix /run/a, as it does without hardening", "does not run worker, as it does without hardening",
		}},
		{"less, as one baseline", []observation{first, second}, second, nil},
		{"another state", []observation{second}, seen([]string{"tcp 0.0.0.0:80"}, []string{"nginx"}, "active (exited)"), []string{
			"is active (exited), without hardening active (running)",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, whileRunning(tc.base).lost("running", tc.got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// whileRunning is launches without hardening of which each was seen in one phase.
func whileRunning(base []observation) (n normal) {
	for _, o := range base {
		n = append(n, sighting{phases: map[string]observation{"running": o}})
	}
	return n
}

// TestNormalAges: a process that stays without hardening must not end again and again with it, whatever its parent, of the same
// name, does.
func TestNormalAges(t *testing.T) {
	aged := func(parent, child time.Duration) observation {
		o := seen(nil, []string{"nginx"}, "active (running)")
		o.ages = map[string][]time.Duration{"nginx of systemd": {parent}, "nginx of nginx": {child}}
		return o
	}
	base := normal{{phases: map[string]observation{"running": aged(900*time.Millisecond, 800*time.Millisecond)}}}
	for child, want := range map[time.Duration][]string{
		500 * time.Millisecond: nil,
		300 * time.Millisecond: {"does not keep nginx of nginx running, as it does without hardening"},
	} {
		if diff := cmp.Diff(want, base.lost("running", aged(time.Second, child))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", child, diff)
		}
	}
	base = append(base, sighting{phases: map[string]observation{"running": aged(time.Second, 20*time.Millisecond)}})
	if lost := base.lost("running", aged(time.Second, 30*time.Millisecond)); lost != nil {
		t.Errorf("what did not stay without hardening either: %v", lost)
	}
}

// TestNormalNumbers: as many processes of one name and parent stay as stayed in every launch without hardening; those that came
// later than the first, and those that only one launch had, are a matter of the moment.
func TestNormalNumbers(t *testing.T) {
	workers := func(milliseconds ...time.Duration) observation {
		o := seen(nil, []string{"master", "worker"}, "active (running)")
		o.ages = map[string][]time.Duration{}
		for _, age := range milliseconds {
			o.ages["worker of master"] = append(o.ages["worker of master"], age*time.Millisecond)
		}
		return o
	}
	four := workers(1000, 990, 980, 970)
	for _, tc := range []struct {
		name string
		base []observation
		got  observation
		want []string
	}{
		{"as many", []observation{four}, workers(500, 500, 500, 500), nil},
		{"more", []observation{workers(1000)}, four, nil},
		{"fewer", []observation{four}, workers(1000), []string{"keeps only 1 worker of master running, without hardening 4"}},
		{"one less", []observation{four}, workers(1000, 990, 980), []string{"keeps only 3 worker of master running, without hardening 4"}},
		{"as many that end at once", []observation{four}, workers(1000, 20, 20, 20), []string{"keeps only 1 worker of master running, without hardening 4"}},
		{"as few as one baseline", []observation{four, workers(900, 900)}, workers(1000, 990), nil},
		{"fewer than any baseline", []observation{four, workers(900, 900)}, workers(1000), []string{"keeps only 1 worker of master running, without hardening 2"}},
		{"those started for work", []observation{workers(1000, 990, 400, 20)}, workers(1000, 990), nil},
		{"not in one baseline", []observation{four, workers()}, workers(), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, whileRunning(tc.base).lost("running", tc.got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for before, want := range map[int]int{0: 1, 1: 1, 2: 2, 4: 4, 5: 4} {
		begun := workers(slices.Repeat([]time.Duration{100}, before)...)
		n := normal{{phases: map[string]observation{"running": four}, before: begun.ages}}
		if got := n.ages("running", "worker of master"); len(got) != want {
			t.Errorf("%d before the checks: %d stay, want %d", before, len(got), want)
		}
	}
	if both := four.both(workers(800, 800)); len(both.ages["worker of master"]) != 2 || four.equal(workers(800, 800)) || !four.equal(workers(1, 1, 1, 1)) {
		t.Errorf("one that had four, and then two, comes to rest with %v", both.ages)
	}
}

// TestNormalDiffers: ends and errors that no launch without hardening had count, whatever their numbers.
func TestNormalDiffers(t *testing.T) {
	of := func(end state, messages ...string) sighting {
		s := sighting{ends: map[string]string{}, errors: map[string]string{}}
		s.note(end)
		for _, m := range messages {
			s.log([]entry{{text: m, priority: errorPriority}})
		}
		return s
	}
	stopped, reset := state{Code: killed, Status: 15}, state{Code: exited, Status: 0}
	broken := state{Code: exited, Status: 1, Commands: []command{{"ExecStop=/bin/x", killed, 31}}}
	for _, tc := range []struct {
		name string
		base normal
		got  sighting
		want []string
	}{
		{"a signal to stop, or an exit", normal{of(stopped)}, of(reset), nil},
		{"no longer broken", normal{of(broken)}, of(reset), nil},
		{"broken", normal{of(reset)}, of(broken), []string{"the main process ended with status 1, without hardening with success"}},
		{"as one baseline", normal{of(reset), of(broken)}, of(broken), nil},
		{
			"a command",
			normal{of(state{Commands: []command{{"ExecStop=/bin/x", exited, 0}}})},
			of(broken),
			[]string{"ExecStop=/bin/x ended with SIGSYS, without hardening with success"},
		},
		{"an error with another number", normal{of(reset, "worker 17 at 0xbeef1: lost")}, of(reset, "worker 4711 at 0xcafe2: lost"), nil},
		{
			"another error",
			normal{of(reset, "worker 17: lost")},
			of(reset, "worker 17: denied"),
			[]string{"logs an error that it does not log without hardening: worker 17: denied"},
		},
		{"restarts", normal{of(reset)}, of(state{Restarts: 2}), []string{"was restarted 2 times, without hardening never"}},
		{"restarts as ever", normal{of(state{Restarts: 1})}, of(state{Restarts: 2}), nil},
		{"nothing to compare with", nil, of(broken, "denied"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.base.differs(tc.got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseSocket: addresses of /proc/net/tcp and tcp6.
func TestParseSocket(t *testing.T) {
	for field, want := range map[string]string{
		"0100007F:1E61":                         "127.0.0.1:7777",
		"00000000:0050":                         "0.0.0.0:80",
		"00000000000000000000000001000000:0016": "[::1]:22",
		"00000000000000000000000000000000:0050": "[::]:80",
		"00000000:8000":                         "0.0.0.0:32768",
		"00000000:0000":                         "",
		"zz:0050":                               "",
	} {
		if got, ok := parseSocket(field); got.String() != want && (ok || want != "") {
			t.Errorf("%s is %q, %t, want %q", field, got, ok, want)
		}
	}
}

// TestListeners: who listens on TCP is seen on a port as high as those that the kernel gives out; with UDP it is a client.
func TestListeners(t *testing.T) {
	const format = "  0: 0100007F:%s 00000000:0000 %s 00000000:00000000 00:00000000 00000000 0 0 %d 1\n"
	proc := t.TempDir()
	for name, text := range map[string]string{
		"tcp": fmt.Sprintf(format+format+format, "0050", "0A", 1, "C383", "0A", 2, "C384", "01", 3),
		"udp": fmt.Sprintf(format+format, "0035", "07", 4, "C383", "07", 5),
	} {
		if err := errors.Join(os.MkdirAll(proc+"/net", 0o700), os.WriteFile(proc+"/net/"+name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{"socket:[1]": "tcp 127.0.0.1:80", "socket:[2]": "tcp 127.0.0.1:50051", "socket:[4]": "udp 127.0.0.1:53"}
	if diff := cmp.Diff(want, listeners(proc)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
