package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"temper/analyzer"
	"temper/generator"
	"temper/internal/unit"
	"temper/internal/verdict"
)

func (a *app) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status [UNIT...]",
		Short: "Every unit: profile, verdict, exposure before and after",
		Long: `status lists every service unit that a profile matches, or the units given, with what temper knows about it and what
the generator does with it.

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
	decisions, more := a.decide(g, units)
	bad := a.warnAll(slices.Concat(problems, more))
	if err := a.printStatus(g, decisions); err != nil {
		return err
	}
	if bad {
		return exitError(exitFindings)
	}
	return nil
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
	rows := [][]string{{"UNIT", "PROFILE", "VERDICT", "BEFORE", "AFTER", "DEMOTIONS", "AT BOOT"}}
	for _, d := range decisions {
		v, err := view(g, d)
		if err != nil {
			a.warn(err)
		}
		verdicts = append(verdicts, v)
		rows = append(rows, []string{
			v.Unit, dash(v.Profile), dash(stateOf(v)), score(v.Exposure.Before), score(v.Exposure.After), fmt.Sprint(len(v.Demotions)), d.Why,
		})
	}
	if a.format == "json" {
		return a.printJSON(verdicts)
	}
	return a.table(rows)
}

// view is the verdict on a unit as status and show print it: the stored one, or, without one, what the profile would apply.
func view(g *generator.Generator, d generator.Decision) (verdict.Verdict, error) {
	if d.Verdict != nil {
		return *d.Verdict, nil
	}
	v := verdict.Verdict{
		Unit: d.Unit, Systemd: g.Version, Dropin: d.Text,
		Applied: []verdict.Applied{}, Demotions: []verdict.Demotion{}, LeftOut: []verdict.LeftOut{}, Advisories: []verdict.Evidence{},
	}
	if d.Profile != nil {
		v.Profile = d.Profile.Name
		v.Applied, v.LeftOut = append(v.Applied, d.Plan.Applied()...), append(v.LeftOut, d.Plan.LeftOut...)
	}
	u, err := g.Units.Load(d.Unit)
	if err != nil || u.Masked {
		return v, err
	}
	v.Exposure, err = exposures(u.Without(generator.Dropin), d.Plan.Text(), g.Version)
	return v, err
}

// exposures scores a unit without and with a drop-in.
func exposures(u *unit.Unit, dropin string, version int) (verdict.Exposure, error) {
	before, err := analyzer.Score(u, analyzer.Options{Version: version})
	if err != nil {
		return verdict.Exposure{}, err
	}
	hardened, err := u.With(generator.Dropin, dropin)
	if err != nil {
		return verdict.Exposure{}, err
	}
	after, err := analyzer.Score(hardened, analyzer.Options{Version: version})
	return verdict.Exposure{Before: float64(before.Exposure) / 10, After: float64(after.Exposure) / 10}, err
}

func stateOf(v verdict.Verdict) string {
	if v.Stale {
		return v.Result + ", stale"
	}
	return v.Result
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func score(e float64) string { return fmt.Sprintf("%.1f", e) }
