package main

import (
	"bytes"
	"fmt"
	"strings"
)

// head explains the table.
const head = `# How good a draft is

Written by testdata/drafts (make drafts). It drafts a profile for services of the library, which have one already, on
Debian 13, and does not show it that profile. Then it runs the checks of the library under the draft: what these do, and
what the draft was not told of. A check counts as failed where it fails, or where the draft had to be weakened for it.

`

// document is docs/drafts.md.
func document(all []result) []byte {
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
	return b.Bytes()
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
	return "\n## What is missing\n\n" + b.String()
}
