package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"temper/fleet"
	"temper/internal/hint"
	"temper/internal/verdict"
)

func (a *app) merge() *cobra.Command {
	return &cobra.Command{
		Use:   "merge DIR...",
		Short: "What many machines demoted, and the profile lines that end it",
		Long: `merge reads the verdicts of many machines, a directory for each, named like the machine and copied from its
/etc/temper/verdicts. It lists what the field found that the profiles do not know: each demotion, and each unit that
broke or was revoked, on how many of the machines, with the line of the profile that would end it.

Exit status: 0 nothing was found, 1 something was, 2 wrong usage, 3 could not run.`,
		Example: "  temper merge fleet/*\n  temper merge fleet/* --format json",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(_ *cobra.Command, dirs []string) error { return a.runMerge(dirs) },
	}
}

func (a *app) runMerge(dirs []string) error {
	machines := map[string][]verdict.Verdict{}
	for _, dir := range dirs {
		store, err := stateStore(a.host(), dir)
		if err != nil {
			return err
		}
		units, err := store.Units()
		if err != nil {
			return err
		}
		if len(units) == 0 {
			return hint.With(fmt.Errorf("%s has no verdicts", dir), "scp -r MACHINE:/etc/temper/verdicts "+dir)
		}
		for _, name := range units {
			v, err := store.Get(name)
			if err != nil {
				return err
			}
			machines[filepath.Base(dir)] = append(machines[filepath.Base(dir)], v)
		}
	}
	found := fleet.Merge(machines)
	if a.format == "json" {
		if err := a.printer().JSON(found); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			a.finding(f)
		}
	}
	if len(found) > 0 {
		return exitError(exitFindings)
	}
	return nil
}

func (a *app) finding(f fleet.Finding) {
	what := f.Result
	if f.Directive != "" {
		what = fmt.Sprintf("%s= demoted from %s to %s", f.Directive, oneLine(f.From), oneLine(f.To))
	}
	p := a.printer()
	p.Say("%s: %s on %d of %d machines: %s", f.Unit, what, len(f.Machines), f.Of,
		strings.Join(f.Machines, ", "))
	for _, r := range f.Reasons {
		if r != "" {
			p.Say("  %s", r)
		}
	}
	if f.Line != "" {
		p.Say("  in the profile %s: %s", f.Profile, f.Line)
	}
}

func oneLine(lines string) string { return strings.ReplaceAll(lines, "\n", "; ") }
