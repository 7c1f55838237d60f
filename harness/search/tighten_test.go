package search

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/host"
	"temper/internal/verdict"
	"temper/profiles"
)

// generous is a profile that allows more than the service of the tests needs.
var generous = &profiles.Profile{Name: "loose", Service: []profiles.Setting{
	{Name: "ProtectSystem", Values: []string{"strict"}, Profile: "loose"},
	{Name: "ReadWritePaths", Values: []string{"/a /b", "/c", "/d"}, Profile: "base"},
	{
		Name: "CapabilityBoundingSet", Values: []string{"CAP_CHOWN CAP_KILL CAP_SYS_NICE CAP_SYS_PTRACE"},
		Profile: "loose",
	},
}}

// modest is a service that fails without /b and without CAP_KILL. With a witness, the refusals name them.
func modest(hasWitness bool) *fake {
	f := &fake{breaks: func(plan generator.Plan) bool {
		return !slices.Contains(lines(plan, "ReadWritePaths"), "-/b") || !capable(plan, "CAP_KILL")
	}}
	f.show = func(r *trial.Result, plan generator.Plan) {
		if !hasWitness {
			return
		}
		if !slices.Contains(lines(plan, "ReadWritePaths"), "-/b") {
			r.Refused.Denials = append(r.Refused.Denials,
				witness.Denial{Syscall: "mkdir", Errno: "EROFS", Path: "/link/x"})
		}
		if !capable(plan, "CAP_KILL") {
			r.Refused.Denials = append(r.Refused.Denials, witness.Denial{Syscall: "kill", Errno: "EPERM"})
		}
	}
	return f
}

// TestTighten: the needed grants are found by the refusals of the kernel, also through links in paths, or by bisection
// if there is no witness: in k log n launches, not in n.
func TestTighten(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(os.Mkdir(root+"/b", 0o755), os.Symlink("b", root+"/link")); err != nil {
		t.Fatal(err)
	}
	want := []string{`base: ReadWritePaths = ["/b"]`, `loose: CapabilityBoundingSet = ["CAP_KILL"]`}
	for hasWitness, most := range map[bool]int{true: 2, false: 9} {
		f := modest(hasWitness)
		f.root = host.At(root)
		list, err := Tighten(context.Background(), input(generous), f, f, Outcome{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range list {
			got = append(got, l.Profile+": "+l.Right)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with a witness: %v (-want +got):\n%s", hasWitness, diff)
		}
		if f.launches > most {
			t.Errorf("with a witness: %v: %d launches, want at most %d", hasWitness, f.launches, most)
		}
	}
}

// TestTightenNarrower: where a needed capability is wider than the need, the narrower one is found, and not where it is
// not enough.
func TestTightenNarrower(t *testing.T) {
	const search, override = "CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE"
	for _, tt := range []struct {
		writes   bool
		want     string
		launches int
	}{
		{false, `CapabilityBoundingSet = ["CAP_DAC_READ_SEARCH"]`, 3},
		{true, `CapabilityBoundingSet = ["CAP_DAC_OVERRIDE"]`, 3},
	} {
		f := &fake{breaks: func(plan generator.Plan) bool {
			return !capable(plan, override) && (tt.writes || !capable(plan, search))
		}}
		f.show = func(r *trial.Result, plan generator.Plan) {
			if !r.OK {
				r.Refused.Denials = []witness.Denial{{Syscall: "openat", Errno: "EACCES", Path: "/x", Root: true}}
			}
		}
		p := &profiles.Profile{Service: []profiles.Setting{
			{Name: "CapabilityBoundingSet", Values: []string{override + " CAP_KILL"}},
		}}
		list, err := Tighten(context.Background(), input(p), f, f, Outcome{})
		if err != nil || len(list) != 1 || list[0].Right != tt.want || f.launches != tt.launches {
			t.Errorf("writes %t: %v, %v after %d launches, want %s", tt.writes, err, list, f.launches, tt.want)
		}
	}
}

// TestTightenAll: a service may need none of the grants of its profile, or all that the demotions have left.
func TestTightenAll(t *testing.T) {
	f := &fake{breaks: func(generator.Plan) bool { return false }}
	list, err := Tighten(context.Background(), input(generous), f, f, Outcome{})
	if err != nil || len(list) != 2 || list[0].Right != "ReadWritePaths = []" ||
		list[1].Right != "CapabilityBoundingSet = []" {
		t.Errorf("%v, %v", list, err)
	}
	down := []verdict.Demotion{
		{Directive: "ReadWritePaths", To: "/b"},
		{Directive: "CapabilityBoundingSet", To: "CAP_KILL"},
	}
	f = modest(false)
	list, err = Tighten(context.Background(), input(generous), f, f, Outcome{Demotions: down})
	if err != nil || list != nil {
		t.Errorf("%v, %v", list, err)
	}
}

// TestTightenSilent: a grant is needed if its removal causes a refusal, although the service goes on.
func TestTightenSilent(t *testing.T) {
	f := modest(true)
	f.breaks = func(generator.Plan) bool { return false }
	list, err := Tighten(context.Background(), input(generous), f, f, Outcome{})
	if err != nil || len(list) != 2 || list[1].Right != `CapabilityBoundingSet = ["CAP_KILL"]` {
		t.Errorf("%v, %v", list, err)
	}
}

// TestTightenGone: Tighten returns the error of its Trier, in whichever launch it happens.
func TestTightenGone(t *testing.T) {
	gone := errors.New("the place is gone")
	whole := modest(false)
	if _, err := Tighten(context.Background(), input(generous), whole, whole, Outcome{}); err != nil {
		t.Fatal(err)
	}
	for n := range whole.launches {
		f := &mortal{fake: *modest(false), lives: n, err: gone}
		if _, err := Tighten(context.Background(), input(generous), f, f, Outcome{}); !errors.Is(err, gone) {
			t.Errorf("after %d launches: %v", n, err)
		}
	}
}
