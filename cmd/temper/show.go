package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"temper/internal/explain"
	"temper/internal/hint"
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
				return usageError{
					errors.New("--state is for --trials and --reproduce: the drop-in is that of the machine"),
				}
			}
			return a.runShow(units)
		},
	}
	c.Flags().BoolVar(&trials, "trials", false, "print the log of every trial of the last proof")
	c.Flags().StringVar(&reproduce, "reproduce", "",
		"print the commands that show by hand what a demoted `DIRECTIVE` breaks")
	c.Flags().StringVar(&state, "state", "",
		"with --trials or --reproduce: verdicts are in `DIR`, where prove --state has put them")
	return c
}

func (a *app) runShow(units []string) error {
	g, problems, err := a.generator()
	if err != nil {
		return err
	}
	if err := g.Store.Readable(); err != nil {
		return hint.With(err, "sudo temper show "+strings.Join(units, " "))
	}
	decisions, more := a.decide(g, units)
	bad := a.warnAll(problems)
	if len(more) > 0 && len(decisions) == 0 {
		return errors.Join(more...)
	}
	bad = a.warnAll(more) || bad
	verdicts := []verdict.Verdict{}
	for _, d := range decisions {
		v, err := explain.Verdict(g, d)
		if err != nil {
			return err
		}
		verdicts = append(verdicts, v)
		if a.format == "text" {
			if err := a.printer().Decision(d, v); err != nil {
				return err
			}
		}
	}
	if a.format == "json" {
		if err := a.printer().JSON(verdicts); err != nil {
			return err
		}
	}
	if bad {
		return exitError(exitFindings)
	}
	return nil
}

// showTrials prints the log of every trial of the last proof of each unit.
func (a *app) showTrials(store verdict.Store, units []string) error {
	all := map[string][]verdict.Trial{}
	for _, name := range units {
		name = serviceName(name)
		trials, err := store.Trials(name)
		if errors.Is(err, fs.ErrNotExist) {
			return hint.With(fmt.Errorf("no trials of %s are kept", name), "sudo temper prove "+name)
		}
		if err != nil {
			return err
		}
		all[name] = trials
		if a.format == "text" {
			a.printer().Trials(name, trials)
		}
	}
	if a.format == "json" {
		return a.printer().JSON(all)
	}
	return nil
}

// reproduce prints commands that apply a demoted directive again by hand.
func (a *app) reproduce(store verdict.Store, units []string, demoted string) error {
	for _, name := range units {
		r, err := explain.Reproduce(a.host(), store, serviceName(name), demoted)
		if err != nil {
			return err
		}
		a.printer().Reproduction(r)
	}
	return nil
}
