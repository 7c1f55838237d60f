package output

import (
	"bytes"
	"strings"
	"testing"

	"temper/generator"
	"temper/internal/inforce"
	"temper/internal/verdict"
	"temper/profiles"
)

func services() []inforce.Service {
	return []inforce.Service{
		{
			Verdict: verdict.Verdict{Unit: "a.service"}, State: inforce.Hardened, Now: 1.2, Why: "proven",
		},
		{
			Verdict: verdict.Verdict{Unit: "a-service-with-a-long-name.service"}, State: inforce.RestartNeeded,
			Now: 9.2,
			Why: "proven; runs without PrivateTmp=, ProtectSystem= and 4 more",
		},
		{Verdict: verdict.Verdict{Unit: "z.service"}, State: inforce.NoProfile, Now: 9.6},
	}
}

// TestStatusOnTerminal: words stay whole, and no line is wider than the terminal, which has 60 columns.
func TestStatusOnTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	screen := newScreen(t)
	if err := (Printer{Out: screen.terminal, Format: "text"}).Status(services(), true); err != nil {
		t.Fatal(err)
	}
	screen.shows(t,
		"1 hardened, 1 needs a restart, 1 without a profile",
		"Hardened:",
		"  a.service  1.2  proven",
		"Need a restart (sudo temper apply):",
		"  a-service-with-a-long-name.service  9.2",
		"      proven; runs without PrivateTmp=, ProtectSystem= and 4",
		"      more",
		"Without a profile:",
		"  z.service  9.6",
	)
}

// TestStatusElsewhere: other programs get one line for each service, without colours.
func TestStatusElsewhere(t *testing.T) {
	var out bytes.Buffer
	if err := (Printer{Out: &out, Format: "text"}).Status(services(), false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1 hardened, 1 needs a restart, 1 without a profile\n", "PrivateTmp=, ProtectSystem= and 4 more\n",
		"temper status --all",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") || strings.Contains(out.String(), "z.service") {
		t.Errorf("colours, or a service without a profile:\n%s", out.String())
	}
}

// TestColorOf: what only started does not have the colour of what is proven.
func TestColorOf(t *testing.T) {
	proven, started := inforce.Service{}, inforce.Service{}
	proven.Result, started.Result = verdict.Proven, verdict.Started
	for want, services := range map[string][]inforce.Service{
		green: {proven, proven}, yellow: {proven, started},
	} {
		if got := colorOf(inforce.Hardened, services); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAlike(t *testing.T) {
	list := []verdict.Evidence{
		{Kind: "trace", Text: "nothing shows that PrivateTmp= holds"},
		{Kind: "log", Text: "nothing shows that PrivateTmp= holds"},
		{Kind: "trace", Text: "nothing shows that PrivateUsers= holds"},
		{Kind: "trace", Text: "nothing shows that LimitCORE= holds"},
	}
	got := alike(list)
	want := "nothing shows that PrivateTmp= holds (and 2 more like this; all: --format json)"
	if len(got) != 2 || got[0].Text != want || got[1] != list[1] {
		t.Errorf("%q", got)
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		begin, text string
		width       int
		want        string
	}{
		{"  ", "one two three", 0, "  one two three"},
		{"  ", "one two three", 9, "  one two\n  three"},
		{"  ", "averylongword x", 9, "  averylongword\n  x"},
		{"  ", "\x1b[31mred\x1b[0m blue", 10, "  \x1b[31mred\x1b[0m blue"},
		{"", "", 9, ""},
	} {
		if got := wrap(tt.begin, tt.text, tt.width); got != tt.want {
			t.Errorf("wrap(%q, %q, %d) = %q, want %q", tt.begin, tt.text, tt.width, got, tt.want)
		}
	}
}

// TestBypassed: prove and show tell what is in force and does not bind the service.
func TestBypassed(t *testing.T) {
	var out bytes.Buffer
	p := Printer{Out: &out, Format: "text"}
	v := verdict.Verdict{
		Unit: "a.service", Result: verdict.Proven,
		Bypassed: []verdict.LeftOut{{Directive: "ProtectProc", Reason: "why"}},
	}
	p.verdict(v)
	d := generator.Decision{Unit: "a.service", Profile: &profiles.Profile{}, Text: "[Service]\nProtectProc=invisible\n"}
	if err := p.Decision(d, inforce.Service{Verdict: v, State: inforce.Hardened}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"in force, but does not bind the service: ProtectProc=: why\n",
		"In force, but does not bind it:\n  ProtectProc=  why\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
}
