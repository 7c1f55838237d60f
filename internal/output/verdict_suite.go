package output

import (
	"fmt"
	"strings"

	"temper/internal/junit"
	"temper/internal/plain"
	"temper/internal/verdict"
)

// Verdicts prints verdicts in the format of the printer. As text it prints nothing, since each verdict was printed when
// its proof ended.
func (p Printer) Verdicts(verdicts []verdict.Verdict) error {
	switch p.Format {
	case "json":
		if verdicts == nil {
			verdicts = []verdict.Verdict{}
		}
		return p.JSON(verdicts)
	case "junit":
		return p.junit(verdicts)
	case "tap":
		return p.tap(verdicts)
	}
	return nil
}

// result is one test of a test report: whether a unit works hardened, or that one directive was demoted.
type result struct {
	name    string
	ok      bool
	skipped bool // it did not run
	message string
	details string
}

// results are the tests that a CI system shows for a verdict: the proof itself, each check, and one failed test for
// every demotion.
func results(v verdict.Verdict) []result {
	list := []result{{name: "works hardened", ok: v.Result == verdict.Proven, message: v.Result, details: v.Reason}}
	if v.Use != nil {
		for _, c := range v.Use.Checks {
			list = append(list, result{
				name: "check " + c.Name, ok: c.Result == verdict.Passed, message: c.Result + after(": ", c.Reason),
				skipped: c.Result != verdict.Passed, // one that fails and counts makes the proof fail
			})
		}
	}
	for _, d := range v.Demotions {
		var details strings.Builder
		for _, e := range d.Evidence {
			fmt.Fprintf(&details, "%s: %s\n", e.Kind, e.Text)
		}
		list = append(list, result{
			name:    d.Directive + "=" + Short(d.From),
			message: fmt.Sprintf("demoted to %s: %s", Short(d.To), d.Reason),
			details: details.String(),
		})
	}
	for _, l := range v.Loose {
		list = append(list, result{
			name:    l.Directive + "= is no looser than necessary",
			message: fmt.Sprintf("%s: never needed: %s", l.Pos, strings.Join(l.Names, ", ")),
			details: "right would be: " + l.Right,
		})
	}
	return list
}

// junit prints one test suite for each unit.
func (p Printer) junit(verdicts []verdict.Verdict) error {
	var suites []junit.Suite
	for _, v := range verdicts {
		suite := junit.Suite{Name: v.Unit, Seconds: v.Seconds}
		for _, r := range results(v) {
			c := junit.Case{Class: v.Unit, Name: r.name}
			switch {
			case r.skipped:
				c.Skipped = &junit.Text{Message: r.message}
			case !r.ok:
				c.Failure = &junit.Text{Message: r.message, Details: r.details}
			}
			suite.Cases = append(suite.Cases, c)
		}
		suites = append(suites, suite)
	}
	return junit.Write(p.Out, suites)
}

// tap prints the Test Anything Protocol, version 13.
func (p Printer) tap(verdicts []verdict.Verdict) error {
	var lines []string
	for _, v := range verdicts {
		for _, r := range results(v) {
			word := "ok"
			if !r.ok && !r.skipped {
				word = "not ok"
			}
			name := strings.ReplaceAll(plain.Line(v.Unit+": "+r.name), "#", `\#`)
			if r.skipped {
				name += " # SKIP " + plain.Line(r.message)
			}
			lines = append(lines, fmt.Sprintf("%s %d - %s", word, len(lines)+1, name))
			if !r.ok && !r.skipped {
				lines[len(lines)-1] += "\n" + comment(r.message+"\n"+r.details)
			}
		}
	}
	_, err := fmt.Fprintf(p.Out, "TAP version 13\n1..%d\n%s\n", len(lines), strings.Join(lines, "\n"))
	return err
}

func comment(text string) string {
	lines := string(plain.Lines(strings.TrimRight(text, "\n")))
	return "# " + strings.ReplaceAll(lines, "\n", "\n# ")
}
