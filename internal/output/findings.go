package output

import (
	"fmt"
	"slices"

	"temper/internal/junit"
	"temper/internal/sarif"
	"temper/profiles"
)

// Findings prints what is wrong with profiles and settings. version is the version of temper.
func (p Printer) Findings(findings []profiles.Finding, version string) error {
	switch p.Format {
	case "json":
		return p.JSON(findings)
	case "junit":
		return junit.Write(p.Out, []junit.Suite{findingsSuite(findings)})
	case "sarif":
		return p.sarif(findings, version)
	}
	for _, f := range findings {
		p.line(0, "%s [%s]", f.Error(), f.ID)
	}
	return nil
}

// findingsSuite has a failed test for each finding, and a test that passed if there is none.
func findingsSuite(findings []profiles.Finding) junit.Suite {
	suite := junit.Suite{Name: "temper check"}
	for _, f := range findings {
		suite.Cases = append(suite.Cases, junit.Case{
			Class: f.Path, Name: fmt.Sprintf("%s, line %d", f.ID, max(f.Line, 1)),
			Failure: &junit.Text{Message: f.Message, Details: f.Error()},
		})
	}
	if len(findings) == 0 {
		suite.Cases = []junit.Case{{Class: "temper check", Name: "nothing is wrong or unwise"}}
	}
	return suite
}

func (p Printer) sarif(findings []profiles.Finding, version string) error {
	var rules []sarif.Rule
	var results []sarif.Result
	for _, f := range findings {
		if !slices.ContainsFunc(rules, func(r sarif.Rule) bool { return r.ID == f.ID }) {
			rules = append(rules, sarif.Rule{ID: f.ID, Short: f.ID})
		}
		text := f.Message
		if f.Fix != "" {
			text += ": " + f.Fix
		}
		results = append(results, sarif.Result{
			Rule: f.ID, Level: sarif.Error, Text: text, Path: f.Path, Line: f.Line,
		})
	}
	return sarif.Write(p.Out, version, rules, results)
}
