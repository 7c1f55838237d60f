package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strings"

	"temper/analyzer/exposure"
	"temper/internal/junit"
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

type sarifText struct {
	Text string `json:"text"`
}

type sarifRule struct {
	ID    string    `json:"id"`
	Short sarifText `json:"shortDescription"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region sarifRegion `json:"region"`
	} `json:"physicalLocation"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification"`
}

type sarifResult struct {
	Rule         string             `json:"ruleId"`
	Level        string             `json:"level"`
	Message      sarifText          `json:"message"`
	Locations    []sarifLocation    `json:"locations,omitempty"`
	Suppressions []sarifSuppression `json:"suppressions,omitempty"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

// SARIF writes a SARIF 2.1.0 log: an error for each unit that is over its threshold or cannot be scored, and a warning
// for each assignment that systemd ignores. An error is suppressed if a waiver holds. version is the version of temper.
func SARIF(w io.Writer, version string, entries iter.Seq[Entry]) error {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "temper", Version: version, Rules: []sarifRule{
		{ruleOver, sarifText{"The exposure of the unit is over its threshold"}},
		{ruleRefused, sarifText{"systemd does not load the unit"}},
		{ruleIgnored, sarifText{"systemd ignores the assignment"}},
	}}
	for e := range entries {
		run.Results = append(run.Results, e.results()...)
	}
	log := sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}
	j := json.NewEncoder(w)
	j.SetIndent("", "  ")
	j.SetEscapeHTML(false)
	return j.Encode(log)
}

func (e Entry) results() []sarifResult {
	if e.Err != nil {
		at, _ := errors.AsType[unit.Problem](e.Err)
		return []sarifResult{{
			Rule: ruleRefused, Level: "error", Message: sarifText{e.problem()},
			Locations: e.location(at.Pos),
		}}
	}
	var list []sarifResult
	if e.Judgement.Over {
		r := sarifResult{
			Rule: ruleOver, Level: "error", Message: sarifText{e.name() + ": " + e.summary()},
			Locations: e.location(e.fragment()),
		}
		if !e.Judgement.Fails() {
			r.Suppressions = []sarifSuppression{{"external", e.Judgement.Waiver.Reason}}
		}
		list = append(list, r)
	}
	for _, p := range e.Report.Ignored {
		at := unit.Position{Path: p.Path, Line: p.Line}
		list = append(list, sarifResult{
			Rule: ruleIgnored, Level: "warning", Message: sarifText{p.Message},
			Locations: e.location(at),
		})
	}
	return list
}

// location is a line of a file: line 1 if the position is the whole file. If no file is known, the name of the unit
// takes its place.
func (e Entry) location(at unit.Position) []sarifLocation {
	if at.Path == "" {
		at.Path = e.name()
	}
	if at.Path == "" {
		return nil
	}
	var l sarifLocation
	l.Physical.Artifact.URI = strings.TrimPrefix(path.Clean(at.Path), "/")
	l.Physical.Region.StartLine = max(at.Line, 1)
	return []sarifLocation{l}
}
