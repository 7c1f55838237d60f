package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"temper/internal/verdict"
)

// keep records what was found in a suite: the rows of the table and, for the suite that they are for, the verdicts that
// packages bring. What it knows of other services and suites stays.
func keep(suite string, found []service) error {
	old, err := os.ReadFile(tableFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p := readPage(string(old))
	p.merge(suite, found)
	err = renameio.WriteFile(tableFile, []byte(p.String()), 0o644)
	if suite == shipped {
		err = errors.Join(err, keepVerdicts(verdictDir, found))
	}
	return err
}

// keepVerdicts replaces the verdicts of services in a directory. What holds for one machine alone is left out of them.
func keepVerdicts(dir string, found []service) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	store := verdict.Store{Dirs: []string{dir}}
	var problems []error
	for _, s := range found {
		if s.verdict == nil || len(s.problems()) > 0 {
			if err := store.Remove(s.unit); !errors.Is(err, fs.ErrNotExist) {
				problems = append(problems, err)
			}
			continue
		}
		problems = append(problems, store.PutShared(s.verdict.Packaged()))
	}
	return errors.Join(problems...)
}

const preface = `# The library, as it was proven

Every profile of ` + "`profiles/library`" + `, on Debian 12 (bookworm, systemd 252), 13 (trixie, 257) and sid (262). ` + "`make prove-library`" + ` writes this page; do not
edit it.

Exposure is that of ` + "`systemd-analyze security`" + `, from 0.0 to 10.0, as the package ships the unit and as temper hardens it. A service that starts as root
keeps at most 3.0, any other at most 2.0; where a need forbids that, the comment in its profile says which. systemd 252
scores the same settings up to 0.3 higher. Launches and seconds are those of the proof. haveged, smbd and, on Debian 12,
postfix do what no container lets a service do: they were proven with ` + "`temper prove --trusted`" + `.
`

const absent = "not in"

const head = "| service | version | before | after | launches | seconds |\n|---|---|--:|--:|--:|--:|\n"

// page is the table: for every suite the row of each service, as it is written.
type page map[string]map[string]string

// readPage reads a page that String wrote.
func readPage(text string) page {
	p := page{}
	suite := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "## "); ok {
			suite = name
			p[suite] = map[string]string{}
		}
		cells := strings.Split(line, " | ")
		name, isRow := strings.CutPrefix(cells[0], "| ")
		if isRow && suite != "" && name != "service" {
			p[suite][name] = line
		}
	}
	return p
}

// merge takes over the rows of services of a suite; the others stay. A profile has either services or a row that says
// that the suite has none.
func (p page) merge(suite string, found []service) {
	if p[suite] == nil {
		p[suite] = map[string]string{}
	}
	for _, s := range found {
		for _, name := range s.profile.Units {
			if row := p[suite][short(name)]; s.absent() || strings.Contains(row, absent) {
				delete(p[suite], short(name))
			}
		}
		p[suite][short(s.unit)] = s.row()
	}
}

func (p page) String() string {
	var b strings.Builder
	b.WriteString(preface)
	for _, suite := range suites {
		fmt.Fprintf(&b, "\n## %s\n\n%s", suite, head)
		for _, name := range slices.SortedFunc(maps.Keys(p[suite]), cmp.Compare) {
			fmt.Fprintln(&b, p[suite][name])
		}
	}
	return b.String()
}

// row is the line of a service.
func (s service) row() string {
	name := short(s.unit)
	if s.absent() {
		return fmt.Sprintf("| %s | %s %s | | | | |", name, absent, s.suite)
	}
	if problems := s.problems(); len(problems) > 0 {
		return fmt.Sprintf("| %s | %s | not proven | | | |", name, s.version)
	}
	v := s.verdict
	return fmt.Sprintf(
		"| %s | %s | %.1f | %.1f | %d | %.0f |",
		name,
		s.version,
		v.Exposure.Before,
		v.Exposure.After,
		v.Trials,
		v.Seconds,
	)
}

func short(unit string) string { return strings.TrimSuffix(unit, ".service") }
