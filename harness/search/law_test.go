package search

import (
	"context"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/profiles"
)

// breaking breaks under a plan that enforces all directives of one group.
func breaking(in generator.Input, groups [][]string) func(generator.Plan) bool {
	return func(p generator.Plan) bool {
		return slices.ContainsFunc(groups, func(group []string) bool {
			return !slices.ContainsFunc(group, func(n string) bool { return !has(p, n) && !brought(in, p, n) })
		})
	}
}

// brought reports whether systemd adds what the hardest profile asks for, since another directive brings it along.
func brought(in generator.Input, p generator.Plan, name string) bool {
	set, _ := hardest.Setting(name)
	is := func(e directive.Effect) bool {
		return e.Directive == name && slices.Equal(set.Values, []string{e.Value})
	}
	return slices.ContainsFunc(p.Items, func(i generator.Item) bool {
		return slices.ContainsFunc(i.Directive.Brings(in.Version, isUnprivileged(in.Unit)), is)
	})
}

// hardestNames are the directives of the hardest profile.
func hardestNames() []string {
	var list []string
	for _, s := range hardest.Service {
		list = append(list, s.Name)
	}
	return list
}

// TestSearchLaws: whatever breaks a service, singly or together, the plan that is found works, and putting back
// any step of any demotion breaks it again.
func TestSearchLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		group := rapid.SliceOfNDistinct(rapid.SampledFrom(hardestNames()), 1, 3, rapid.ID)
		groups := rapid.SliceOfN(group, 0, 4).Draw(t, "groups")
		in := input(hardest)
		if rapid.Bool().Draw(t, "unprivileged") {
			in = unprivileged()
		}
		breaks := breaking(in, groups)
		never := func(generator.Plan) bool { return false }
		cause := rapid.SampledFrom([]func(generator.Plan) bool{never, anyMounts, anyBrings}).Draw(t, "cause")
		f := &fake{breaks: func(p generator.Plan) bool { return breaks(p) || cause(p) }}
		s := newSearch(in, f, f)
		if _, err := s.run(context.Background()); err != nil {
			t.Fatal(err)
		}
		checkMinimal(t, f, s)
	})
}

// TestSearchBound: single culprits cost no more launches than bisection may: for k of n directives 3 + 2k log
// n, and one more if there are several. One launch is without hardening, one of the whole plan. Each culprit
// takes log n to be found, at most three for its weaker values and exceptions, one of the whole plan without
// it, and one in which it is put back. What shares a cause with a culprit is suspected with it: if that is
// wrong, it costs a launch, once.
func TestSearchBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkBound(t, rapid.SliceOfNDistinct(rapid.SampledFrom(hardestNames()), 1, 4, rapid.ID).Draw(t, "culprits"))
	})
	for i, a := range hardestNames() {
		checkBound(t, []string{a})
		for _, b := range hardestNames()[:i] {
			checkBound(t, []string{a, b})
		}
	}
}

// checkBound fails if the search for single culprits takes more launches than it may.
func checkBound(t rapid.TB, culprits []string) {
	var groups [][]string
	for _, c := range culprits {
		groups = append(groups, []string{c})
	}
	f := &fake{breaks: breaking(input(hardest), groups)}
	if _, err := f.run(); err != nil {
		t.Fatalf("%v: %v", culprits, err)
	}
	k := len(culprits)
	if most := 3 + min(k-1, 1) + 2*k*int(math.Ceil(math.Log2(float64(len(hardest.Service))))); f.launches > most {
		t.Fatalf("%d launches for %v, want at most %d", f.launches, culprits, most)
	}
}

// needs are what a service may need and the kernel's witness can name.
var needs = map[string]witness.Denial{
	"another personality": {Syscall: "personality", Errno: "EPERM", Filtered: true},
	"real time":           {Syscall: "sched_setscheduler", Errno: "EPERM", Filtered: true, Args: [6]uint64{0, 1}},
	"a capability":        {Syscall: "chroot", Errno: "EPERM"},
	"a family of sockets": {Syscall: "socket", Errno: "EAFNOSUPPORT", Filtered: true, Args: [6]uint64{2}},
	"a home":              {Syscall: "chdir", Errno: "EACCES", Path: "/home"},
	"a directory":         {Syscall: "mkdir", Errno: "EROFS", Path: "/srv/x/new"},
	"executable memory":   {Syscall: "mprotect", Errno: "EPERM", Filtered: true, Args: [6]uint64{0, 0, 4}},
	"a namespace":         {Syscall: "unshare", Errno: "EPERM", Filtered: true, Args: [6]uint64{0x10000000}},
	// Two directives and more refuse these.
	"the log of the kernel": {Syscall: "syslog", Errno: "EPERM"},
	"modules":               {Syscall: "init_module", Errno: "EPERM", Filtered: true},
	"the clock":             {Syscall: "settimeofday", Errno: "EPERM"},
	"the clock, filtered":   {Syscall: "clock_settime", Errno: "EPERM", Filtered: true},
}

// widest is the hardest profile with more that refuses the same.
var widest = &profiles.Profile{Name: "widest", Service: slices.Concat(hardest.Service, []profiles.Setting{
	set("ProtectClock", "yes"), set("SystemCallFilter", "~@clock @module @swap"),
})}

// needy is a service that fails where it is refused what it needs, by any directive. The witness sees that: all
// of it, or, of a service that ends at once, the first.
func needy(root string, endsAtOnce bool, names ...string) *fake {
	refused := func(p generator.Plan) []witness.Denial {
		var list []witness.Denial
		for _, name := range names {
			d := needs[name]
			d.Process = "x"
			r := d.Restrictions()[0]
			if slices.ContainsFunc(p.Items, func(i generator.Item) bool {
				exempt := r.Kind == refusal.PathReadOnly && slices.Contains(lines(p, "ReadWritePaths"), "-"+path.Dir(r.Subject))
				return i.Directive.Restricts() && !exempt && blame.Refuses(i.Directive, i.Lines, r, 257)
			}) {
				list = append(list, d)
			}
		}
		if endsAtOnce && len(list) > 1 {
			return list[:1]
		}
		return list
	}
	f := &fake{root: host.At(root), breaks: func(p generator.Plan) bool { return len(refused(p)) > 0 }}
	f.show = func(r *trial.Result, p generator.Plan) { r.Refused.Denials = refused(p) }
	return f
}

// TestSearchNamedBound: culprits that the witness names take two launches each beside the baseline and the
// whole plan: one without them, and one in which they are put back. All directives that refuse the same count
// as one.
func TestSearchNamedBound(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"home", "srv/x"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	all := slices.Sorted(maps.Keys(needs))
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, 5, rapid.ID).Draw(t, "needs")
		f := needy(root, rapid.Bool().Draw(t, "ends at once"), names...)
		s := newSearch(input(widest), f, f)
		found, err := s.run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		checkMinimal(t, f, s)
		if most := 2 + 2*len(names); f.launches > most {
			t.Fatalf("%d launches, want at most %d, for %v", f.launches, most, brief(found.Demotions))
		}
	})
}

// checkMinimal fails if the plan that was found breaks the service, or does not with any step of a demotion put back.
func checkMinimal(t rapid.TB, f *fake, s *search) {
	if f.breaks(s.plan(len(s.candidates))) {
		t.Fatalf("the plan that was found breaks the service")
	}
	for _, c := range s.candidates {
		for _, step := range c.steps() {
			undo := step.putBack()
			if !f.breaks(s.plan(len(s.candidates))) {
				t.Fatalf("%s can be put back", c.directive.Name)
			}
			undo()
		}
	}
}
