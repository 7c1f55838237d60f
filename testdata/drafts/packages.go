package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"temper/profiles"
	"temper/survey"
	"temper/survey/debian"
	"temper/survey/results"
)

const (
	packages        = "testdata/drafts/packages"
	surveyCache     = "/var/cache/temper/survey"
	packagesResults = results.Dir(resultsDir + "/packages")
)

// tryPackages surveys the services of the packages of the list without showing them a profile.
func tryPackages(ctx context.Context, library *profiles.Set, names []string) error {
	data, err := os.ReadFile(packages)
	if err != nil {
		return err
	}
	var wanted []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		for _, name := range strings.Fields(line) {
			if isWanted(name, names) {
				wanted = append(wanted, name)
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	scratch, err := os.MkdirTemp("", "temper-drafts-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	base, err := debian.Open(ctx, surveyCache, suite, os.Stderr)
	if err != nil {
		return err
	}
	tally, err := survey.Run(ctx, survey.Debian{Base: base, Scratch: scratch, Profiles: library.Bases()}, survey.Options{
		Packages: wanted, Suite: suite, Out: packagesResults,
		Profiles: library.Bases(), Jobs: 2, Limit: 15 * time.Minute, Report: talk{},
	})
	if err == nil && tally.Faults > 0 {
		err = fmt.Errorf("the machine could not try %d packages: run this again", tally.Faults)
	}
	return err
}

// talk says what a survey does.
type talk struct{}

func (talk) Step(pkg, text string)     { fmt.Fprintf(os.Stderr, "%s: %s\n", pkg, text) }
func (talk) Package(p results.Package) { fmt.Fprintf(os.Stderr, "%s: %s\n", p.Package, p.Outcome) }
func (talk) Warn(err error)            { fmt.Fprintln(os.Stderr, err) }
func (talk) Unit(u results.Unit) {
	fmt.Fprintf(os.Stderr, "%s: %s: %s %s\n", u.Package, u.Unit, u.Finding(), u.Reason)
}
