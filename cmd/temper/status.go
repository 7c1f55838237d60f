package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"temper/generator"
	"temper/harness/place"
	"temper/internal/explain"
	"temper/internal/hint"
	"temper/internal/verdict"
)

func (a *app) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status [UNIT...]",
		Short: "Every unit: profile, verdict, exposure before and after",
		Long: `status lists every service unit that a profile matches, or the units given, with what temper knows about
it and what the generator does with it.

Exit status: 0 clean, 1 where a profile, unit, verdict or setting is bad, 2 wrong usage, 3 could not run.`,
		Example: "  temper status\n  temper status nginx --format json",
		RunE:    func(_ *cobra.Command, units []string) error { return a.runStatus(units) },
	}
}

func (a *app) runStatus(units []string) error {
	g, problems, err := a.generator()
	if err != nil {
		return err
	}
	if err := g.Store.Readable(); err != nil {
		return hint.With(err, "sudo temper status")
	}
	decisions, more := a.decide(g, units)
	bad := a.warnAll(slices.Concat(problems, more))
	if err := a.printStatus(g, decisions); err != nil {
		return err
	}
	a.warnWithoutPlace()
	if bad {
		return exitError(exitFindings)
	}
	return nil
}

// warnWithoutPlace says so where this machine cannot prove anything in a container.
func (a *app) warnWithoutPlace() {
	if !a.host().IsHost() {
		return
	}
	if err := place.Available(); err != nil {
		a.warn(fmt.Errorf("%w; what was proven goes on applying", err))
	}
}

// decide decides about the units given, or about all that a profile matches.
func (a *app) decide(g *generator.Generator, units []string) (decisions []generator.Decision, problems []error) {
	if len(units) == 0 {
		return g.Decisions()
	}
	for _, name := range units {
		u, err := g.Units.Load(serviceName(name))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		d, err := g.Decide(u)
		if err != nil {
			problems = append(problems, err)
		}
		decisions = append(decisions, d)
	}
	return decisions, problems
}

func (a *app) printStatus(g *generator.Generator, decisions []generator.Decision) error {
	verdicts := []verdict.Verdict{}
	for _, d := range decisions {
		v, err := explain.Verdict(g, d)
		if err != nil {
			a.warn(err)
		}
		verdicts = append(verdicts, v)
	}
	return a.printer().Status(decisions, verdicts)
}
