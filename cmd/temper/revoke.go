package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"temper/internal/hint"
	"temper/internal/verdict"
)

func (a *app) revoke() *cobra.Command {
	var state string
	c := &cobra.Command{
		Use:   "revoke UNIT...",
		Short: "Forget the verdict on a unit",
		Long: `revoke forgets what this machine has proven about a unit; a verdict that came with a package stays.

Exit status: 0 forgotten, 1 there was none, 2 wrong usage, 3 could not run.`,
		Example: "  sudo temper revoke nginx.service",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, units []string) error {
			store, err := stateStore(a.host(), state)
			if err != nil {
				return err
			}
			return a.runRevoke(store, units)
		},
	}
	c.Flags().StringVar(&state, "state", "", "verdicts are in `DIR`")
	return c
}

func (a *app) runRevoke(store verdict.Store, units []string) error {
	missing := false
	for _, name := range units {
		name = serviceName(name)
		err := store.Remove(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			fmt.Fprintf(a.err, "temper: %s has no verdict of this machine\n", name)
			missing = true
		case errors.Is(err, fs.ErrPermission):
			return hint.With(fmt.Errorf("revoke %s: %w", name, err), "sudo temper revoke "+name)
		case err != nil:
			return fmt.Errorf("revoke %s: %w", name, err)
		default:
			fmt.Fprintf(
				a.err,
				"%s: verdict forgotten; it takes effect with systemctl daemon-reload and the next start\n",
				name,
			)
		}
	}
	if missing {
		return exitError(exitFindings)
	}
	return nil
}
