package search

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/confine"
	"temper/harness/observe"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/unit"
	"temper/internal/values"
	"temper/internal/verdict"
	"temper/needs"
	"temper/profiles"
)

// hardest is a profile with one directive of every kind.
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

// input is a unit that sets nothing, and a profile that names it.
func input(p *profiles.Profile) generator.Input {
	return generator.Input{Unit: &unit.Unit{Name: "x.service", ID: "x.service"}, Profile: p, Named: true, Version: 257}
}

// fake is a Trier for a service that is defined only by the conditions under which it breaks.
type fake struct {
	earlier   []verdict.Demotion // of an earlier proof
	breaks    func(plan generator.Plan) bool
	show      func(r *trial.Result, plan generator.Plan) // adds evidence to a result; nil = there is none
	launches  int
	baselines []trial.Result
	confined  confine.Confinement // of the stand-in
	root      host.Root
	used      []needs.Need
}

func (f *fake) Try(_ context.Context, plan generator.Plan, _ Patience) (trial.Result, error) {
	f.launches++
	r := trial.Result{Dropin: plan.Text(), OK: !f.breaks(plan)}
	if !r.OK {
		r.Failures = []verdict.Evidence{{Kind: "exit", Text: "status 1"}}
	}
	if f.show != nil {
		f.show(&r, plan)
		r = r.Compare(observed(f.baselines))
	}
	if r.Dropin == "" && r.OK {
		f.baselines = append(f.baselines, r)
	}
	return r, nil
}

func (f *fake) Baselines() []trial.Result { return f.baselines }

func (f *fake) Earlier() []verdict.Demotion { return f.earlier }

func (f *fake) StandIn(context.Context, generator.Plan) (confine.Confinement, error) {
	return f.confined, nil
}

// Root is the file tree of the service. All of its files existed before the first launch.
func (f *fake) Root() host.Root          { return f.root }
func (*fake) ExistedAtStart(string) bool { return true }

func (f *fake) run() (Outcome, error) { return f.prove(input(hardest)) }

func (f *fake) prove(in generator.Input) (Outcome, error) {
	return Run(context.Background(), in, f, f.used, f)
}

// lines returns the assignments of a directive in a plan; nil if there are none.
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

// brief returns the value to which each demotion leads.
func brief(down []verdict.Demotion) map[string]string {
	left := map[string]string{}
	for _, d := range down {
		left[d.Directive] = d.To
	}
	return left
}

func TestRun(t *testing.T) {
	tests := []struct {
		name   string
		breaks func(p generator.Plan) bool
		want   map[string]string // the demotions
	}{
		{"survives everything", func(p generator.Plan) bool { return false }, map[string]string{}},
		{
			"one culprit", func(p generator.Plan) bool { return has(p, "LockPersonality") },
			map[string]string{"LockPersonality": "off"},
		},
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
		}, map[string]string{"RestrictRealtime": "off"}}, // it saves less exposure
		{"one of three, whichever", func(p generator.Plan) bool {
			return has(p, "PrivateTmp") && has(p, "NoNewPrivileges") && has(p, "RestrictRealtime")
		}, map[string]string{"RestrictRealtime": "off"}},
		{"two that filter by one directive, and a capability", func(p generator.Plan) bool {
			return has(p, "ProtectKernelModules") || has(p, "ProtectKernelLogs") || !capable(p, "CAP_SYSLOG")
		}, map[string]string{
			"ProtectKernelModules": "off", "ProtectKernelLogs": "off",
			"CapabilityBoundingSet": "CAP_SYSLOG",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{breaks: tt.breaks}
			found, err := f.run()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, brief(found.Demotions)); diff != "" {
				t.Errorf("demotions (-want +got):\n%s", diff)
			}
			if tt.breaks(found.Plan) {
				t.Errorf("the plan that was found breaks the service:\n%s", found.Plan.Text())
			}
			if !found.Result.OK || found.Result.Dropin != found.Plan.Text() {
				t.Errorf("the result is %v, of another launch than the last plan's", found.Result)
			}
			if len(tt.want) == 0 && f.launches != 2 {
				t.Errorf("%d launches, want 2", f.launches)
			}
		})
	}
}

// script is a Trier with a list of the results of its launches.
type script struct {
	fake
	results []trial.Result
	err     error // of the launch after the last
}

func (s *script) Try(_ context.Context, plan generator.Plan, _ Patience) (trial.Result, error) {
	if len(s.results) == 0 {
		return trial.Result{}, s.err
	}
	r := s.results[0]
	s.results, r.Dropin = s.results[1:], plan.Text()
	if r.OK && r.Dropin == "" {
		s.baselines = append(s.baselines, r)
	}
	return r, nil
}

// TestRunUnjudged: the search returns an error for a service that fails without hardening, whose launches disagree, or
// whose place ends.
func TestRunUnjudged(t *testing.T) {
	gone := errors.New("the place is gone")
	good, bad := trial.Result{OK: true}, trial.Result{Failures: []verdict.Evidence{{Kind: "check", Text: "no answer"}}}
	for _, tt := range []struct {
		name    string
		results []trial.Result
		want    error
		text    string
	}{
		{"a baseline that always fails", []trial.Result{bad, bad}, ErrBroken, "no answer"},
		{"a baseline that fails without a word", []trial.Result{{}, {}}, ErrBroken, "no failure was seen"},
		{"a baseline that fails once", []trial.Result{bad, good}, ErrFlaky, "no answer"},
		{
			"a plan that fails once, and passes when its last directive is put back",
			slices.Concat([]trial.Result{good, bad}, slices.Repeat([]trial.Result{good}, 20)), ErrFlaky, "no answer",
		},
		{"a place that is gone at once", nil, gone, ""},
		{"a place that goes away with the second baseline", []trial.Result{bad}, gone, ""},
		{"a place that goes away with the whole plan", []trial.Result{good}, gone, ""},
		{"a place that goes away in the search", []trial.Result{good, bad}, gone, ""},
	} {
		s := &script{results: tt.results, err: gone}
		_, err := Run(context.Background(), input(hardest), s, nil, s)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestRunGone: the search returns the error of its Trier, in whichever launch it happens.
func TestRunGone(t *testing.T) {
	gone := errors.New("the place is gone")
	breaks := func(p generator.Plan) bool {
		return has(p, "ProtectSystem") || !capable(p, "CAP_CHOWN") || has(p, "ProtectKernelLogs") ||
			has(p, "ProtectKernelModules")
	}
	whole := &fake{breaks: breaks}
	if _, err := whole.run(); err != nil {
		t.Fatal(err)
	}
	for n := range whole.launches {
		f := &mortal{fake: fake{breaks: breaks}, lives: n, err: gone}
		if _, err := Run(context.Background(), input(hardest), f, nil, f); !errors.Is(err, gone) {
			t.Errorf("after %d launches: %v", n, err)
		}
	}
}

// mortal is a fake whose place ends after some launches.
type mortal struct {
	fake
	lives int
	err   error
}

func (m *mortal) Try(ctx context.Context, plan generator.Plan, time Patience) (trial.Result, error) {
	if m.launches == m.lives {
		return trial.Result{}, m.err
	}
	return m.fake.Try(ctx, plan, time)
}

// TestRunByChance: a failure that does not repeat leads to no demotion.
func TestRunByChance(t *testing.T) {
	failed := false
	f := &fake{breaks: func(p generator.Plan) bool {
		chance := !failed && has(p, "LockPersonality")
		failed = failed || chance
		return chance
	}}
	f.show = func(r *trial.Result, p generator.Plan) {
		if has(p, "LockPersonality") { // harmless, but the only directive of the plan
			r.Refused.Denials = []witness.Denial{{Process: "x", Syscall: "personality", Errno: "EPERM", Filtered: true}}
		}
	}
	if _, err := f.run(); !errors.Is(err, ErrFlaky) {
		t.Errorf("%v, want flaky", err)
	}
}

// TestRunCheapest: among alternatives the search gives up the directive that saves least exposure.
func TestRunCheapest(t *testing.T) {
	saved := savings(input(hardest))
	for i, a := range hardest.Service {
		for _, b := range hardest.Service[:i] {
			da, _ := directive.Lookup(a.Name)
			db, _ := directive.Lookup(b.Name)
			if saved[da] == saved[db] {
				continue
			}
			cheap := a.Name
			if saved[db] < saved[da] {
				cheap = b.Name
			}
			f := &fake{breaks: func(p generator.Plan) bool { return has(p, a.Name) && has(p, b.Name) }}
			if found, err := f.run(); err != nil || len(found.Demotions) != 1 || found.Demotions[0].Directive != cheap {
				t.Errorf("of %s and %s gave up %v, %v; want %s", a.Name, b.Name, brief(found.Demotions), err, cheap)
			}
		}
	}
}

// TestRunEvidence: the search makes an exception that the log names before it gives anything up, and removes it at the
// end if it was not needed.
func TestRunEvidence(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/srv/x", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, needed := range []bool{true, false} {
		t.Run(fmt.Sprintf("needed %v", needed), func(t *testing.T) {
			f := &fake{root: host.At(root), breaks: func(p generator.Plan) bool {
				if needed {
					return slices.Contains(lines(p, "ProtectSystem"), "strict") &&
						!slices.Contains(lines(p, "ReadWritePaths"), "-/srv/x")
				}
				return has(p, "LockPersonality")
			}}
			f.show = func(r *trial.Result,
				_ generator.Plan,
			) {
				r.Log = []string{"open /srv/x/state: Read-only file system"}
			}
			found, err := f.run()
			if err != nil || len(found.Demotions) != 1 {
				t.Fatalf("demotions %v, %v", found.Demotions, err)
			}
			if got := has(found.Plan, "ReadWritePaths"); got != needed {
				t.Errorf("exception made: %v, want %v", got, needed)
			}
		})
	}
}

// profile returns a profile with some settings that compares launches with those without hardening.
func profile(settings ...profiles.Setting) *profiles.Profile {
	return &profiles.Profile{Name: "p", Service: settings, Prove: profiles.DefaultProve()}
}

func set(name string, values ...string) profiles.Setting {
	return profiles.Setting{Name: name, Values: values}
}

// TestRunVaryingBaseline: no directive is to blame for what a service sometimes does without hardening. For what it
// never does without hardening, a directive is.
func TestRunVaryingBaseline(t *testing.T) {
	in := input(profile(set("LockPersonality", "yes"), set("RestrictRealtime", "yes")))
	for _, tt := range []struct {
		name     string
		errors   []string // of the launches, one after the other; the last one repeats
		want     map[string]string
		launches int
	}{
		{"a second launch without hardening does the same", []string{"", "lost", "lost", "ok"}, map[string]string{}, 3},
		{"no launch without hardening does", nil, map[string]string{"LockPersonality": "off"}, 9},
	} {
		f := &fake{breaks: func(generator.Plan) bool { return false }}
		f.show = func(r *trial.Result, p generator.Plan) {
			r.Seen = observe.NewLaunch()
			switch n := f.launches - 1; {
			case n < len(tt.errors) && tt.errors[n] != "":
				r.Seen.AddLine(tt.errors[n], true)
			case tt.errors == nil && has(p, "LockPersonality"):
				r.Seen.AddLine("personality: Operation not permitted", false)
			}
		}
		found, err := f.prove(in)
		if diff := cmp.Diff(tt.want, brief(found.Demotions)); diff != "" || err != nil || f.launches > tt.launches {
			t.Errorf("%s: %d launches, %v (-want +got):\n%s", tt.name, f.launches, err, diff)
		}
	}
}

// TestRunBaselineLater: a service that fails in an additional launch without hardening is flaky.
func TestRunBaselineLater(t *testing.T) {
	f := &fake{}
	f.breaks = func(p generator.Plan) bool { return f.launches == 3 }
	f.show = func(r *trial.Result, p generator.Plan) {
		r.Seen = observe.NewLaunch()
		if r.Dropin != "" {
			r.Seen.AddLine("lost", true)
		}
	}
	if _, err := f.prove(input(profile(set("LockPersonality", "yes")))); !errors.Is(err, ErrFlaky) ||
		!strings.Contains(err.Error(), "baseline") {
		t.Errorf("%v, want a flaky baseline", err)
	}
}

// TestRunTryExceptions: the search tries the exceptions that the table proposes before it gives a directive up, and
// only those that are needed stay.
func TestRunTryExceptions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		in     generator.Input
		breaks func(p generator.Plan) bool
		want   map[string]string
	}{
		{
			"the sockets on which it listens", input(profile(set("SocketBindDeny", "any"))),
			func(p generator.Plan) bool {
				return has(p, "SocketBindDeny") && !slices.Contains(lines(p, "SocketBindAllow"), "tcp:80")
			},
			map[string]string{"SocketBindAllow": "tcp:80"},
		},
		{
			"sockets that do not help", input(profile(set("SocketBindDeny", "any"))),
			func(p generator.Plan) bool { return has(p, "SocketBindDeny") },
			map[string]string{"SocketBindDeny": "off"},
		},
		{
			"its directory", withUnit(input(profile(set("ProtectSystem", "strict"))), "WorkingDirectory", "/var/lib/x"),
			func(p generator.Plan) bool {
				return slices.Contains(lines(p, "ProtectSystem"), "strict") &&
					!slices.Contains(lines(p, "ReadWritePaths"), "-/var/lib/x")
			},
			map[string]string{"ReadWritePaths": "/var/lib/x"},
		},
	} {
		f := &fake{breaks: tt.breaks}
		f.show = func(r *trial.Result, _ generator.Plan) {
			r.Seen = observe.NewLaunch()
			r.Seen.Phases["running"] = observe.Snapshot{Sockets: map[string]bool{
				"tcp 0.0.0.0:80": true,
				"udp 0.0.0.0:53": true,
			}}
		}
		found, err := f.prove(tt.in)
		if diff := cmp.Diff(tt.want, brief(found.Demotions)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
		}
	}
}

// withUnit adds assignments to the unit.
func withUnit(in generator.Input, name, value string) generator.Input {
	u := *in.Unit
	u.Assignments = append(slices.Clone(u.Assignments), unit.Assignment{Section: "Service", Name: name, Value: value})
	in.Unit = &u
	return in
}

// TestRunWeakerByName: a value that is known to refuse the same is not tried.
func TestRunWeakerByName(t *testing.T) {
	f := &fake{breaks: func(p generator.Plan) bool {
		l := lines(p, "ProtectHome")
		return l != nil &&
			l[0] != "read-only"
	}, root: host.At(t.TempDir())}
	if err := os.MkdirAll(f.root.Dir()+"/home/x", 0o755); err != nil {
		t.Fatal(err)
	}
	f.show = func(r *trial.Result, _ generator.Plan) {
		if !r.OK {
			r.Refused.Denials = []witness.Denial{{Process: "x", Syscall: "chdir", Errno: "EACCES", Path: "/home/x"}}
		}
	}
	found, err := f.run()
	if diff := cmp.Diff(map[string]string{"ProtectHome": "read-only"}, brief(found.Demotions)); diff != "" ||
		err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if f.launches > 4 {
		t.Errorf("%d launches, want at most 4: without hardening, the whole plan, the weaker value, the stronger one "+
			"again", f.launches)
	}
}

// TestRunNoEffect: a directive that had no effect in the launch that passed is left out, also if only the stand-in
// shows that.
func TestRunNoEffect(t *testing.T) {
	holds := []string{"RestrictRealtime"}
	none := confine.Confinement{Holds: holds, NoEffect: map[string]string{"LockPersonality": "it is not there"}}
	in := input(profile(set("LockPersonality", "yes"), set("RestrictRealtime", "yes")))
	for _, standIn := range []bool{true, false} {
		f := &fake{breaks: func(generator.Plan) bool { return false }}
		if standIn {
			f.confined = none
		} else {
			f.show = func(r *trial.Result, p generator.Plan) {
				if has(p, "LockPersonality") {
					r.Confinement = none
				}
			}
		}
		found, err := f.prove(in)
		if err != nil || has(found.Plan, "LockPersonality") || !has(found.Plan, "RestrictRealtime") ||
			len(found.Demotions) > 0 {
			t.Errorf("stand-in %v: %v, %v:\n%s", standIn, err, brief(found.Demotions), found.Plan.Text())
		}
		if got := found.Plan.LeftOut; len(got) != 1 || got[0].Reason != "has no effect here: it is not there" {
			t.Errorf("left out: %v", got)
		}
		if !slices.Equal(found.Result.Holds, holds) {
			t.Errorf("holds %v, want %v", found.Result.Holds, holds)
		}
	}
	f := &fake{confined: none, breaks: func(p generator.Plan) bool {
		return p.Text() != "" &&
			!has(p, "LockPersonality")
	}}
	if _, err := f.prove(in); !errors.Is(err, ErrFlaky) {
		t.Errorf("a service that breaks without what has no effect: %v, want flaky", err)
	}
}

// TestRunWeakens: a directive that opens what is closed without hardening is stepped down, as often as a launch shows
// that.
func TestRunWeakens(t *testing.T) {
	in := input(profile(set("LockPersonality", "yes"), set("ProtectHome", "yes"), set("PrivateMounts", "yes")))
	f := &fake{breaks: func(generator.Plan) bool { return false }}
	f.show = func(r *trial.Result, p generator.Plan) {
		r.NoEffect, r.Weakens = map[string]string{}, map[string]string{}
		for _, i := range p.Items {
			if i.Directive.Name == "LockPersonality" || i.Directive.Name == "ProtectHome" && i.Lines[0] != "read-only" {
				r.Weakens[i.Directive.Name] = "x"
			}
		}
	}
	found, err := f.prove(in)
	want := map[string]string{"LockPersonality": "off", "ProtectHome": "read-only"}
	if diff := cmp.Diff(want, brief(found.Demotions)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if !has(found.Plan, "PrivateMounts") || has(found.Plan, "LockPersonality") {
		t.Error(found.Plan.Text())
	}
	for _, d := range found.Demotions {
		if e := d.Evidence; len(e) == 0 || e[0].Kind != "mounts" || !strings.Contains(d.Reason, "open") {
			t.Errorf("%s: %s %v", d.Directive, d.Reason, e)
		}
	}
}

// TestRunNamedLate: evidence may name a culprit only after other culprits are stepped down.
func TestRunNamedLate(t *testing.T) {
	f := &fake{breaks: func(p generator.Plan) bool { return has(p, "ProtectSystem") || has(p, "LockPersonality") }}
	f.show = func(r *trial.Result, p generator.Plan) {
		if has(p, "LockPersonality") && !has(p, "RestrictNamespaces") {
			r.Refused.Denials = []witness.Denial{{Process: "x", Syscall: "personality", Errno: "EPERM", Filtered: true}}
		}
	}
	found, err := f.run()
	if diff := cmp.Diff(map[string]string{"ProtectSystem": "off", "LockPersonality": "off"},
		brief(found.Demotions)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestRunAlternatives: of two exceptions that the evidence names, each of which is enough, the search removes the one
// for the more valuable directive.
func TestRunAlternatives(t *testing.T) {
	f := &fake{root: host.At(t.TempDir()), breaks: func(p generator.Plan) bool {
		return !slices.Contains(lines(p, "ReadWritePaths"), "-/srv/x") && !capable(p, "CAP_CHOWN")
	}}
	if err := os.MkdirAll(f.root.Dir()+"/srv/x", 0o755); err != nil {
		t.Fatal(err)
	}
	f.show = func(r *trial.Result, p generator.Plan) {
		if !r.OK {
			r.Refused.Denials = []witness.Denial{
				{Process: "x", Syscall: "mkdir", Errno: "EROFS", Path: "/srv/x/new"},
				{Process: "x", Syscall: "chown", Errno: "EPERM", Path: "/srv/x"},
			}
		}
	}
	found, err := f.prove(input(profile(set("ProtectSystem", "strict"), set("CapabilityBoundingSet", "CAP_KILL"))))
	if diff := cmp.Diff(map[string]string{"ReadWritePaths": "/srv/x"}, brief(found.Demotions)); diff != "" ||
		err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestReasonOfSharedDirectory: an exception for a directory that others use too says why none is narrower.
func TestReasonOfSharedDirectory(t *testing.T) {
	d, _ := directive.Lookup("ReadWritePaths")
	for dir, want := range map[string]string{
		"/etc": "what exists when it starts", "/etc/own": "the exception is exact",
	} {
		found, used := newCandidate(d, nil, 257), newCandidate(d, nil, 257)
		found.allow([]string{dir})
		used.allowUsed(blame.Proposal{Directive: d, Names: []string{dir}})
		for _, c := range []*candidate{found, used} {
			if got := c.reason(); !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q", dir, got, want)
			}
		}
	}
}

// TestEarlier: a demotion of an earlier proof that this one cannot judge stays, with what showed it, while the profile
// asks for the same. The search goes on from there.
func TestEarlier(t *testing.T) {
	said := []verdict.Evidence{{Kind: "check", Text: "page: 404"}}
	p := &profiles.Profile{Name: "x", Service: []profiles.Setting{
		{Name: "ProtectSystem", Values: []string{"strict"}},
		{Name: "ProtectHome", Values: []string{"yes"}},
		{Name: "LockPersonality", Values: []string{"yes"}},
	}}
	f := &fake{
		breaks: func(p generator.Plan) bool { return has(p, "LockPersonality") },
		earlier: []verdict.Demotion{
			{
				Directive: "ProtectSystem", From: "strict", To: "full", Reason: "why", Evidence: said,
				Checks: []string{"page"},
			},
			{Directive: "ProtectHome", From: "tmpfs", To: verdict.Off, Checks: []string{"page"}},
		},
	}
	found, err := f.prove(input(p))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range found.Demotions {
		got = append(got, fmt.Sprintf("%s %s %s %v %v", d.Directive, d.From, d.To, d.Checks, d.Evidence))
	}
	want := []string{
		"LockPersonality yes off [] [{exit status 1}]", "ProtectSystem strict full [page] [{check page: 404}]",
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text := found.Plan.Text()
	if !strings.Contains(text, "ProtectSystem=full\n") || !strings.Contains(text, "ProtectHome=yes") {
		t.Error(text)
	}
}

// TestUsed: what was used on this machine is allowed before the first hardened launch, by exact exceptions where there
// are some, and no launch takes it back, although the service seems to work without.
func TestUsed(t *testing.T) {
	seen := func(kind refusal.Kind, subject string) needs.Need {
		day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		return needs.Need{
			Kind: kind, Subject: subject, Program: "web", Count: 14, First: day, Last: day, Accepted: true,
		}
	}
	for _, tt := range []struct {
		used needs.Need
		want map[string]string
	}{
		{seen(refusal.PathReadOnly, "/srv/web/"), map[string]string{"ReadWritePaths": "/srv/web"}},
		{seen(refusal.PathReadOnly, "/srv/web/file"), map[string]string{"ReadWritePaths": "/srv/web"}},
		{seen(refusal.PathReadOnly, "/tmp/file"), map[string]string{}}, // PrivateTmp= gives it a directory
		{seen(refusal.PathHidden, "/home/web/x"), map[string]string{"ProtectHome": "read-only"}},
		{seen(refusal.Personality, "0x8"), map[string]string{"LockPersonality": "off"}},
		{seen(refusal.Family, "AF_UNIX"), map[string]string{}},
	} {
		t.Run(tt.used.String(), func(t *testing.T) {
			f := &fake{
				breaks: func(generator.Plan) bool { return false },
				root:   host.At(t.TempDir()), used: []needs.Need{tt.used},
			}
			if err := os.MkdirAll(f.root.Dir()+"/srv/web", 0o755); err != nil {
				t.Fatal(err)
			}
			found, err := f.prove(input(hardest))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, brief(found.Demotions)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if f.launches != 2 {
				t.Errorf("%d launches, want 2", f.launches)
			}
			const evidence = `14 times, last on 2026-03-01`
			for _, d := range found.Demotions {
				if len(d.Evidence) != 1 || d.Evidence[0].Kind != "used" ||
					!strings.Contains(d.Evidence[0].Text, evidence) {
					t.Errorf("evidence %v", d.Evidence)
				}
			}
		})
	}
}
