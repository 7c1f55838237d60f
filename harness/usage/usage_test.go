package usage_test

import (
	"strings"
	"testing"

	"temper/harness/check"
	"temper/harness/trial"
	"temper/harness/usage"
	"temper/internal/verdict"
	"temper/profiles"
)

// TestUse: a service was used if a required check that uses it has passed in the hardened launch, or if something else
// shows its work.
func TestUse(t *testing.T) {
	page := profiles.Check{Name: "page", Required: true, HTTP: &profiles.HTTPCheck{URL: "http://127.0.0.1/"}}
	advice := page
	advice.Required = false
	greeting := profiles.Check{Name: "page", Required: true, TCP: &profiles.StreamCheck{Expect: "220"}}
	file := profiles.Check{
		Name: "page", Required: true, File: &profiles.FileCheck{Path: "/var/backups/home.tar", Exists: true},
	}
	ran := func(ok bool) trial.Result {
		return trial.Result{Outcomes: []check.Outcome{{Name: "page", Phase: "running", OK: ok, Detail: "said so"}}}
	}
	skipped := trial.Result{Outcomes: []check.Outcome{
		{Name: "page", Phase: "running", NotRun: true, Detail: "needs x"},
	}}
	aside := []usage.SetAside{{CheckRun: trial.CheckRun{Check: "page", Phase: "reloaded"}, Reason: "404"}}
	never := func(string) bool { return false }
	made := func(name string) bool { return name == "/var/backups/home.tar" }
	for name, tc := range map[string]struct {
		launches     usage.Launches
		used         bool
		result, said string
	}{
		"passed": {
			usage.Launches{Hardened: ran(true)},
			true,
			verdict.Passed, "",
		},
		"set aside in a phase": {
			usage.Launches{Hardened: ran(true), SetAside: aside},
			false,
			verdict.SetAside, "404",
		},
		"did not run": {
			usage.Launches{Baselines: []trial.Result{skipped}}, false, verdict.NotRun, "needs x",
		},
		"no phase of it": {usage.Launches{}, false, verdict.NotRun, "phase"},
		"advice fails": {
			usage.Launches{Checks: []profiles.Check{advice}, Hardened: ran(false)},
			false,
			verdict.Failed, "said so",
		},
		"advice passes": {
			usage.Launches{Checks: []profiles.Check{advice}, Hardened: ran(true)},
			false,
			verdict.Passed, "",
		},
		"a greeting": {
			usage.Launches{Checks: []profiles.Check{greeting}, Hardened: ran(true)},
			false,
			verdict.Passed, "",
		},
		"a file that it makes": {
			usage.Launches{Checks: []profiles.Check{file}, Hardened: ran(true), Made: made},
			true,
			verdict.Passed, "",
		},
		"a file that was there": {
			usage.Launches{Checks: []profiles.Check{file}, Hardened: ran(true)},
			false,
			verdict.Passed, "",
		},
		"work without any check": {
			usage.Launches{Hardened: trial.Result{Work: []string{"answers DNS"}}},
			true,
			verdict.NotRun, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := tc.launches
			if l.Checks == nil {
				l.Checks = []profiles.Check{page}
			}
			if l.Made == nil {
				l.Made = never
			}
			use := l.Use()
			got := use.Checks[0]
			if use.Used() != tc.used || got.Result != tc.result || !strings.Contains(got.Reason, tc.said) {
				t.Errorf("%+v, used %t", use, use.Used())
			}
		})
	}
}
