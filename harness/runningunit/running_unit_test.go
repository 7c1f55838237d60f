package runningunit

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/harness/check"
	"temper/internal/verdict"
)

// TestReport: a unit is as it should be if it runs, is confined and passes the checks that it must pass.
func TestReport(t *testing.T) {
	good := Report{
		Active: true, Confirmed: []string{"PrivateTmp"},
		Status: map[string]string{"Seccomp": "2", "CapBnd": "0000000000000003"},
	}
	for name, tc := range map[string]struct {
		change func(r *Report)
		ok     bool
	}{
		"as proven":           {func(*Report) {}, true},
		"an advisory check":   {func(r *Report) { r.Checks = []check.Outcome{{Required: false}} }, true},
		"a check that passes": {func(r *Report) { r.Checks = []check.Outcome{{Required: true, OK: true}} }, true},
		"a check that fails":  {func(r *Report) { r.Checks = []check.Outcome{{Required: true}} }, false},
		"a part does not hold": {
			func(r *Report) { r.Partly = map[string]string{"ProtectKernelTunables": "/sys is writable"} }, true,
		},
		"one does not hold": {func(r *Report) { r.Ineffective = map[string]string{"UMask": "x"} }, false},
		"nothing was seen":  {func(r *Report) { r.Confirmed = nil }, false},
		"it does not run":   {func(r *Report) { r.Active = false }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			tc.change(&r)
			if r.OK() != tc.ok {
				t.Errorf("OK is %t: %s", r.OK(), r.Confinement())
			}
		})
	}
	good.Partly = map[string]string{"A": "a"}
	good.Ineffective = map[string]string{"C": "c", "B": "b"}
	const want = "1 directives seen in /proc, seccomp 2, capabilities 2 of 41, in part A= (a), NOT B= (b), NOT C= (c)"
	if diff := cmp.Diff(want, good.Confinement()); diff != "" {
		t.Error(diff)
	}
	if got := (Report{}).Confinement(); got != "NOT running" {
		t.Errorf("one that does not run: %q", got)
	}
}

// TestPlanOf: the assignments of a directive are one item, in their order; what this version does not know is left out.
func TestPlanOf(t *testing.T) {
	v := verdict.Verdict{Unit: "a.service", Profile: "a", Applied: []verdict.Applied{
		{Directive: "SystemCallFilter", Value: "@system-service"},
		{Directive: "SystemCallFilter", Value: "~@mount"},
		{Directive: "FromTheFuture", Value: "yes"},
		{Directive: "PrivateTmp", Value: "yes"},
	}}
	got := map[string][]string{}
	plan := planOf(v)
	for _, i := range plan.Items {
		got[i.Directive.Name] = i.Lines
	}
	want := map[string][]string{"SystemCallFilter": {"@system-service", "~@mount"}, "PrivateTmp": {"yes"}}
	if diff := cmp.Diff(want, got); diff != "" || plan.Unit != "a.service" {
		t.Errorf("%s: %s", plan.Unit, diff)
	}
}

// TestOnly: the lines of other directives go, all of a list stay.
func TestOnly(t *testing.T) {
	const text = "# Written by temper.\n[Unit]\n\n[Service]\n# PrivateTmp=no would do\nPrivateTmp=yes\n" +
		"SystemCallFilter=@system-service\nSystemCallFilter=~@mount\nUMask=0077\n"
	const want = "# Written by temper.\n[Unit]\n\n[Service]\n# PrivateTmp=no would do\n" +
		"SystemCallFilter=@system-service\nSystemCallFilter=~@mount\n"
	if diff := cmp.Diff(want, only(text, []string{"SystemCallFilter"})); diff != "" {
		t.Error(diff)
	}
}
