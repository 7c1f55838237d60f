package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"temper/generator"
	"temper/internal/verdict"
)

func (a *app) show() *cobra.Command {
	var trials bool
	var reproduce, state string
	c := &cobra.Command{
		Use:   "show UNIT...",
		Short: "The drop-in of a unit, and why each directive is there, was demoted or left out",
		Long: `show prints the drop-in that the generator writes for a unit and explains it line by line.

Exit status: 0 clean, 1 where a profile, unit, verdict or setting is bad, 2 wrong usage, 3 could not run.`,
		Example: "  temper show nginx.service\n  temper show nginx.service --reproduce MemoryDenyWriteExecute",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, units []string) error {
			store, err := stateStore(a.host(), state)
			switch {
			case err != nil:
				return err
			case trials:
				return a.showTrials(store, units)
			case reproduce != "":
				return a.reproduce(store, units, reproduce)
			case state != "":
				return usageError{errors.New("--state is for --trials and --reproduce: the drop-in is that of the machine")}
			}
			return a.runShow(units)
		},
	}
	c.Flags().BoolVar(&trials, "trials", false, "print the log of every trial of the last proof")
	c.Flags().StringVar(&reproduce, "reproduce", "", "print the commands that show by hand what a demoted `DIRECTIVE` breaks")
	c.Flags().StringVar(&state, "state", "", "with --trials or --reproduce: verdicts are in `DIR`, where prove --state has put them")
	return c
}

func (a *app) runShow(units []string) error {
	g, problems, err := a.generator()
	if err != nil {
		return err
	}
	decisions, more := a.decide(g, units)
	bad := a.warnAll(problems)
	if len(more) > 0 && len(decisions) == 0 {
		return errors.Join(more...)
	}
	bad = a.warnAll(more) || bad
	verdicts := []verdict.Verdict{}
	for _, d := range decisions {
		v, err := view(g, d)
		if err != nil {
			return err
		}
		verdicts = append(verdicts, v)
		if a.format == "text" {
			a.explain(d, v)
		}
	}
	if a.format == "json" {
		if err := a.printJSON(verdicts); err != nil {
			return err
		}
	}
	if bad {
		return exitError(exitFindings)
	}
	return nil
}

// explain prints a decision for people.
func (a *app) explain(d generator.Decision, v verdict.Verdict) {
	fmt.Fprintf(a.out, "%s: %s\n", d.Unit, d.Why)
	if d.Profile == nil {
		return
	}
	fmt.Fprintf(a.out, "profile %s (%s), exposure %.1f -> %.1f\n", d.Profile.Name, d.Profile.Path, v.Exposure.Before, v.Exposure.After)
	if d.Text != "" {
		fmt.Fprintf(a.out, "\n%s\n", d.Text)
	}
	rows := [][]string{}
	for _, i := range d.Plan.Items {
		if !i.Directive.Restricts() {
			continue
		}
		why := i.Directive.Forbids
		if i.Note != "" {
			why += " (" + i.Note + ")"
		}
		rows = append(rows, []string{i.Directive.Name + "=", fmt.Sprintf("%s:%d", i.From, i.Pos.Line), why})
	}
	if len(rows) > 0 {
		fmt.Fprintln(a.out, "It can no longer:")
		a.table(indent(rows))
	}
	if len(v.Demotions) > 0 {
		fmt.Fprintln(a.out, "\nDemoted, because the service needs it:")
		for _, demotion := range v.Demotions {
			a.printDemotion(demotion)
		}
	}
	rows = nil
	for _, l := range v.LeftOut {
		rows = append(rows, []string{l.Directive + "=", l.Reason})
	}
	if len(rows) > 0 {
		fmt.Fprintln(a.out, "\nLeft out:")
		a.table(indent(rows))
	}
}

func indent(rows [][]string) [][]string {
	for i := range rows {
		rows[i] = slices.Clone(rows[i])
		rows[i][0] = "  " + rows[i][0]
	}
	return rows
}
