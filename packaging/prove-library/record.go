package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"temper/internal/verdict"
)

// writeVerdicts replaces the verdicts that packages bring with those of the suite that they are for. What holds for one
// machine alone is left out of them.
func writeVerdicts(found []service) error {
	dir, err := filepath.Abs(verdictDir)
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	var problems []error
	for _, s := range found {
		if s.suite != shipped || len(s.problems()) > 0 {
			continue
		}
		v := *s.verdict
		v.Fingerprint.Systemd, v.Fingerprint.Kernel, v.Seconds = 0, "", 0
		problems = append(problems, verdict.Store{Dirs: []string{dir}}.Put(v))
	}
	return errors.Join(problems...)
}

const preface = `# The library, as it was proven

Every profile of ` + "`profiles/library`" + `, on Debian 12 (systemd 252), 13 (257) and sid (262). ` + "`make prove-library`" + ` wrote this page; do not edit it.

Exposure is that of ` + "`systemd-analyze security`" + `, from 0.0 to 10.0, as the package ships the unit and as temper hardens it. A service that starts as root
keeps at most 3.0, any other at most 2.0; where a need forbids that, the comment in its profile says which.
`

// table writes what was found as a page.
func table(found []service) string {
	var b strings.Builder
	b.WriteString(preface)
	for _, suite := range suites {
		list := slices.DeleteFunc(slices.Clone(found), func(s service) bool { return s.suite != suite })
		slices.SortFunc(list, func(x, y service) int { return cmp.Compare(x.unit, y.unit) })
		fmt.Fprintf(&b, "\n## %s\n\n| service | version | before | after | launches | seconds |\n|---|---|--:|--:|--:|--:|\n", suite)
		for _, s := range list {
			fmt.Fprintln(&b, s.row())
		}
	}
	return b.String()
}

func (s service) row() string {
	name := strings.TrimSuffix(s.unit, ".service")
	if problems := s.problems(); len(problems) > 0 {
		return fmt.Sprintf("| %s | %s | not proven | | | |", name, s.version)
	}
	v := s.verdict
	return fmt.Sprintf("| %s | %s | %.1f | %.1f | %d | %.0f |", name, s.version, v.Exposure.Before, v.Exposure.After, v.Trials, v.Seconds)
}
