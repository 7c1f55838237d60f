package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"temper/harness/batch"
	"temper/renew"
)

// renew is what temper-prove.service runs. It is a verb of its own because it is for the machine, not for people: it waits
// for package managers, and a machine where nothing is stale is no error.
func (a *app) renew() *cobra.Command {
	return &cobra.Command{
		Use:   "renew",
		Short: "Prove again what has become stale",
		Long: `renew waits until no package manager is at work and proves again, in containers, each unit whose verdict has become
stale; with unproven = "prove" in temper.toml also those that were never proven. Running services are not touched: what was
found takes effect at their next start. Then it lays ready what the generator would decide now, so that the next boots only
look whether something has changed and copy it.

Exit status: as of temper prove; 0 where nothing is stale.`,
		Example: "  sudo systemctl start temper-prove.service",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.runRenew(c.Context()) },
	}
}

func (a *app) runRenew(ctx context.Context) error {
	if !a.host().IsHost() {
		return usageError{errors.New("renew is about this machine, not about another root")}
	}
	return renew.Run(ctx, func(ctx context.Context, units []string) error {
		return a.runProve(ctx, proveFlags{where: batch.Container, reload: true, jobs: 1}, units)
	})
}
