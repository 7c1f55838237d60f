package output

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"temper/generator"
	"temper/internal/explain"
	"temper/internal/inforce"
	"temper/internal/verdict"
	"temper/profiles"
)

// hostile is what a service may log: an escape sequence, line breaks, a change of direction, and what is no text.
const hostile = "\x1b[2Jsaid\nreboot -f\r\u202efed\xff"

// TestHostileText: nothing that a service has said begins a line, acts on a terminal or changes the direction of text.
func TestHostileText(t *testing.T) {
	evidence := []verdict.Evidence{{Kind: "log", Text: hostile}}
	left := []verdict.LeftOut{{Directive: "ProtectProc", Reason: hostile}}
	v := verdict.Verdict{
		Unit: "a.service", Result: verdict.Flaky, Reason: hostile, Advisories: evidence, Bypassed: left, LeftOut: left,
		Demotions: []verdict.Demotion{
			{Directive: "PrivateTmp", From: "yes", To: "off", Reason: hostile, Evidence: evidence},
		},
		Use: &verdict.Use{Checks: []verdict.Check{{Name: "c", Result: verdict.SetAside, Reason: hostile}}},
	}
	trials := []verdict.Trial{{
		Number: 1, Log: []string{hostile}, Failures: evidence, Warnings: evidence, Refused: []string{hostile},
	}}
	s := inforce.Service{Verdict: v, State: inforce.NotHardened, Why: hostile, Log: []string{hostile}}
	decision := generator.Decision{Unit: "a.service", Profile: &profiles.Profile{}, Why: hostile}
	must := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for name, print := range map[string]func(p Printer){
		"prove":     func(p Printer) { NewProgress(p, Work{}).Result(v) },
		"tap":       func(p Printer) { p.Format = "tap"; must(p.Verdicts([]verdict.Verdict{v})) },
		"show":      func(p Printer) { must(p.Decision(decision, s)) },
		"trials":    func(p Printer) { p.Trials("a.service", trials) },
		"reproduce": func(p Printer) { p.Reproduction(explain.Reproduction{Verdict: v, Demotion: v.Demotions[0]}) },
		"status":    func(p Printer) { must(p.Status([]inforce.Service{s}, true)) },
		"restarts":  func(p Printer) { must(p.Restarts([]inforce.Service{s})) },
		"apply":     func(p Printer) { p.Applied(Applied{Unit: "a.service", Reason: hostile, Log: []string{hostile}}) },
		"progress":  func(p Printer) { NewProgress(p, Work{}).Step("a.service", hostile) },
		"survey":    func(p Printer) { NewProgress(p, Work{}).Say("%s", hostile) },
		"review":    func(p Printer) { p.Case(Case{Unit: "a.service", NotSo: hostile}) },
		"warning":   func(p Printer) { p.Warn(errors.New(hostile)) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			print(Printer{Out: &out, Err: &out, Format: "text"})
			if !strings.Contains(out.String(), "reboot") {
				t.Errorf("not a word of it is in:\n%s", out.String())
			}
			for line := range strings.SplitSeq(out.String(), "\n") {
				if strings.HasPrefix(line, "reboot") || !utf8.ValidString(line) ||
					strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("%q", line)
				}
			}
		})
	}
}

// TestHostileStepOnTerminal: the line of a unit is one line of a terminal.
func TestHostileStepOnTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	screen := newScreen(t)
	p := NewProgress(Printer{Out: screen.terminal, Err: screen.terminal, Format: "text"}, Work{})
	p.Step("a.service", "a\nb\x1b[2J")
	screen.shows(t, `a.service: a\nb\x1b[2J`)
}

// TestColors: what temper itself colours stays coloured.
func TestColors(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	screen := newScreen(t)
	p := Printer{Out: screen.terminal, Format: "text"}
	if got := string(p.in(green, "proven\x1b[2J")); got != green+`proven\x1b[2J`+normal {
		t.Errorf("%q", got)
	}
	p.line(0, "%s", p.in(green, "proven"))
	if _, err := screen.terminal.WriteString("."); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	n, err := screen.written.Read(buffer)
	if want := green + "proven" + normal; err != nil || !strings.Contains(string(buffer[:n]), want) {
		t.Errorf("%q, %v: want %q", buffer[:n], err, want)
	}
}

// TestBrief: the journal gets the results, and nothing that services have logged.
func TestBrief(t *testing.T) {
	var out bytes.Buffer
	p := Printer{Out: &out, Err: &out, Format: "text", Brief: true}
	progress := NewProgress(p, Work{})
	progress.Step("a.service", "trial 1, hardened, 0.1s: secret")
	said := []verdict.Evidence{{Kind: "log", Text: "secret"}}
	progress.Result(verdict.Verdict{
		Unit: "a.service", Result: verdict.Proven, Profile: "p", Trials: 2, Reason: "secret", Advisories: said,
		Demotions: []verdict.Demotion{{Directive: "PrivateTmp", Reason: "secret", Evidence: said}},
		LeftOut:   []verdict.LeftOut{{Directive: "ProtectProc", Reason: "secret"}},
	})
	p.Applied(Applied{Unit: "b.service", Outcome: "reverted", Reason: "secret", Log: []string{"secret"}})
	want := "a.service: proven, exposure 0.0 -> 0.0, 0 directives, 1 demotion (profile p, 2 trials, 0.0 s)\n" +
		"  why: temper show a.service\nb.service: reverted (temper show b.service)\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
