package main

import (
	"bytes"
	"fmt"
	"strings"

	"temper/survey/results"
)

// head explains the table.
const head = `# How good a draft is

Written by testdata/drafts (make drafts), on Debian 13. Seconds are those of a machine with two processors, on which two
to four services were drafted at once.

## Services that have a profile

It drafts a profile for services of the library and does not show it the one that they have. Then it runs the checks of
the library under the draft: what these do, and what the draft was not told of. A check counts as failed where it fails,
or where the draft had to be weakened for it; all do where twenty minutes are not enough to find out how.

`

// document is docs/drafts.md.
func document(all []result, others []results.Unit) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	drafted, checks, passed, whole := 0, 0, 0, 0
	for _, r := range all {
		if r.Failed != "" {
			continue
		}
		drafted++
		checks, passed = checks+len(r.Checks), passed+len(r.Checks)-len(r.Broken)
		if len(r.Broken) == 0 {
			whole++
		}
	}
	fmt.Fprintf(&b, "%d services were tried, and %d drafted: %d of %d checks passed, all checks of %d services.\n\n",
		len(all), drafted, passed, checks, whole)
	b.WriteString("| service | exposure | drafted | library | checks passed | launches | seconds |\n")
	b.WriteString("|---|---|---|---|---|---|---|\n")
	for _, r := range all {
		d := r.Draft
		if r.Failed != "" {
			fmt.Fprintf(&b, "| %s | | | %s | no result | | |\n", r.Unit, score(r.Library))
			continue
		}
		fmt.Fprintf(&b, "| %s | %.1f | %.1f | %s | %d of %d | %d | %.0f |\n", r.Unit, d.Exposure.Before, d.Exposure.After,
			score(r.Library), len(r.Checks)-len(r.Broken), len(r.Checks), d.Launches, d.Seconds)
	}
	b.WriteString(notes(all))
	if len(others) > 0 {
		writeOthers(&b, others)
	}
	return b.Bytes()
}

const othersHead = `
## Services that have none

Services of packages in testdata/drafts/packages, as they are installed: nobody wrote a check for them, so that most are
started at best. A draft has checks from what the service answers.

`

// writeOthers writes the table of the services that have no profile.
func writeOthers(b *bytes.Buffer, others []results.Unit) {
	drafted, before, after := 0, 0.0, 0.0
	for _, u := range others {
		if u.Draft != "" {
			drafted, before, after = drafted+1, before+u.Verdict.Exposure.Before, after+u.Verdict.Exposure.After
		}
	}
	n := float64(max(1, drafted))
	b.WriteString(othersHead)
	fmt.Fprintf(b, "%d services were tried, and %d drafted: mean exposure %.1f -> %.1f.\n\n", len(others), drafted,
		before/n, after/n)
	b.WriteString("| package | service | exposure | drafted | verdict | launches | seconds |\n|---|---|---|---|---|---|---|\n")
	var why strings.Builder
	for _, u := range others {
		if u.Draft == "" {
			fmt.Fprintf(b, "| %s | %s | | | %s | | |\n", u.Package, u.Unit, u.Outcome)
			text, _, _ := strings.Cut(u.Reason, "\n")
			fmt.Fprintf(&why, "- %s: %s\n", u.Unit, text)
			continue
		}
		v := u.Verdict
		fmt.Fprintf(b, "| %s | %s | %.1f | %.1f | %s | %d | %.0f |\n", u.Package, u.Unit, v.Exposure.Before,
			v.Exposure.After, u.Outcome, v.Trials, v.Seconds)
	}
	if why.Len() > 0 {
		b.WriteString("\nWhy there is none for the others:\n\n" + why.String())
	}
}

func score(exposure float64) string {
	if exposure == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", exposure)
}

// notes list what a draft broke, and why there is no result.
func notes(all []result) string {
	var b strings.Builder
	for _, r := range all {
		for _, name := range r.Broken {
			fmt.Fprintf(&b, "- %s: %s\n", r.Unit, name)
		}
		if r.Failed != "" {
			text, _, _ := strings.Cut(r.Failed, "\n")
			fmt.Fprintf(&b, "- %s: %s\n", r.Unit, strings.TrimPrefix(text, r.Unit+": "))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\nWhat is missing:\n\n" + b.String()
}
