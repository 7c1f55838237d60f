package main

import (
	"context"
	"errors"
	"fmt"

	"temper/internal/explain"

	"github.com/spf13/cobra"

	"temper/guard"
	"temper/internal/systemd"
)

func (a *app) guard() *cobra.Command {
	var undo bool
	c := &cobra.Command{
		Use:   "guard [UNIT...]",
		Short: "Find out whether hardening keeps a unit from starting; mend that",
		Long: `guard is what temper-guard@UNIT.service runs when a hardened unit has failed. What the service says or
does decides nothing: a service must not get rid of its sandbox by failing. Two things do. Where systemd says that it
could not set the sandbox up before any program ran, which it knows since version 256, the unit gets its vendor's
settings back at once. Otherwise temper-renew@UNIT.service proves the unit again in a container: what that finds is
applied and the unit is started, or the hardening is not at fault and stays. Where no container can be had, the unit
itself is started twice hardened, and if it fails each time, with its vendor's settings: if it does start so, it keeps
them.

A unit that runs is not touched, and its hardening stays where it has ever run well with it: for the settle time of its
profile, one second if the profile does not say, as in a proof. A service that takes longer to find out that it cannot
run needs a longer settle time, which the proof then waits for, too.

Where a unit has its vendor's settings back, its verdict is broken, and stays so until a proof finds another one.

Without units it notes which hardened units have started well, and looks at those that are being started again and
again, of which systemd before version 254 tells nobody; temper-guard.service runs that after each boot.

Exit status: 0 the hardening stays, 1 it has changed, 2 wrong usage, 3 could not run.`,
		Example: "  sudo temper guard nginx.service\n  journalctl -u temper-guard@nginx",
		RunE:    func(c *cobra.Command, units []string) error { return a.runGuard(c.Context(), undo, units) },
	}
	c.Flags().BoolVar(&undo, "undo", false, "only take back what a guard left that was killed while it tried a unit")
	return c
}

func (a *app) runGuard(ctx context.Context, undo bool, units []string) error {
	if !a.host().IsHost() {
		return usageError{errors.New("guard is about this machine, not about another root")}
	}
	manager, err := systemd.ConnectSystemBus(ctx)
	if err != nil {
		return err
	}
	defer manager.Close()
	g := guard.New(manager, reloader{}, guard.ServiceProver{Manager: manager}, a.out, a.err)
	var problems []error
	if len(units) == 0 {
		units, err = g.NoteGoodRuns(ctx)
		problems = append(problems, err)
	}
	changed := false
	for _, name := range units {
		var soft bool
		if name = explain.ServiceName(name); undo {
			err = g.Undo(ctx, name)
		} else {
			soft, err = g.HandleFailure(ctx, name)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
		changed = changed || soft
	}
	if err := errors.Join(problems...); err != nil || !changed {
		return err
	}
	return exitError(exitFindings)
}

// noteGoodRuns makes the guard record which hardened units run well, while their verdicts still say with which drop-in
// they run. If a run was not recorded, the guard reads the journal when the unit fails.
func (a *app) noteGoodRuns(ctx context.Context) {
	if !systemd.Booted() {
		return
	}
	if manager, err := systemd.ConnectSystemBus(ctx); err == nil {
		defer manager.Close()
		_, _ = guard.New(manager, reloader{}, guard.ServiceProver{Manager: manager}, a.out, a.err).NoteGoodRuns(ctx)
	}
}

// reloader reloads the manager of this machine when no trial runs on it.
type reloader struct{}

func (reloader) Reload(ctx context.Context) error { return reload(ctx) }
