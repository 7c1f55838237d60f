package inforce_test

import (
	"strings"
	"testing"

	"temper/generator"
	"temper/internal/directive"
	"temper/internal/inforce"
	"temper/internal/verdict"
	"temper/profiles"
)

// plan is a plan with two directives.
func plan() generator.Plan {
	var items []generator.Item
	for _, name := range []string{"NoNewPrivileges", "PrivateTmp"} {
		d, _ := directive.Lookup(name)
		items = append(items, generator.Item{Directive: d, Lines: []string{"yes"}})
	}
	return generator.Plan{Unit: "a.service", Profile: "a", Items: items}
}

func TestOf(t *testing.T) {
	const text = "[Service]\nNoNewPrivileges=yes\nPrivateTmp=yes\n"
	both := []string{"NoNewPrivileges", "PrivateTmp"}
	lacks := map[string]string{"PrivateTmp": "has at /tmp what PID 1 has there"}
	proven := &verdict.Verdict{Result: verdict.Proven}
	running := func(r inforce.Running) *inforce.Running {
		r.Active, r.Main = true, true
		return &r
	}
	for _, tt := range []struct {
		name    string
		text    string
		verdict *verdict.Verdict
		running *inforce.Running
		want    inforce.State
		why     string
		command string
	}{
		{
			"in force, whenever it started", text, proven,
			running(inforce.Running{Holds: both, Loaded: text}), inforce.Hardened, "w", "",
		},
		{
			"started before", text, proven, running(inforce.Running{Holds: both[:1], Missing: lacks, Loaded: text}),
			inforce.RestartNeeded, "w; runs without PrivateTmp=",
			"sudo temper apply a.service",
		},
		{
			"started after, and the machine does not enforce it", text, proven,
			running(inforce.Running{Since: true, Holds: both[:1], Missing: lacks, Loaded: text}),
			inforce.Hardened, "w; not in force here: PrivateTmp=", "",
		},
		{
			"nothing to be seen", text, proven, running(inforce.Running{Loaded: text}),
			inforce.RestartNeeded, "w; may run without it", "sudo temper apply a.service",
		},
		{
			"nothing to be seen, but started after", text, proven, running(inforce.Running{Since: true, Loaded: text}),
			inforce.Hardened, "w", "",
		},
		{
			"systemd has another drop-in", text, proven,
			running(inforce.Running{Since: true, Holds: both, Loaded: "[Service]\nPrivateTmp=yes\n"}),
			inforce.RestartNeeded, "w; systemd has not read what is decided now", "sudo temper apply a.service",
		},
		{
			"systemd has that of the template", text, proven,
			running(inforce.Running{Holds: both, Loaded: "# Why: temper show a@.service\n" + text}),
			inforce.Hardened, "w", "",
		},
		{
			"demoted since it started", text, proven,
			running(inforce.Running{Holds: both, Loaded: text, Demoted: []string{"A", "B", "C", "D", "E"}}),
			inforce.RestartNeeded, "w; its process is still forbidden what it needs: A=, B= and 3 more",
			"sudo temper apply a.service",
		},
		{
			"does not run", text, proven, &inforce.Running{Loaded: text}, inforce.AtNextStart,
			"w; does not run, hardened when it starts", "",
		},
		{"another root", text, proven, nil, inforce.AtNextStart, "w; hardened at the next boot", ""},
		{
			"revoked, and still in force", "", &verdict.Verdict{Result: verdict.Revoked},
			running(inforce.Running{Holds: both}), inforce.RestartNeeded,
			"w; its process still runs with what was applied before", "sudo temper apply a.service",
		},
		{
			"revoked", "", &verdict.Verdict{Result: verdict.Revoked},
			running(inforce.Running{Holds: both[:1], Missing: lacks}), inforce.NotHardened, "w",
			"sudo temper prove a.service",
		},
		{
			"only waits for its proof", "[Unit]\nAfter=temper-prove@a.service\n", nil, running(inforce.Running{}),
			inforce.NotHardened, "w", "sudo temper prove a.service",
		},
		{
			"broken", "", &verdict.Verdict{Result: verdict.BrokenBaseline, Reason: "it fails"},
			running(inforce.Running{}), inforce.Broken, "broken-baseline: it fails", "sudo temper show a.service",
		},
		{"a draft", "", proven, running(inforce.Running{Missing: lacks}), inforce.Draft, "w", ""},
		{
			"a draft, never proven", "", nil, running(inforce.Running{}), inforce.Draft, "w",
			"sudo temper prove a.service",
		},
		{
			"it became a draft, and is still in force", "", proven, running(inforce.Running{Loaded: text}),
			inforce.RestartNeeded, "w; systemd has not read that yet", "sudo temper apply a.service",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := generator.Decision{
				Unit: "a.service", Profile: &profiles.Profile{Name: "a"}, Plan: plan(), Text: tt.text, Why: "w",
				Verdict: tt.verdict,
			}
			if strings.Contains(tt.name, "draft") {
				d.By = generator.ByDraft
			}
			var v verdict.Verdict
			if tt.verdict != nil {
				v = *tt.verdict
			}
			s := inforce.Of(d, v, tt.running)
			if s.State != tt.want || s.Why != tt.why || s.Command != tt.command {
				t.Errorf("%s, %q, %q; want %s, %q, %q", s.State, s.Why, s.Command, tt.want, tt.why, tt.command)
			}
		})
	}
}

// TestLeftAlone: a proof is not the way back for a unit that somebody keeps without hardening.
func TestLeftAlone(t *testing.T) {
	for rule, command := range map[generator.Rule]string{
		generator.ByDropin: "", generator.ByExclude: "", generator.ByOffSwitch: "",
		generator.ByRevoked: "sudo temper prove a.service", generator.ByUnproven: "sudo temper prove a.service",
	} {
		d := generator.Decision{Unit: "a.service", Profile: &profiles.Profile{Name: "a"}, Plan: plan(), By: rule}
		if s := inforce.Of(d, verdict.Verdict{}, nil); s.State != inforce.NotHardened || s.Command != command {
			t.Errorf("%s: %s, %q; want not-hardened, %q", rule, s.State, s.Command, command)
		}
	}
}
