package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"temper/generator"
	"temper/internal/inforce"
	"temper/internal/unit"

	"github.com/spf13/cobra"

	"temper/internal/explain"
	"temper/internal/hint"
	"temper/internal/refusallog"
	"temper/internal/verdict"
)

func (a *app) show() *cobra.Command {
	var trials bool
	var reproduce, state string
	c := &cobra.Command{
		Use:   "show UNIT...",
		Short: "The drop-in of a unit, and why each directive is there or not",
		Long: `show prints the drop-in that the generator writes for a unit and explains it line by line. It also
lists what temper watch has seen refused to the unit in production.

Exit status: 0 clean, 1 where a profile, unit, verdict or setting is bad, 2 wrong usage, 3 could not run.`,
		Example: "  temper show nginx.service\n  temper show nginx.service --reproduce MemoryDenyWriteExecute",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, units []string) error {
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
			return a.runShow(c.Context(), units)
		},
	}
	c.Flags().BoolVar(&trials, "trials", false, "print the log of every trial of the last proof")
	c.Flags().StringVar(&reproduce, "reproduce", "",
		"print the commands that show by hand what a demoted `DIRECTIVE` breaks")
	c.Flags().StringVar(&state, "state", "",
		"with --trials or --reproduce: verdicts are in `DIR`, where prove --state has put them")
	return c
}

func (a *app) runShow(ctx context.Context, units []string) error {
	g, problems, err := a.generator()
	if err != nil {
		return err
	}
	if err := g.Store.Readable(); err != nil {
		return hint.With(err, "sudo temper show "+strings.Join(units, " "))
	}
	named, err := explain.FindUnits(g.Units, units, "temper show")
	if err != nil {
		return err
	}
	m, done := a.machine(ctx)
	defer done()
	decisions, more := decide(g, named)
	bad := a.warnAll(slices.Concat(problems, more))
	services := []inforce.Service{}
	for i, u := range named {
		s, err := inforce.One(ctx, g, decisions[i], m)
		if err != nil {
			a.warn(fmt.Errorf("%s: %w", u.ID, err))
			bad = true
		}
		services = append(services, s)
		if a.format == "text" {
			if err := a.showOne(decisions[i], s); err != nil {
				return err
			}
		}
	}
	if a.format == "json" {
		if err := a.printer().JSON(services); err != nil {
			return err
		}
	}
	if bad {
		return exitError(exitFindings)
	}
	return nil
}

// showOne prints the drop-in of a unit and what it was refused in production.
func (a *app) showOne(d generator.Decision, s inforce.Service) error {
	if err := a.printer().Decision(d, s); err != nil {
		return err
	}
	log, err := refusallog.Store{Root: a.host()}.Get(d.Unit)
	if err != nil {
		return nil // it was never watched; One has told what else is wrong
	}
	return a.printer().Refusals(log)
}

// decide decides about units.
func decide(g *generator.Generator, units []*unit.Unit) (decisions []generator.Decision, problems []error) {
	for _, u := range units {
		d, err := g.Decide(u)
		if err != nil {
			problems = append(problems, err)
		}
		decisions = append(decisions, d)
	}
	return decisions, problems
}

// showTrials prints the log of every trial of the last proof of each unit.
func (a *app) showTrials(store verdict.Store, units []string) error {
	all := map[string][]verdict.Trial{}
	for _, name := range units {
		name = explain.ServiceName(name)
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
		r, err := explain.Reproduce(a.host(), store, explain.ServiceName(name), demoted)
		if err != nil {
			return err
		}
		a.printer().Reproduction(r)
	}
	return nil
}
