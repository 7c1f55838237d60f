package main

import (
	"strings"
	"testing"

	"temper/internal/verdict"
	"temper/profiles"
)

func proven(before, after float64) *verdict.Verdict {
	return &verdict.Verdict{Result: verdict.Proven, Exposure: verdict.Exposure{Before: before, After: after}, Trials: 2, Seconds: 4.4}
}

// TestProblems: only a service that is proven as its profile stands, within its limit, is fit to be shipped.
func TestProblems(t *testing.T) {
	demoted := proven(9.4, 1.5)
	demoted.Demotions = []verdict.Demotion{{Directive: "PrivateTmp", To: verdict.Off}}
	open := &profiles.Profile{Prove: profiles.Prove{Exposure: 8.5}}
	tests := []struct {
		name    string
		service service
		want    string // "" is none
	}{
		{"root, within", service{root: true, verdict: proven(9.4, 3.0)}, ""},
		{"root, over", service{root: true, verdict: proven(9.4, 3.1)}, "exposure 3.1, want 3.0 at most"},
		{"user, within", service{verdict: proven(9.4, 2.0)}, ""},
		{"user, over", service{verdict: proven(9.4, 2.1)}, "exposure 2.1, want 2.0 at most"},
		{"over, by its own limit", service{profile: open, root: true, verdict: proven(9.4, 8.5)}, ""},
		{"over its own limit", service{profile: open, root: true, verdict: proven(9.4, 8.6)}, "exposure 8.6, want 8.5 at most"},
		{"weaker", service{verdict: proven(1.0, 1.1)}, "exposure 1.1, was 1.0"},
		{"demoted", service{verdict: demoted}, "1 demotions, such as PrivateTmp= to off"},
		{"not proven", service{verdict: &verdict.Verdict{Result: verdict.Flaky, Reason: "why"}}, "flaky: why"},
		{"not tried", service{}, "there is no verdict"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.service
			if s.unit = "a.service"; s.profile == nil {
				s.profile = &profiles.Profile{}
			}
			s.suite = shipped
			problems := s.problems()
			if tt.want == "" != (len(problems) == 0) || tt.want != "" && !strings.Contains(problems[0].Error(), "a.service on trixie: "+tt.want) {
				t.Errorf("got %v, want %q", problems, tt.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	p := &profiles.Profile{}
	page := table([]service{
		{suite: "trixie", unit: "b.service", version: "2-1", root: true, profile: p, verdict: proven(9.4, 2.6)},
		{suite: "trixie", unit: "a.service", version: "1:1", profile: p},
		{suite: "sid", unit: "c.service", version: "3", profile: p, verdict: proven(9.4, 1.0)},
	})
	_, rows, _ := strings.Cut(page, "## trixie\n\n")
	want := "| service | version | before | after | launches | seconds |\n|---|---|--:|--:|--:|--:|\n" +
		"| a | 1:1 | not proven | | | |\n| b | 2-1 | 9.4 | 2.6 | 2 | 4 |\n"
	if !strings.HasPrefix(rows, want) {
		t.Errorf("got %s\nwant %s", rows, want)
	}
}
