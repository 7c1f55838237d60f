// Package report prints exposure: for people, and as JSON, JUnit and SARIF for machines.
//
// Start with an [Entry] for each unit. [Text.Overview] prints a table of all units, [Text.Details] one unit; [JSON],
// [JUnit] and [SARIF] write one document. The printers write the entries in the order in which they arrive.
package report

import (
	"encoding/json"
	"fmt"
	"slices"

	"temper/analyzer/exposure"
	"temper/analyzer/policy"
	"temper/internal/unit"
)

// Entry is what is known about one unit.
type Entry struct {
	Report    exposure.Report
	Err       error // why there is no report: the unit was refused, or not found
	Unit      string
	Judgement policy.Judgement
	Next      []Next // advice, the assignments that save most first
	Changes   []exposure.Difference
	Before    *exposure.Report // the report that Changes compares with; nil if there is none
}

// Next is a piece of advice, with what temper knows of it.
type Next struct {
	exposure.Advice
	Profile  string `json:"profile,omitempty"`  // the profile that sets the directive
	Sets     string `json:"sets,omitempty"`     // the value that the profile sets
	Demotion string `json:"demotion,omitempty"` // why the verdict has a weaker value
}

// Fails reports whether the entry makes a run fail: it has no report, or it is over its threshold.
func (e Entry) Fails() bool { return e.Err != nil || e.Judgement.Fails() }

// MarshalJSON writes the keys of the report, and after them what else is known about the unit: "error", "threshold",
// "over", "waiver", "next", "before" and "changes".
func (e Entry) MarshalJSON() ([]byte, error) {
	if e.Err != nil {
		return json.Marshal(map[string]string{"unit": e.Unit, "error": e.Err.Error()})
	}
	main, err := e.Report.MarshalJSON()
	if err != nil {
		return nil, err
	}
	more, err := json.Marshal(e.more())
	if err != nil {
		return nil, err
	}
	if string(more) == "{}" {
		return main, nil
	}
	// The keys of one object after those of the other.
	return slices.Concat(main[:len(main)-1], []byte(","), more[1:]), nil
}

type waiver struct {
	Reason  string `json:"reason"`
	Until   string `json:"until"`
	Expired bool   `json:"expired"`
}

type change struct {
	Name   string        `json:"name"`
	Field  string        `json:"json_field"`
	Before *exposure.Row `json:"before"`
	After  *exposure.Row `json:"after"`
}

type more struct {
	Threshold json.Number `json:"threshold,omitempty"`
	Over      *bool       `json:"over,omitempty"`
	Waiver    *waiver     `json:"waiver,omitempty"`
	Next      []Next      `json:"next,omitempty"`
	Before    json.Number `json:"before,omitempty"`
	Changes   []change    `json:"changes,omitempty"`
}

func (e Entry) more() more {
	m := more{Next: e.Next}
	if j := e.Judgement; j.Threshold != nil {
		m.Threshold, m.Over = json.Number(exposure.Points(*j.Threshold)), &j.Over
		if j.Waiver != nil {
			m.Waiver = &waiver{j.Waiver.Reason, j.Waiver.Until.Format(policy.DateFormat), j.Expired}
		}
	}
	if e.Before != nil {
		m.Before = json.Number(exposure.Points(e.Before.Exposure))
		for _, d := range e.Changes {
			c := change{
				Name: d.After.Name, Field: d.After.JSONField, Before: present(d.Before), After: present(d.After),
			}
			if c.After == nil {
				c.Name, c.Field = d.Before.Name, d.Before.JSONField
			}
			m.Changes = append(m.Changes, c)
		}
	}
	return m
}

func present(r exposure.Row) *exposure.Row {
	if r.Name == "" {
		return nil
	}
	return &r
}

// problem says why there is no report; "" if there is one.
func (e Entry) problem() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// fragment is the position of the unit file; its path is "" if it is not known.
func (e Entry) fragment() unit.Position { return unit.Position{Path: e.Report.Fragment} }

// summary is the exposure and the judgement of the policy.
func (e Entry) summary() string {
	text := fmt.Sprintf("exposure %s %s", exposure.Points(e.Report.Exposure), e.Report.Level)
	if j := e.Judgement.Text(); j != "" {
		text += ", " + j
	}
	return text
}
