package main

import (
	"encoding/xml"
	"fmt"
	"strings"

	"temper/internal/verdict"
)

// printVerdicts prints what was found out in the format asked for; as text each verdict was printed when it came.
func (a *app) printVerdicts(verdicts []verdict.Verdict) error {
	switch a.format {
	case "json":
		if verdicts == nil {
			verdicts = []verdict.Verdict{}
		}
		return a.printJSON(verdicts)
	case "junit":
		return a.printJUnit(verdicts)
	case "tap":
		return a.printTAP(verdicts)
	}
	return nil
}

// result is one line of a test report: that a unit works hardened, or that one directive had to be given up.
type result struct {
	name    string
	ok      bool
	message string
	details string
}

// results are what a CI system shows of a verdict: the proof itself, and every demotion as what it is, a restriction that
// the service does not survive.
func results(v verdict.Verdict) []result {
	list := []result{{name: "works hardened", ok: v.Result == verdict.Proven, message: v.Result, details: v.Reason}}
	for _, d := range v.Demotions {
		var details strings.Builder
		for _, e := range d.Evidence {
			fmt.Fprintf(&details, "%s: %s\n", e.Kind, e.Text)
		}
		list = append(list, result{
			name:    d.Directive + "=" + short(d.From),
			message: fmt.Sprintf("demoted to %s: %s", short(d.To), d.Reason),
			details: details.String(),
		})
	}
	return list
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Time     float64     `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// printJUnit prints one test suite for each unit.
func (a *app) printJUnit(verdicts []verdict.Verdict) error {
	var all struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []junitSuite
	}
	for _, v := range verdicts {
		suite := junitSuite{Name: v.Unit, Time: v.Seconds}
		for _, r := range results(v) {
			c := junitCase{Class: v.Unit, Name: r.name}
			if !r.ok {
				c.Failure = &junitFailure{r.message, r.details}
				suite.Failures++
			}
			suite.Cases = append(suite.Cases, c)
		}
		suite.Tests = len(suite.Cases)
		all.Suites = append(all.Suites, suite)
	}
	fmt.Fprint(a.out, xml.Header)
	e := xml.NewEncoder(a.out)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.out)
	return err
}

// printTAP prints the Test Anything Protocol, version 13.
func (a *app) printTAP(verdicts []verdict.Verdict) error {
	var lines []string
	for _, v := range verdicts {
		for _, r := range results(v) {
			word := "ok"
			if !r.ok {
				word = "not ok"
			}
			lines = append(lines, fmt.Sprintf("%s %d - %s: %s", word, len(lines)+1, v.Unit, strings.ReplaceAll(r.name, "#", `\#`)))
			if !r.ok {
				lines[len(lines)-1] += "\n" + comment(r.message+"\n"+r.details)
			}
		}
	}
	_, err := fmt.Fprintf(a.out, "TAP version 13\n1..%d\n%s\n", len(lines), strings.Join(lines, "\n"))
	return err
}

func comment(text string) string {
	return "# " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n# ")
}
