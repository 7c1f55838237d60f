package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"temper/generator"
	"temper/internal/ready"
)

func (a *app) generate() *cobra.Command {
	var dryRun bool
	var output string
	c := &cobra.Command{
		Use:   "generate",
		Short: "Show or write what the generator would write at boot",
		Long: `generate runs the same code as the systemd generator on this machine or, with --root, on another root. It needs
--dry-run, which prints each drop-in under its name, or --output, which writes them below a directory.

Exit status: 0 clean, 1 where a profile, unit, verdict or setting is bad, 2 wrong usage, 3 could not run.`,
		Example: "  temper generate --dry-run\n  temper generate --root /srv/image --output /srv/image/run/systemd/generator",
		Args:    cobra.NoArgs,
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
	} else if err := a.printDropins(decisions); err != nil {
		return err
	}
	if bad {
		return exitError(exitFindings)
	}
	return nil
}

func (a *app) printDropins(decisions []generator.Decision) error {
	type dropin struct {
		Unit   string `json:"unit"`
		Path   string `json:"path"`
		Dropin string `json:"dropin"`
		Why    string `json:"why"`
	}
	list := []dropin{}
	for _, d := range decisions {
		list = append(list, dropin{d.Unit, d.Unit + ".d/" + generator.Dropin, d.Text, d.Why})
	}
	if a.format == "json" {
		return a.printJSON(list)
	}
	for _, d := range list {
		if d.Dropin == "" {
			fmt.Fprintf(a.err, "%s: nothing: %s\n", d.Unit, d.Why)
			continue
		}
		fmt.Fprintf(a.out, "== %s\n%s\n", d.Path, d.Dropin)
	}
	return nil
}

// generator reads what the generator would read on the root.
func (a *app) generator() (*generator.Generator, []error, error) {
	return generator.New(a.host(), ready.CommandLine(string(a.host())))
}
