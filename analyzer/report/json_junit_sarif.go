package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"temper/analyzer/exposure"
	"temper/internal/junit"
	"temper/internal/sarif"
	"temper/internal/unit"
)

// JSON writes one array with an object for each entry. Each entry is written when it arrives, so memory use does not
// depend on their number.
func JSON(w io.Writer, entries iter.Seq[Entry]) error {
	sep := "[\n  "
	var out bytes.Buffer
	for e := range entries {
		data, err := e.MarshalJSON()
		if err != nil {
			return err
		}
		out.Reset()
		out.WriteString(sep)
		if err := json.Indent(&out, data, "  ", "  "); err != nil {
			return err
		}
		if _, err := w.Write(out.Bytes()); err != nil {
			return err
		}
		sep = ",\n  "
	}
	if sep == "[\n  " {
		_, err := fmt.Fprintln(w, "[]")
		return err
	}
	_, err := fmt.Fprintln(w, "\n]")
	return err
}

// JUnit writes a test suite with a case for each unit. The case fails if the unit is over its threshold, is skipped if
// a waiver holds, and is an error if there is no report.
func JUnit(w io.Writer, entries iter.Seq[Entry]) error {
	suite := junit.Suite{Name: "temper analyze"}
	for e := range entries {
		c := junit.Case{Name: e.name(), Class: "exposure"}
		switch {
		case e.Err != nil:
			c.Error = &junit.Text{Message: e.problem()}
		case e.Judgement.Fails():
			c.Failure = &junit.Text{Message: e.summary(), Details: badRows(e.Report)}
		case e.Judgement.Over:
			c.Skipped = &junit.Text{Message: e.summary()}
		default:
			c.Out = e.summary()
		}
		suite.Cases = append(suite.Cases, c)
	}
	return junit.Write(w, []junit.Suite{suite})
}

func (e Entry) name() string {
	if e.Report.Unit != "" {
		return e.Report.Unit
	}
	return e.Unit
}

// worst is how many rows a failure lists.
const worst = 10

// badRows lists the rows that add most to an exposure, one in each line.
func badRows(r exposure.Report) string {
	rows := slices.SortedStableFunc(slices.Values(r.Rows), func(a, b exposure.Row) int {
		return int(b.Exposure - a.Exposure)
	})
	var b strings.Builder
	for _, row := range rows[:min(worst, len(rows))] {
		if row.Exposure > 0 {
			fmt.Fprintf(&b, "%s %s %s\n", row.Exposure, row.Name, row.Description)
		}
	}
	return b.String()
}

// IDs of the rules in SARIF. They never change.
const (
	ruleOver    = "exposure-over-threshold"
	ruleRefused = "unit-not-scored"
	ruleIgnored = "assignment-ignored"
)

// SARIF writes a SARIF 2.1.0 log: an error for each unit that is over its threshold or cannot be scored, and a warning
// for each assignment that systemd ignores. An error is suppressed if a waiver holds. version is the version of temper.
func SARIF(w io.Writer, version string, entries iter.Seq[Entry]) error {
	var results []sarif.Result
	for e := range entries {
		results = append(results, e.results()...)
	}
	return sarif.Write(w, version, []sarif.Rule{
		{ID: ruleOver, Short: "The exposure of the unit is over its threshold"},
		{ID: ruleRefused, Short: "systemd does not load the unit"},
		{ID: ruleIgnored, Short: "systemd ignores the assignment"},
	}, results)
}

func (e Entry) results() []sarif.Result {
	if e.Err != nil {
		at, _ := errors.AsType[unit.Problem](e.Err)
		return []sarif.Result{e.result(ruleRefused, sarif.Error, e.problem(), at.Pos)}
	}
	var list []sarif.Result
	if e.Judgement.Over {
		r := e.result(ruleOver, sarif.Error, e.name()+": "+e.summary(), e.fragment())
		if !e.Judgement.Fails() {
			r.Waived = e.Judgement.Waiver.Reason
		}
		list = append(list, r)
	}
	for _, p := range e.Report.Ignored {
		list = append(list, e.result(ruleIgnored, sarif.Warning, p.Message, unit.Position{Path: p.Path, Line: p.Line}))
	}
	return list
}

// result is a result about a line of a file. If no file is known, the name of the unit takes its place.
func (e Entry) result(rule, level, text string, at unit.Position) sarif.Result {
	return sarif.Result{Rule: rule, Level: level, Text: text, Path: cmp.Or(at.Path, e.name()), Line: at.Line}
}
