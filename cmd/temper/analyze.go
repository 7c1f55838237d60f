package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"temper/analyzer"
	"temper/internal/unit"
)

func (a *app) analyze() *cobra.Command {
	version := 0
	c := &cobra.Command{
		Use:   "analyze [UNIT|FILE...]",
		Short: "Score exposure as systemd-analyze security does, without systemd",
		Long: `analyze prints the exposure of units, 0.0 (safe) to 10.0, as systemd-analyze security --offline=yes computes it. A unit
is a name or the path of a unit file; without any, all service units are scored.

Exit status: 0 clean, 1 where a unit is bad, 2 wrong usage, 3 could not run.`,
		Example: "  temper analyze nginx.service\n  temper analyze --root /srv/trees/trixie",
		RunE:    func(_ *cobra.Command, units []string) error { return a.runAnalyze(version, units) },
	}
	c.Flags().IntVar(&version, "systemd-version", 0, "score as systemd `N` does (default: the root's, else the newest)")
	return c
}

func (a *app) runAnalyze(version int, units []string) error {
	loader := &unit.Loader{Root: a.host()}
	if version == 0 {
		var err error
		if version, err = a.host().SystemdVersion(); err != nil {
			version = analyzer.Newest
		}
	}
	loader.Version = version
	all := len(units) == 0
	if all {
		var err error
		if units, err = loader.List(".service"); err != nil {
			return err
		}
	}
	reports := []analyzer.Report{}
	bad := false
	for _, name := range units {
		r, skip, err := scoreUnit(loader, name, all, version)
		if err != nil {
			a.warn(err)
			bad = true
		} else if !skip {
			reports = append(reports, r)
		}
	}
	if err := a.printReports(reports, all); err != nil {
		return err
	}
	if bad {
		return exitError(exitFindings)
	}
	return nil
}

// scoreUnit scores one unit; of a whole root, aliases and masked units are passed over.
func scoreUnit(l *unit.Loader, name string, all bool, version int) (r analyzer.Report, skip bool, err error) {
	load := l.Load
	if strings.Contains(name, "/") {
		load = l.LoadFile
	} else {
		name = serviceName(name)
	}
	u, err := load(name)
	if err != nil {
		return r, false, err
	}
	if all && (u.Masked || u.ID != u.Name) {
		return r, true, nil
	}
	r, err = analyzer.Score(u, analyzer.Options{Version: version})
	return r, false, err
}

func (a *app) printReports(reports []analyzer.Report, all bool) error {
	if a.format == "json" {
		return a.printJSON(reports)
	}
	if all || len(reports) > 1 {
		slices.SortStableFunc(reports, func(x, y analyzer.Report) int { return strings.Compare(x.Unit, y.Unit) })
		rows := [][]string{{"UNIT", "EXPOSURE", "PREDICATE"}}
		for _, r := range reports {
			rows = append(rows, []string{r.Unit, analyzer.Points(r.Exposure), r.Level})
		}
		return a.table(rows)
	}
	for _, r := range reports {
		rows := [][]string{{"NAME", "DESCRIPTION", "EXPOSURE"}}
		for _, row := range r.Rows {
			rows = append(rows, []string{row.Name, row.Description, row.Exposure.String()})
		}
		if err := a.table(rows); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "Overall exposure of %s: %s %s\n", r.Unit, analyzer.Points(r.Exposure), r.Level)
	}
	return nil
}
