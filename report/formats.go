package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"temper/internal/verdict"
	"temper/survey/results"
)

// Formats write a content for people and programs, by the word that a user types.
var Formats = map[string]func(w io.Writer, c Content) error{
	"html":        WritePage,
	"json":        writeJSON,
	"tmt":         writeTMT,
	"autopkgtest": writeAutopkgtest,
	"in-toto":     writeStatement,
	"prometheus":  writePrometheus,
	"markdown":    writeMarkdown,
	"schema":      writeSchema,
}

// Verdicts are the verdicts on units, each with the outcome of its unit.
func Verdicts(units []results.Unit) []verdict.Verdict {
	list := []verdict.Verdict{}
	for _, u := range units {
		v := u.Verdict
		v.Unit, v.Result, v.Reason = u.Unit, u.Outcome, cmp.Or(u.Reason, v.Reason)
		list = append(list, v)
	}
	return list
}

// Document is the JSON of a report; the format "schema" describes it.
type Document struct {
	Schema   int               `json:"schema"`
	Title    string            `json:"title"`
	Made     time.Time         `json:"made"`
	Summary  Summary           `json:"summary"`
	Packages []results.Package `json:"packages"`
	Units    []results.Unit    `json:"units"`
}

func writeJSON(w io.Writer, c Content) error {
	return encode(w, Document{
		Schema: results.Schema, Title: c.Title, Made: c.Made.UTC().Truncate(time.Second),
		Summary:  Summarize(c.Packages, c.Units),
		Packages: append([]results.Package{}, c.Packages...), Units: append([]results.Unit{}, c.Units...),
	})
}

func encode(w io.Writer, what any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(what)
}

// passed says in one of three words how a unit has done: it works hardened with nothing demoted, with something, or
// not at all. skipped is a unit that does not run without hardening either.
func passed(u results.Unit) (word string) {
	switch {
	case u.Works() && len(u.Verdict.Demotions) == 0:
		return "pass"
	case u.Works():
		return "warn"
	case u.Outcome == verdict.BrokenBaseline || u.Outcome == verdict.Inconclusive:
		return "skip"
	}
	return "fail"
}

// writeTMT writes results.yaml as tmt reads it from a test with "result: custom". Its strings are JSON, which YAML
// includes.
func writeTMT(w io.Writer, c Content) error {
	words := map[string]string{"pass": "pass", "warn": "warn", "skip": "skip", "fail": "fail"}
	for _, u := range c.Units {
		name, note := quoted("/"+strings.TrimPrefix(u.Package+"/"+u.Unit, "/")), quoted(u.Finding())
		d := time.Duration(cmp.Or(u.Verdict.Seconds, u.Seconds) * float64(time.Second)).Round(time.Second)
		_, err := fmt.Fprintf(w, "- name: %s\n  result: %s\n  note:\n    - %s\n  duration: \"%02d:%02d:%02d\"\n",
			name, words[passed(u)], note, int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
		if err != nil {
			return err
		}
	}
	if len(c.Units) == 0 {
		_, err := io.WriteString(w, "[]\n")
		return err
	}
	return nil
}

func quoted(s string) string {
	data, err := json.Marshal(s)
	if err != nil { // cannot happen: every string has a JSON form
		return `""`
	}
	return string(data)
}

// writeAutopkgtest writes the summary as autopkgtest does: a test on each line, with a verdict and a reason.
func writeAutopkgtest(w io.Writer, c Content) error {
	words := map[string]string{"pass": "PASS", "warn": "PASS", "skip": "SKIP", "fail": "FAIL"}
	for _, u := range c.Units {
		line := fmt.Sprintf("%-20s %s", strings.TrimSuffix(u.Unit, ".service"), words[passed(u)])
		if passed(u) != "pass" {
			line += " " + oneLine(cmp.Or(u.Finding(), u.Reason))
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// A descriptor names a file and its digest, as in-toto does.
type descriptor struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

func describe(name, text string) descriptor {
	sum := sha256.Sum256([]byte(text))
	return descriptor{name, map[string]string{"sha256": hex.EncodeToString(sum[:])}}
}

// statement is an in-toto statement about tests, https://in-toto.io/attestation/test-result/v0.1.
type statement struct {
	Type          string       `json:"_type"`
	Subject       []descriptor `json:"subject"`
	PredicateType string       `json:"predicateType"`
	Predicate     predicate    `json:"predicate"`
}

type predicate struct {
	Result        string       `json:"result"` // PASSED, WARNED or FAILED
	Timestamp     string       `json:"timestamp"`
	Configuration []descriptor `json:"configuration"`
	PassedTests   []string     `json:"passedTests"`
	WarnedTests   []string     `json:"warnedTests"`
	FailedTests   []string     `json:"failedTests"`
}

// writeStatement writes a statement whose subjects are the drop-ins that were proven. It is not signed.
func writeStatement(w io.Writer, c Content) error {
	s := statement{
		Type: "https://in-toto.io/Statement/v1", PredicateType: "https://in-toto.io/attestation/test-result/v0.1",
		Subject: []descriptor{},
		Predicate: predicate{
			Result: "PASSED", Timestamp: c.Made.UTC().Format(time.RFC3339), Configuration: []descriptor{},
			PassedTests: []string{}, WarnedTests: []string{}, FailedTests: []string{},
		},
	}
	p := &s.Predicate
	for _, u := range c.Units {
		if u.Verdict.Dropin != "" {
			s.Subject = append(s.Subject, describe(u.Unit+".d/50-temper.conf", u.Verdict.Dropin))
		}
		configuration := u.Verdict.Profile + " " + u.Verdict.Fingerprint.Profile
		p.Configuration = append(p.Configuration, describe(u.Unit+": profile "+u.Verdict.Profile, configuration))
		switch passed(u) {
		case "pass":
			p.PassedTests = append(p.PassedTests, u.Unit)
		case "fail":
			p.FailedTests = append(p.FailedTests, u.Unit)
		default:
			p.WarnedTests = append(p.WarnedTests, u.Unit)
		}
	}
	switch {
	case len(p.FailedTests) > 0:
		p.Result = "FAILED"
	case len(p.WarnedTests) > 0:
		p.Result = "WARNED"
	}
	return encode(w, s)
}
