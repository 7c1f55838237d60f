package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"temper/internal/hint"
	"temper/internal/output"
	"temper/report"
	"temper/survey/results"
)

func (a *app) report() *cobra.Command {
	var as, file, state, title string
	var logs bool
	c := &cobra.Command{
		Use:   "report [DIR]",
		Short: "A page about this machine's verdicts, or about a survey",
		Long: `report makes one HTML page that needs no network: exposure before and after, what became of each directive
of each service with the evidence, and what does not run. It is about the verdicts of the machine or, with DIR, about
the results of a survey.

For programs it makes json (schema prints its JSON schema), junit, tmt (results.yaml of tmt), autopkgtest (its
summary), in-toto (a test-result statement, not signed), prometheus (for the textfile collector of node_exporter) and
markdown. With --output the file is written whole: who reads it sees the old one or the new one.

Lines that services logged, and what they answered to checks, are left out, since they can hold anything: --logs has
them too.

Exit status: 0 clean, 2 wrong usage, 3 could not run.`,
		Example: "  sudo temper report --output machine.html\n" +
			"  sudo temper report survey-results --as tmt --output results.yaml",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, dirs []string) error {
			content, err := a.content(dirs, state, as)
			if err != nil {
				return err
			}
			if !logs {
				content = content.Shared()
			}
			content.Title = cmp.Or(title, content.Title)
			var text bytes.Buffer
			if err := a.writeReport(&text, as, content); err != nil {
				return err
			}
			if file != "" {
				return renameio.WriteFile(file, text.Bytes(), 0o644)
			}
			_, err = a.out.Write(text.Bytes())
			return err
		},
	}
	c.Flags().StringVar(&as, "as", "html",
		"write it as `html|json|junit|tmt|autopkgtest|in-toto|prometheus|markdown|schema`")
	c.Flags().StringVar(&file, "output", "", "write it whole to `FILE`")
	c.Flags().StringVar(&state, "state", "", "verdicts are in `DIR`, where prove --state has put them")
	c.Flags().BoolVar(&logs, "logs", false, "have what services logged and answered in it, too")
	c.Flags().StringVar(&title, "title", "", "head the page with `TEXT`")
	return c
}

func (a *app) writeReport(w io.Writer, as string, content report.Content) error {
	if as == "junit" {
		p := output.Printer{Out: w, Err: a.err, Format: "junit"}
		return p.Verdicts(report.Verdicts(content.Units))
	}
	write, ok := report.Formats[as]
	if known := append(slices.Sorted(maps.Keys(report.Formats)), "junit"); !ok {
		return usageError{fmt.Errorf("--as is %q, want %s", as, strings.Join(known, ", "))}
	}
	return write(w, content)
}

// content reads the results of a survey or, without a directory, the verdicts of the root.
func (a *app) content(dirs []string, state, as string) (report.Content, error) {
	c := report.Content{Made: time.Now()}
	if as == "schema" {
		return c, nil
	}
	if len(dirs) > 0 {
		var err error
		c.Title = "What services survive"
		c.Packages, c.Units, err = results.Dir(dirs[0]).All()
		if err == nil && len(c.Packages)+len(c.Units) == 0 {
			err = hint.With(fmt.Errorf("%s has no results", dirs[0]), "sudo temper survey --results "+dirs[0])
		}
		switch {
		case errors.Is(err, fs.ErrPermission):
			err = hint.With(err, "sudo temper report "+dirs[0])
		case err != nil && len(c.Packages)+len(c.Units) > 0: // what is damaged hides nothing of the rest
			a.warn(fmt.Errorf("left out: %w", err))
			err = nil
		}
		return c, err
	}
	store, err := stateStore(a.host(), state)
	if err != nil {
		return c, err
	}
	units, err := store.Units()
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return c, err
	}
	if err != nil {
		return c, hint.With(err, "sudo temper report")
	}
	c.Title = "What temper proved on " + machine().Name
	for _, name := range units {
		v, err := store.Get(name)
		if err != nil { // one that is damaged hides nothing of the others
			a.warn(fmt.Errorf("left out: %w", err))
			continue
		}
		c.Units = append(c.Units, results.Unit{
			Unit: name, Outcome: v.Result, Reason: v.Reason, Verdict: v, Machine: machine(),
		})
	}
	return c, nil
}
