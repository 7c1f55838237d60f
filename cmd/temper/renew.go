package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"temper/guard"
	"temper/harness/batch"
	"temper/harness/place"
	"temper/internal/systemd"
	"temper/renew"
)

// renew is what temper-prove.service runs. It differs from prove since nobody is there to read its output: it waits for
// package managers, and it is no error that nothing is stale.
func (a *app) renew() *cobra.Command {
	return &cobra.Command{
		Use:   "renew [UNIT...]",
		Short: "Prove again what has become stale",
		Long: `renew waits until no package manager is at work and proves again, in containers, each unit whose verdict
has become stale, and each that a profile names and that has no verdict. Running services are not touched: what was
found takes effect at their next start; with restart = "demoted" in temper.toml one that needs what it is forbidden is
restarted.
Then it lays ready what the generator would decide now, so that the next boots only look whether something has changed
and copy it.

With units it proves these, stale or not, and keeps what was known of them unless they are proven: that is what
temper-renew@UNIT.service runs for a unit that does not start.

Exit status: as of temper prove; 0 where nothing is stale. With units 0 all are proven, 1 one is not, 3 this machine
cannot run a container.`,
		Example: "  sudo systemctl start temper-prove.service",
		RunE:    func(c *cobra.Command, units []string) error { return a.runRenew(c.Context(), units) },
	}
}

func (a *app) runRenew(ctx context.Context, units []string) error {
	if !a.host().IsHost() {
		return usageError{errors.New("renew is about this machine, not about another root")}
	}
	f := proveFlags{where: batch.Container, reload: true, jobs: 1}
	if len(units) == 0 {
		return renew.Run(ctx, thisMachine{a, f}, a.out, a.err)
	}
	f.reload, f.onlyProven = false, true // whoever names units reloads systemd afterwards
	err := a.runProve(ctx, f, units)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, place.ErrUnavailable):
		return err // exit status guard.ExitNoPlace
	}
	a.code(err) // prints the error
	return exitError(guard.ExitUndecided)
}

// thisMachine proves units in containers, and restarts them.
type thisMachine struct {
	app   *app
	flags proveFlags
}

// Prove proves units, stores what was found and makes the manager read it.
func (m thisMachine) Prove(ctx context.Context, units []string) error {
	return m.app.runProve(ctx, m.flags, units)
}

// Restart starts a unit again if it runs.
func (m thisMachine) Restart(ctx context.Context, unit string) (bool, error) {
	manager, err := systemd.ConnectSystemBus(ctx)
	if err != nil {
		return false, err
	}
	defer manager.Close()
	s, err := manager.Service(ctx, unit)
	if err != nil || s.Active != "active" {
		return false, err
	}
	result, err := manager.RestartUnit(ctx, unit)
	if err == nil && result != systemd.Done {
		err = fmt.Errorf("its job ended with %q", result)
	}
	return err == nil, err
}
