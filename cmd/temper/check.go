package main

import (
	"github.com/spf13/cobra"

	"temper/profiles"
	"temper/profiles/lint"
)

func (a *app) check() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE...]",
		Short: "Lint profiles",
		Long: `check reads profiles, the files given or else all of the root, and reports what is wrong or unwise, each
with its place and what would be right.

Exit status: 0 clean, 1 findings, 2 wrong usage, 3 could not run.`,
		Example: "  temper check debian/foo.temper.toml",
		RunE:    func(_ *cobra.Command, files []string) error { return a.runCheck(files) },
	}
}

func (a *app) runCheck(files []string) error {
	set, problems := loadProfiles(a.host())
	findings := []profiles.Finding{}
	if len(files) == 0 {
		for _, p := range problems {
			findings = append(findings, profiles.Findings(p)...)
		}
		for _, p := range set.All() {
			findings = append(findings, lint.Profile(p, set)...)
		}
	}
	for _, file := range files {
		p, err := profiles.LoadFile(file, set)
		if err != nil {
			findings = append(findings, profiles.Findings(err)...)
			continue
		}
		findings = append(findings, lint.Profile(p, set)...)
	}
	if err := a.printer().Findings(findings); err != nil {
		return err
	}
	if len(findings) > 0 {
		return exitError(exitFindings)
	}
	return nil
}
