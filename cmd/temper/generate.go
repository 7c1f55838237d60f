package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"temper/generator"
)

func (a *app) generate() *cobra.Command {
	var dryRun bool
	var output string
	c := &cobra.Command{
		Use:   "generate",
		Short: "Show or write what the generator would write at boot",
		Long: `generate runs the same code as the systemd generator on this machine or, with --root, on another root. It
needs --dry-run, which prints each drop-in under its name, or --output, which writes them below a directory.

Exit status: 0 clean, 1 where a profile, unit, verdict or setting is bad, 2 wrong usage, 3 could not run.`,
		Example: "  temper generate --dry-run\n  temper generate --root /srv/image --output " +
			"/srv/image/run/systemd/generator",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if dryRun == (output != "") {
				return usageError{errors.New("want --dry-run or --output DIR")}
			}
			return a.runGenerate(output)
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "print the drop-ins")
	c.Flags().StringVar(&output, "output", "", "write the drop-ins below `DIR`")
	return c
}

func (a *app) runGenerate(output string) error {
	g, problems, err := a.generator()
	if err != nil {
		return err
	}
	decisions, more := g.Decisions()
	bad := a.warnAll(slices.Concat(problems, more))
	if output != "" {
		if _, err := generator.Write(output, decisions); err != nil {
			return err
		}
	} else if err := a.printer().Dropins(decisions); err != nil {
		return err
	}
	if bad {
		return exitError(exitFindings)
	}
	return nil
}
