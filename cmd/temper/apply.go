package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"temper/apply"
	"temper/generator"
	"temper/harness/place"
	"temper/internal/explain"
	"temper/internal/hint"
	"temper/internal/inforce"
	"temper/internal/output"
)

func (a *app) apply() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "apply [UNIT...]",
		Short: "Restart services hardened now, and go back where one fails",
		Long: `apply makes systemd read what was decided, restarts the units given, one after the other, waits for the
settle time of their profiles, and runs those checks that a profile calls harmless to a running service (live = true).
Where a service does not come up, or a check fails that passed before, it runs as before within seconds, its verdict is
broken, or what it had before stays, and apply stops there.

Without units it lists the services that need a restart, and asks.

A service that does not run is not started: its hardening takes effect when it is. A service that cannot be started
because of its own files, as after a mistake in its configuration, cannot be brought back by going back.

Exit status: 0 everything runs as decided, 1 a service failed and runs as before, or cannot be started, 2 wrong usage,
3 could not run, or nothing is decided for a unit.`,
		Example: "  sudo temper apply nginx\n  sudo temper apply --yes",
		RunE:    func(c *cobra.Command, units []string) error { return a.runApply(c.Context(), yes, units) },
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (a *app) runApply(ctx context.Context, yes bool, units []string) error {
	if !a.host().IsHost() {
		return usageError{errors.New("apply is about this machine, not about another root")}
	}
	g, problems, err := a.generator()
	if err != nil {
		return err
	}
	if err := g.Store.Readable(); err != nil {
		return hint.With(err, strings.TrimSpace("sudo temper apply "+strings.Join(units, " ")))
	}
	a.warnAll(problems)
	named, err := explain.FindUnits(g.Units, units, "sudo temper apply")
	if err != nil {
		return err
	}
	here, err := place.Host(ctx)
	if err != nil {
		return err
	}
	defer here.Close()
	m, err := a.runningMachine(here)
	if err != nil {
		return err
	}
	var todo []string
	for _, u := range named {
		todo = append(todo, u.ID)
	}
	if len(units) == 0 {
		if todo, err = a.toRestart(ctx, g, m, yes); err != nil {
			return err
		}
	}
	defer a.noteGoodRuns(context.WithoutCancel(ctx))
	return a.applyAll(ctx, here, m, todo)
}

// toRestart lists the services that need a restart, and asks whether they should be restarted.
func (a *app) toRestart(ctx context.Context, g *generator.Generator, m inforce.Machine, yes bool) ([]string, error) {
	services, problems := inforce.List(ctx, g, m)
	a.warnAll(problems)
	services = slices.DeleteFunc(services, func(s inforce.Service) bool { return s.State != inforce.RestartNeeded })
	var names []string
	for _, s := range services {
		names = append(names, s.Unit)
	}
	if len(names) == 0 || yes {
		return names, nil
	}
	if err := a.printer().Restarts(services); err != nil {
		return nil, err
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil, usageError{hint.With(errors.New("nobody can be asked here"), "sudo temper apply --yes")}
	}
	fmt.Fprint(a.err, "Restart them, one after the other? [y/N] ")
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n') // an end of input is no
	if word := strings.ToLower(strings.TrimSpace(answer)); word != "y" && word != "yes" {
		return nil, exitError(exitOK)
	}
	return names, nil
}

// applyAll makes what is decided take effect, unit by unit, and stops at the first that fails.
func (a *app) applyAll(ctx context.Context, here *place.Place, m inforce.Machine, units []string) error {
	results := []apply.Result{}
	var stop error
	for i, name := range units {
		if len(units) > 1 {
			a.printer().Talk("unit %d of %d: %s", i+1, len(units), name)
		}
		r, err := a.applyOne(ctx, here, m, name)
		if err != nil {
			stop = fmt.Errorf("%s: %w", name, err)
			if errors.Is(err, apply.ErrNothing) {
				stop = hint.With(stop, "sudo temper prove "+name)
			}
			break
		}
		results = append(results, r)
		a.printer().Applied(output.Applied{
			Unit: r.Unit, Outcome: r.Outcome, Reason: r.Reason, Good: r.Good(), Passed: r.Checks, Aside: r.Aside,
			Log: r.Log, Seconds: r.Seconds,
		})
		if !r.Good() {
			if left := units[i+1:]; len(left) > 0 {
				a.warn(fmt.Errorf("not tried: %s", strings.Join(left, ", ")))
			}
			stop = exitError(exitFindings)
			break
		}
		if ctx.Err() != nil {
			stop = errors.New("interrupted; what was begun is finished")
			break
		}
	}
	if a.format == "json" {
		return errors.Join(a.printer().JSON(results), stop)
	}
	if len(units) == 0 {
		fmt.Fprintln(a.out, "nothing needs a restart")
	}
	return stop
}

// applyOne reads anew what is decided about a unit and how it stands, since the units before may have changed that.
func (a *app) applyOne(ctx context.Context, here *place.Place, m inforce.Machine, name string) (apply.Result, error) {
	g, _, err := a.generator()
	if err != nil {
		return apply.Result{}, err
	}
	u, err := g.Units.Load(name)
	if err != nil {
		return apply.Result{}, err
	}
	d, err := g.Decide(u)
	if err != nil {
		return apply.Result{}, err
	}
	s, err := inforce.One(ctx, g, d, m)
	if err != nil {
		return apply.Result{}, err
	}
	return apply.Unit(ctx, here, g, d, s)
}
