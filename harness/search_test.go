package harness

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/trial"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/values"
	"temper/internal/verdict"
	"temper/profiles"
)

// hardest is a profile with one directive of every shape.
var hardest = &profiles.Profile{Name: "hardest", Service: []profiles.Setting{
	{Name: "ProtectSystem", Values: []string{"strict"}},
	{Name: "ProtectHome", Values: []string{"yes"}},
	{Name: "PrivateTmp", Values: []string{"yes"}},
	{Name: "ProtectKernelTunables", Values: []string{"yes"}},
	{Name: "ProtectKernelModules", Values: []string{"yes"}},
	{Name: "ProtectKernelLogs", Values: []string{"yes"}},
	{Name: "PrivateDevices", Values: []string{"yes"}},
	{Name: "RestrictAddressFamilies", Values: []string{"AF_UNIX"}},
	{Name: "NoNewPrivileges", Values: []string{"yes"}},
	{Name: "CapabilityBoundingSet", Values: []string{""}},
	{Name: "UMask", Values: []string{"0077"}},
	{Name: "LockPersonality", Values: []string{"yes"}},
	{Name: "MemoryDenyWriteExecute", Values: []string{"yes"}},
	{Name: "RestrictRealtime", Values: []string{"yes"}},
	{Name: "RestrictSUIDSGID", Values: []string{"yes"}},
	{Name: "RestrictNamespaces", Values: []string{"yes"}},
}}

// fake is a service that is nothing but the conditions under which it breaks; the search sees of it what it sees of a
// real one.
type fake struct {
	breaks   func(plan generator.Plan) bool
	launches int
}

func (f *fake) try(_ context.Context, plan generator.Plan) (trial.Result, error) {
	f.launches++
	t := trial.Result{Dropin: plan.Text(), OK: !f.breaks(plan)}
	if !t.OK {
		t.Failures = []verdict.Evidence{{Kind: "exit", Text: "status 1"}}
	}
	return t, nil
}

func (f *fake) search() (*search, generator.Plan, []verdict.Demotion, error) {
	s := &search{
		input: generator.Input{Unit: &unit.Unit{Name: "x.service", ID: "x.service"}, Profile: hardest, Named: true, Version: 257},
		try:   f.try,
	}
	plan, down, err := s.run(context.Background())
	return s, plan, down, err
}

// lines returns what a plan assigns to a directive; nil if nothing.
func lines(plan generator.Plan, name string) []string {
	for _, i := range plan.Items {
		if i.Directive.Name == name {
			return i.Lines
		}
	}
	return nil
}

func has(plan generator.Plan, name string) bool { return lines(plan, name) != nil }

// capable reports whether a plan leaves a capability.
func capable(plan generator.Plan, name string) bool {
	l := lines(plan, "CapabilityBoundingSet")
	return l == nil || slices.Contains(values.ParseCapabilityBoundingSet(l, 257).Names(), name)
}

func TestSearch(t *testing.T) {
	tests := []struct {
		name   string
		breaks func(p generator.Plan) bool
		want   map[string]string // the demotions
	}{
		{"survives everything", func(generator.Plan) bool { return false }, nil},
		{"one culprit", func(p generator.Plan) bool { return has(p, "LockPersonality") }, map[string]string{"LockPersonality": "off"}},
		{"the first and the last", func(p generator.Plan) bool {
			return has(p, "ProtectSystem") || has(p, "RestrictNamespaces")
		}, map[string]string{"ProtectSystem": "off", "RestrictNamespaces": "off"}},
		{"a weaker value", func(p generator.Plan) bool {
			return slices.Contains(lines(p, "ProtectSystem"), "strict")
		}, map[string]string{"ProtectSystem": "full"}},
		{"the weakest value", func(p generator.Plan) bool {
			l := lines(p, "ProtectHome")
			return l != nil && l[0] != "read-only"
		}, map[string]string{"ProtectHome": "read-only"}},
		{"a weaker mask", func(p generator.Plan) bool {
			return slices.Contains(lines(p, "UMask"), "0077")
		}, map[string]string{"UMask": "0027"}},
		{"two capabilities", func(p generator.Plan) bool {
			return !capable(p, "CAP_CHOWN") || !capable(p, "CAP_SYS_NICE")
		}, map[string]string{"CapabilityBoundingSet": "CAP_CHOWN CAP_SYS_NICE"}},
		{"the last capability", func(p generator.Plan) bool {
			return !capable(p, "CAP_CHECKPOINT_RESTORE")
		}, map[string]string{"CapabilityBoundingSet": "CAP_CHECKPOINT_RESTORE"}},
		{"any bounding set at all", func(p generator.Plan) bool {
			return has(p, "CapabilityBoundingSet")
		}, map[string]string{"CapabilityBoundingSet": "off"}},
		{"one namespace", func(p generator.Plan) bool {
			l := lines(p, "RestrictNamespaces")
			return l != nil && !strings.Contains(l[0], "user")
		}, map[string]string{"RestrictNamespaces": "user"}},
		{"only together", func(p generator.Plan) bool {
			return has(p, "PrivateTmp") && has(p, "RestrictRealtime")
		}, map[string]string{"RestrictRealtime": "off"}},
		{"one of three, whichever", func(p generator.Plan) bool {
			return has(p, "PrivateTmp") && has(p, "NoNewPrivileges") && has(p, "RestrictSUIDSGID")
		}, map[string]string{"RestrictSUIDSGID": "off"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{breaks: tt.breaks}
			_, plan, down, err := f.search()
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, d := range down {
				got[d.Directive] = d.To
			}
			if diff := cmp.Diff(tt.want, got); len(tt.want)+len(got) > 0 && diff != "" {
				t.Errorf("demotions (-want +got):\n%s", diff)
			}
			if tt.breaks(plan) {
				t.Errorf("the plan that was found breaks the service:\n%s", plan.Text())
			}
			if len(tt.want) == 0 && f.launches != 2 {
				t.Errorf("%d launches, want 2", f.launches)
			}
		})
	}
}

// TestSearchLaws: whatever breaks a service, singly or together, the plan that is found works, and putting back any step of
// any demotion breaks it again. Single culprits cost no more launches than bisection may.
func TestSearchLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := make([]string, len(hardest.Service))
		for i, s := range hardest.Service {
			names[i] = s.Name
		}
		groups := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 3, rapid.ID), 0, 4).Draw(t, "groups")
		breaks := func(p generator.Plan) bool {
			return slices.ContainsFunc(groups, func(group []string) bool {
				return !slices.ContainsFunc(group, func(n string) bool { return !has(p, n) })
			})
		}
		f := &fake{breaks: breaks}
		s, plan, down, err := f.search()
		if err != nil {
			t.Fatal(err)
		}
		if breaks(plan) {
			t.Fatalf("the plan breaks the service: %v", groups)
		}
		for _, step := range steps(s.levers) {
			undo := step.back()
			if !breaks(s.plan(len(s.levers))) {
				t.Fatalf("%s can be put back: %v", step.lever.directive.Name, groups)
			}
			undo()
		}
		single := !slices.ContainsFunc(groups, func(g []string) bool { return len(g) > 1 })
		if k, n := float64(len(down)), float64(len(names)); single && k > 0 {
			if most := 2 + 2*k*math.Ceil(math.Log2(n)) + 1; float64(f.launches) > most {
				t.Fatalf("%d launches for %v culprits in %v, want at most %v", f.launches, k, n, most)
			}
		}
	})
}

func TestSearchBaseline(t *testing.T) {
	ctx := context.Background()
	input := generator.Input{Unit: &unit.Unit{Name: "x.service"}, Profile: hardest, Named: true, Version: 257}
	results := func(oks ...bool) func(context.Context, generator.Plan) (trial.Result, error) {
		return func(_ context.Context, p generator.Plan) (trial.Result, error) {
			ok := oks[0]
			oks = oks[1:]
			return trial.Result{Dropin: p.Text(), OK: ok, Failures: []verdict.Evidence{{Kind: "check", Text: "no answer"}}}, nil
		}
	}
	if _, _, err := (&search{input: input, try: results(false, false)}).run(ctx); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("a baseline that always fails: %v", err)
	}
	if _, _, err := (&search{input: input, try: results(false, true)}).run(ctx); !errors.Is(err, errFlaky) {
		t.Errorf("a baseline that fails once: %v", err)
	}
	gone := errors.New("the place is gone")
	calls := 0
	try := func(context.Context, generator.Plan) (trial.Result, error) {
		if calls++; calls > 2 {
			return trial.Result{}, gone
		}
		return trial.Result{OK: calls == 1}, nil
	}
	if _, _, err := (&search{input: input, try: try}).run(ctx); !errors.Is(err, gone) {
		t.Errorf("a place that goes away: %v", err)
	}
}

// TestSearchWorth: among alternatives the directive that saves least is given up.
func TestSearchWorth(t *testing.T) {
	for _, cheap := range []string{"PrivateTmp", "RestrictRealtime"} {
		t.Run(cheap, func(t *testing.T) {
			f := &fake{breaks: func(p generator.Plan) bool { return has(p, "PrivateTmp") && has(p, "RestrictRealtime") }}
			s := &search{
				input: generator.Input{Unit: &unit.Unit{Name: "x.service"}, Profile: hardest, Named: true, Version: 257},
				try:   f.try,
				worth: func(d *directive.Directive) float64 {
					if d.Name == cheap {
						return 0.1
					}
					return 1
				},
			}
			_, down, err := s.run(context.Background())
			if err != nil || len(down) != 1 || down[0].Directive != cheap {
				t.Errorf("gave up %v, %v; want %s", down, err, cheap)
			}
		})
	}
}

// tree is a place in which all files were there before the first launch.
type tree struct{ root host.Root }

func (t tree) Root() host.Root { return t.root }
func (tree) Had(string) bool   { return true }

// TestSearchEvidence: an exception that the log names is made before anything is given up, and taken back if it was not
// needed after all.
func TestSearchEvidence(t *testing.T) {
	t0 := t.TempDir()
	if err := os.MkdirAll(t0+"/srv/x", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, needed := range []bool{true, false} {
		t.Run(fmt.Sprintf("needed %v", needed), func(t *testing.T) {
			f := &fake{breaks: func(p generator.Plan) bool {
				if needed {
					return slices.Contains(lines(p, "ProtectSystem"), "strict") && !slices.Contains(lines(p, "ReadWritePaths"), "-/srv/x")
				}
				return has(p, "LockPersonality")
			}}
			try := func(ctx context.Context, p generator.Plan) (trial.Result, error) {
				trial, err := f.try(ctx, p)
				trial.Log = []string{"open /srv/x/state: Read-only file system"}
				return trial, err
			}
			in := generator.Input{Unit: &unit.Unit{Name: "x.service"}, Profile: hardest, Named: true, Version: 257}
			service := blame.NewService(in, tree{host.At(t0)})
			s := &search{
				input: in,
				try:   try,
				guess: func(t trial.Result, ls []*lever) []blame.Proposal {
					return service.Causes(blame.Seen{Log: t.Log}, applied(ls, 257))
				},
			}
			plan, down, err := s.run(context.Background())
			if err != nil || len(down) != 1 {
				t.Fatalf("demotions %v, %v", down, err)
			}
			if got := has(plan, "ReadWritePaths"); got != needed {
				t.Errorf("exception made: %v, want %v", got, needed)
			}
		})
	}
}
