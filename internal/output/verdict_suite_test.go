package output

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/verdict"
)

// found are a unit that had to be given something back, and one that does not work at all.
var found = []verdict.Verdict{
	{
		Unit: "web.service", Result: verdict.Proven, Seconds: 2.5,
		Demotions: []verdict.Demotion{{
			Directive: "RestrictRealtime", From: "yes", To: verdict.Off, Reason: "the service does not work with it",
			Evidence: []verdict.Evidence{
				{Kind: "refused", Text: "web: sched_setscheduler(0x1): EPERM"},
				{Kind: "exit", Text: "status 1"},
			},
		}},
	},
	{Unit: "#1.service", Result: verdict.BrokenBaseline, Reason: "it fails without any hardening: no answer"},
}

// TestResults: a demotion is a failed test of its own in what CI systems read, with its evidence, beside the proof that
// holds.
func TestResults(t *testing.T) {
	for format, want := range map[string]string{
		"junit": `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="web.service" tests="2" failures="1" errors="0" skipped="0" time="2.5">
    <testcase classname="web.service" name="works hardened"></testcase>
    <testcase classname="web.service" name="RestrictRealtime=yes">
      <failure message="demoted to off: the service does not work with it">refused: web: sched_setscheduler(0x1): EPERM&#xA;exit: status 1&#xA;</failure>
    </testcase>
  </testsuite>
  <testsuite name="#1.service" tests="1" failures="1" errors="0" skipped="0">
    <testcase classname="#1.service" name="works hardened">
      <failure message="broken-baseline">it fails without any hardening: no answer</failure>
    </testcase>
  </testsuite>
</testsuites>
`,
		"tap": `TAP version 13
1..3
ok 1 - web.service: works hardened
not ok 2 - web.service: RestrictRealtime=yes
# demoted to off: the service does not work with it
# refused: web: sched_setscheduler(0x1): EPERM
# exit: status 1
not ok 3 - \#1.service: works hardened
# broken-baseline
# it fails without any hardening: no answer
`,
	} {
		var out bytes.Buffer
		p := Printer{Out: &out, Format: format}
		if err := p.Verdicts(found); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
}

// TestResultsOfChecks: each check and each demotion is a test of its own. A check that did not run, was set aside, or
// fails and is only advice, counts as skipped, with the reason.
func TestResultsOfChecks(t *testing.T) {
	v := verdict.Verdict{
		Unit: "web.service", Result: verdict.Proven,
		Use: &verdict.Use{Checks: []verdict.Check{
			{Name: "serves a page", Kind: "http", Required: true, Result: verdict.Passed, Uses: true},
			{Name: "logs", Kind: "exec", Required: true, Result: verdict.NotRun, Reason: "needs /etc/x"},
			{Name: "says who it is", Kind: "tcp", Required: true, Result: verdict.SetAside, Reason: "no answer"},
			{Name: "is quick", Kind: "http", Result: verdict.Failed, Reason: "gave up after 1s"},
		}},
		Demotions: []verdict.Demotion{
			{Directive: "PrivateTmp", From: "disconnected", To: "yes", Reason: "a"},
			{Directive: "ProtectProc", From: "invisible", To: verdict.Off, Reason: "b"},
		},
	}
	var out bytes.Buffer
	p := Printer{Out: &out, Format: "junit"}
	if err := p.Verdicts([]verdict.Verdict{v}); err != nil {
		t.Fatal(err)
	}
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="web.service" tests="7" failures="2" errors="0" skipped="3">
    <testcase classname="web.service" name="works hardened"></testcase>
    <testcase classname="web.service" name="check serves a page"></testcase>
    <testcase classname="web.service" name="check logs">
      <skipped message="not-run: needs /etc/x"></skipped>
    </testcase>
    <testcase classname="web.service" name="check says who it is">
      <skipped message="set-aside: no answer"></skipped>
    </testcase>
    <testcase classname="web.service" name="check is quick">
      <skipped message="failed: gave up after 1s"></skipped>
    </testcase>
    <testcase classname="web.service" name="PrivateTmp=disconnected">
      <failure message="demoted to yes: a"></failure>
    </testcase>
    <testcase classname="web.service" name="ProtectProc=invisible">
      <failure message="demoted to off: b"></failure>
    </testcase>
  </testsuite>
</testsuites>
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestResultsJSON: what is printed reads back as it was found.
func TestResultsJSON(t *testing.T) {
	for _, list := range [][]verdict.Verdict{found, nil} {
		var out bytes.Buffer
		p := Printer{Out: &out, Format: "json"}
		if err := p.Verdicts(list); err != nil {
			t.Fatal(err)
		}
		var got []verdict.Verdict
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got == nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		if diff := cmp.Diff(append([]verdict.Verdict{}, list...), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
