package fleet_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/fleet"
	"temper/internal/verdict"
)

func TestMerge(t *testing.T) {
	demoted := func(directive, from, to, reason string) verdict.Demotion {
		return verdict.Demotion{Directive: directive, From: from, To: to, Reason: reason}
	}
	web := func(result string, list ...verdict.Demotion) verdict.Verdict {
		return verdict.Verdict{Unit: "web.service", Profile: "web", Result: result, Demotions: list}
	}
	home := demoted("ProtectHome", "yes", verdict.Off, "reads /home/a")
	machines := map[string][]verdict.Verdict{
		"a": {web(
			verdict.Proven, home, demoted("SystemCallFilter", "@system-service", "@system-service\n~@mount", "x"),
		)},
		"b": {web(verdict.Proven, demoted("ProtectHome", "yes", verdict.Off, "reads /home/b"))},
		"c": {
			{Unit: "web.service", Profile: "web", Result: verdict.Broken, Reason: "a line of a log"},
			{Unit: "mail.service", Profile: "mail", Result: verdict.Proven},
		},
		"d": {{Unit: "web.service", Profile: "mine", Result: verdict.Proven, Demotions: []verdict.Demotion{home}}},
	}
	want := []fleet.Finding{
		{
			Unit: "web.service", Profile: "web", Directive: "ProtectHome", From: "yes", To: "off", Result: "proven",
			Reasons: []string{"reads /home/a", "reads /home/b"}, Machines: []string{"a", "b"}, Of: 3,
			Line: "ProtectHome = false",
		},
		{Unit: "web.service", Profile: "web", Result: "broken", Reasons: []string{}, Machines: []string{"c"}, Of: 3},
		{
			Unit: "web.service", Profile: "mine", Directive: "ProtectHome", From: "yes", To: "off", Result: "proven",
			Reasons: []string{"reads /home/a"}, Machines: []string{"d"}, Of: 1, Line: "ProtectHome = false",
		},
		{
			Unit: "web.service", Profile: "web", Directive: "SystemCallFilter", From: "@system-service",
			To: "@system-service\n~@mount", Result: "proven", Reasons: []string{"x"}, Machines: []string{"a"}, Of: 3,
			Line: `SystemCallFilter = ["@system-service", "~@mount"]`,
		},
	}
	if diff := cmp.Diff(want, fleet.Merge(machines)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
