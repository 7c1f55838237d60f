package search

import (
	"os"
	"slices"
	"strings"
	"testing"

	"temper/generator"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/values"
)

// A needy service breaks where a plan refuses it any of its needs. It stops at the first that is refused, and the
// witness then names that one, or all that are refused if the service tries them all before it ends.
type needy struct {
	needs    []need
	tryAll   bool
	silent   bool // the witness names nothing
	launched map[string]int
	passed   map[string]bool
	again    []string // drop-ins that were launched again after they had passed, or a third time
}

type need struct {
	refusedBy func(generator.Plan) bool
	seen      witness.Denial
}

func (n *needy) refused(p generator.Plan) (list []need) {
	for _, one := range n.needs {
		if one.refusedBy(p) {
			list = append(list, one)
		}
	}
	if len(list) > 0 && !n.tryAll {
		list = list[:1]
	}
	return list
}

func (n *needy) breaks(p generator.Plan) bool { return len(n.refused(p)) > 0 }

func (n *needy) show(r *trial.Result, p generator.Plan) {
	for _, one := range n.refused(p) {
		if !n.silent {
			r.Refused.Denials = append(r.Refused.Denials, one.seen)
		}
	}
	n.launched[r.Dropin]++
	if n.passed[r.Dropin] || n.launched[r.Dropin] > 2 {
		n.again = append(n.again, r.Dropin)
	}
	n.passed[r.Dropin] = r.OK
}

// search searches for what the service survives and returns the demotions.
func (n *needy) search(t *testing.T, in generator.Input) (down map[string]string, launches int) {
	t.Helper()
	n.launched, n.passed = map[string]int{}, map[string]bool{}
	f := &fake{breaks: n.breaks, show: n.show, root: host.At(t.TempDir())}
	for _, dir := range []string{"/srv/x", "/etc/x", "/proc/1/comm"} {
		if err := os.MkdirAll(f.root.Dir()+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	found, err := f.prove(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range n.again {
		t.Errorf("this was launched once more without need:\n%s", text)
	}
	return brief(found.Demotions), f.launches
}

// writes is the need to write below a directory.
func writes(dir string) need {
	return need{
		refusedBy: func(p generator.Plan) bool {
			return slices.Contains(lines(p, "ProtectSystem"), "strict") &&
				!slices.Contains(lines(p, "ReadWritePaths"), "-"+dir)
		},
		seen: witness.Denial{Process: "x", Syscall: "mkdir", Errno: "EROFS", Path: dir + "/new"},
	}
}

// capability is the need of a capability, for a call.
func capability(name, call string) need {
	return need{
		refusedBy: func(p generator.Plan) bool { return !capable(p, name) },
		seen:      witness.Denial{Process: "x", Syscall: call, Errno: "EPERM"},
	}
}

// keeps is the need to keep some capabilities, by one call.
func keeps(names ...string) need {
	return need{
		refusedBy: func(p generator.Plan) bool {
			return slices.ContainsFunc(names, func(n string) bool { return !capable(p, n) })
		},
		seen: witness.Denial{
			Process: "x", Syscall: "capset", Errno: "EPERM", Args: [6]uint64{1: uint64(values.CapabilitySet(names...))},
		},
	}
}

// personality is the need to change the personality, realtime that of a realtime policy.
var (
	personality = need{
		refusedBy: func(p generator.Plan) bool { return has(p, "LockPersonality") },
		seen:      witness.Denial{Process: "x", Syscall: "personality", Errno: "EPERM", Filtered: true},
	}
	others = need{ // to see other processes
		refusedBy: func(p generator.Plan) bool { return has(p, "ProtectProc") },
		seen:      witness.Denial{Process: "x", Syscall: "openat", Errno: "ENOENT", Path: "/proc/1/comm", PID: 7},
	}
	privileges = need{ // of a set-user-ID program
		refusedBy: func(p generator.Plan) bool {
			return slices.ContainsFunc(p.Items, func(i generator.Item) bool {
				return i.Directive.Name == "NoNewPrivileges" || i.Directive.Filters
			})
		},
		seen: witness.Denial{Process: "x", Syscall: "setuid", Errno: "EPERM", LackedKnown: true},
	}
	mounts = need{ // a mount that others see
		refusedBy: func(p generator.Plan) bool {
			return slices.ContainsFunc(p.Items, func(i generator.Item) bool {
				return i.Directive.Name == "PrivateMounts" ||
					slices.ContainsFunc(i.Directive.Brings(257, false), isOwnMounts)
			})
		},
	}
)

// TestLaunches: one culprit that the witness names takes at most four launches, k independent ones 2 + 2k, and a group
// of directives with one cause counts as one. No drop-in that has passed is launched again.
func TestLaunches(t *testing.T) {
	old := withUnit(input(hardest), "User", "nobody")
	old.Version = 252
	for _, tt := range []struct {
		name    string
		service needy
		in      generator.Input
		most    int
		down    []string // the directives that are demoted; nil = not compared
	}{
		{"no culprit", needy{}, input(hardest), 2, []string{}},
		{"a directive", needy{needs: []need{personality}}, input(hardest), 4, []string{"LockPersonality"}},
		{
			"an exception",
			needy{needs: []need{capability("CAP_CHOWN", "chown")}},
			input(hardest), 4,
			[]string{"CapabilityBoundingSet"},
		},
		{
			"several capabilities that one call wants",
			needy{needs: []need{keeps("CAP_CHOWN", "CAP_KILL", "CAP_SYS_TIME")}},
			input(hardest), 4, nil,
		},
		{
			"and one of them for another call",
			needy{needs: []need{capability("CAP_CHOWN", "chown"), keeps("CAP_CHOWN", "CAP_KILL", "CAP_SYS_TIME")}},
			input(hardest), 6, nil,
		},
		{"a directory", needy{needs: []need{writes("/srv/x")}}, input(hardest), 4, []string{"ReadWritePaths"}},
		{
			"every value of one",
			needy{needs: []need{others}},
			input(profile(set("ProtectProc", "invisible"), set("LockPersonality", "yes"))), 4,
			[]string{"ProtectProc"},
		},
		{
			"two, one after the other",
			needy{needs: []need{personality, writes("/srv/x")}},
			input(hardest), 6,
			[]string{"LockPersonality", "ReadWritePaths"},
		},
		{
			"three, one after the other",
			needy{needs: []need{personality, writes("/srv/x"), capability("CAP_CHOWN", "chown")}},
			input(hardest), 8, nil,
		},
		{"three at once", needy{
			tryAll: true,
			needs:  []need{personality, writes("/srv/x"), capability("CAP_CHOWN", "chown")},
		}, input(hardest), 8, nil},
		{
			"two directories, one after the other",
			needy{needs: []need{writes("/srv/x"), writes("/etc/x")}},
			input(hardest), 6,
			[]string{"ReadWritePaths"},
		},
		{"all that systemd implements with a filter", needy{needs: []need{privileges}}, old, 4, nil},
		{"that, and another", needy{needs: []need{privileges, capability("CAP_CHOWN", "chown")}}, old, 6, nil},
		{"all that mounts, without evidence", needy{needs: []need{mounts}, silent: true}, input(hardest), 14, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			down, launches := tt.service.search(t, tt.in)
			if launches > tt.most {
				t.Errorf("%d launches, want at most %d; demoted %v", launches, tt.most, down)
			}
			t.Logf("%d launches", launches)
			for _, name := range tt.down {
				if _, ok := down[name]; !ok || len(down) != len(tt.down) {
					t.Errorf("demoted %v, want %s", down, strings.Join(tt.down, " "))
				}
			}
		})
	}
}

func isOwnMounts(e directive.Effect) bool { return e.Directive == "PrivateMounts" }
