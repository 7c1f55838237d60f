package main

import (
	"errors"
	"fmt"
	"io/fs"

	"temper/internal/explain"

	"github.com/spf13/cobra"

	"temper/internal/hint"
	"temper/internal/unit"
	"temper/internal/verdict"
)

func (a *app) revoke() *cobra.Command {
	var state string
	c := &cobra.Command{
		Use:   "revoke UNIT...",
		Short: "Apply nothing to a unit until a person has it proven again",
		Long: `revoke takes the hardening of a unit away and remembers that a person wanted it: no verdict that came
with a package counts for the unit, no setting of temper.toml applies to it, and nothing proves it again but temper
prove with its name.

Exit status: 0 done, 2 wrong usage, 3 could not run.`,
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
	known, err := explain.FindUnits(&unit.Loader{Root: a.host()}, units, "sudo temper revoke")
	if err != nil {
		return err
	}
	for _, u := range known {
		name := u.ID
		err := store.Revoke(name)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return hint.With(fmt.Errorf("revoke %s: %w", name, err), "sudo temper revoke "+name)
		case err != nil:
			return fmt.Errorf("revoke %s: %w", name, err)
		}
		fmt.Fprintf(a.err, "%[1]s: revoked until temper prove %[1]s; it takes effect when it is started again: "+
			"sudo temper apply %[1]s\n", name)
	}
	return nil
}
