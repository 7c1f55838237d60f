package main

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"temper/internal/verdict"
	"temper/profiles"
)

func proven(before, after float64) *verdict.Verdict {
	return &verdict.Verdict{
		Result:   verdict.Proven,
		Exposure: verdict.Exposure{Before: before, After: after},
		Trials:   2,
		Seconds:  4.4,
	}
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
		{"root, within on the older scale", service{suite: "bookworm", root: true, verdict: proven(9.6, 3.3)}, ""},
		{
			"root, over on the older scale",
			service{suite: "bookworm", root: true, verdict: proven(9.6, 3.4)},
			"exposure 3.4, want 3.3 at most",
		},
		{"user, within", service{verdict: proven(9.4, 2.0)}, ""},
		{"user, over", service{verdict: proven(9.4, 2.1)}, "exposure 2.1, want 2.0 at most"},
		{"over, by its own limit", service{profile: open, root: true, verdict: proven(9.4, 8.5)}, ""},
		{
			"over its own limit",
			service{profile: open, root: true, verdict: proven(9.4, 8.6)},
			"exposure 8.6, want 8.5 at most",
		},
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
			s.suite = cmp.Or(s.suite, shipped)
			problems := s.problems()
			if tt.want == "" != (len(problems) == 0) ||
				tt.want != "" && !strings.Contains(problems[0].Error(), "a.service on "+s.suite+": "+tt.want) {
				t.Errorf("got %v, want %q", problems, tt.want)
			}
		})
	}
}

// TestMerge: what a run found replaces the rows of its services and leaves all others as they were.
func TestMerge(t *testing.T) {
	of := func(units ...string) *profiles.Profile { return &profiles.Profile{Units: units} }
	p := readPage("")
	p.merge("trixie", []service{
		{
			suite:   "trixie",
			tree:    "/t",
			unit:    "b.service",
			version: "2-1",
			root:    true,
			profile: of("b.service"),
			verdict: proven(9.4, 2.6),
		},
		{suite: "trixie", tree: "/t", unit: "a.service", version: "1:1", profile: of("a.service")},
		{suite: "trixie", unit: "c1.service", profile: of("c1.service", "c2.service")},
		{
			suite:   "trixie",
			tree:    "/t",
			unit:    "d.service",
			version: "1",
			profile: of("d.service"),
			verdict: proven(9.4, 1),
		},
	})
	p.merge(
		"sid",
		[]service{
			{
				suite:   "sid",
				tree:    "/s",
				unit:    "c1.service",
				version: "3",
				profile: of("c1.service"),
				verdict: proven(9.4, 1.0),
			},
		},
	)
	p = readPage(p.String())
	p.merge("trixie", []service{
		{
			suite:   "trixie",
			tree:    "/t",
			unit:    "a.service",
			version: "1:2",
			profile: of("a.service"),
			verdict: proven(9.4, 1.2),
		},
		{
			suite:   "trixie",
			tree:    "/t",
			unit:    "c2.service",
			version: "3",
			profile: of("c1.service", "c2.service"),
			verdict: proven(9.4, 1),
		},
		{suite: "trixie", unit: "d.service", profile: of("d.service")},
	})
	want := preface + "\n## bookworm\n\n" + head + "\n## trixie\n\n" + head +
		"| a | 1:2 | 9.4 | 1.2 | 2 | 4 |\n| b | 2-1 | 9.4 | 2.6 | 2 | 4 |\n| c2 | 3 | 9.4 | 1.0 | 2 | 4 |\n" +
		"| d | not in trixie | | | | |\n" +
		"\n## sid\n\n" + head + "| c1 | 3 | 9.4 | 1.0 | 2 | 4 |\n"
	if got := readPage(p.String()).String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestKeepVerdicts: the verdicts of other services stay, one that no longer holds goes, and nothing of the machine is
// shipped.
func TestKeepVerdicts(t *testing.T) {
	dir := t.TempDir()
	store := verdict.Store{Dirs: []string{dir}}
	for _, unit := range []string{"a.service", "b.service", "c.service"} {
		if err := store.Put(verdict.Verdict{Unit: unit, Reason: "old"}); err != nil {
			t.Fatal(err)
		}
	}
	fresh := proven(9.4, 1)
	fresh.Unit, fresh.Fingerprint = "a.service", verdict.Fingerprint{
		Profile:    "p",
		Unit:       "u",
		Executable: "/a 1",
		Systemd:    257,
		Kernel:     "6.12",
	}
	p := &profiles.Profile{}
	found := []service{
		{
			suite:   shipped,
			tree:    "/t",
			unit:    "a.service",
			profile: p,
			verdict: fresh,
		}, {suite: shipped, tree: "/t", unit: "b.service", profile: p},
	}
	if err := keepVerdicts(dir, found); err != nil {
		t.Fatal(err)
	}
	if units, err := store.Units(); err != nil || !slices.Equal(units, []string{"a.service", "c.service"}) {
		t.Errorf("there are %q, %v", units, err)
	}
	v, err := store.Get("a.service")
	if want := (verdict.Fingerprint{Profile: "p", Unit: "u", Executable: "/a 1"}); err != nil ||
		v.Fingerprint != want ||
		v.Seconds != 0 {
		t.Errorf("%v, %+v", err, v)
	}
}
