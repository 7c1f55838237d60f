package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"temper/generator"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/profiles"
	"temper/profiles/lint"
)

func (a *app) check() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE...]",
		Short: "Lint profiles and settings",
		Long: `check reads profiles, the files given or else all of the root, and reports what is wrong or unwise, each
with its place and what would be right. Without files it reads the settings in temper.toml too, and reports a unit in
exclude that the root does not have.

Exit status: 0 clean, 1 findings, 2 wrong usage, 3 could not run.`,
		Example: "  temper check debian/foo.temper.toml",
		RunE:    func(_ *cobra.Command, files []string) error { return a.runCheck(files) },
	}
}

func (a *app) runCheck(files []string) error {
	set, problems := loadProfiles(a.host())
	findings := []profiles.Finding{}
	if len(files) == 0 {
		findings = append(findings, settingsFindings(a.host())...)
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
	if err := a.printer().Findings(findings, version()); err != nil {
		return err
	}
	if len(findings) > 0 {
		return exitError(exitFindings)
	}
	return nil
}

// settingsFindings returns what is wrong with the settings of a root.
func settingsFindings(root host.Root) []profiles.Finding {
	settings, err := generator.LoadSettings(root)
	findings := profiles.Findings(err)
	if err != nil {
		return findings
	}
	known, err := (&unit.Loader{Root: root}).List(".service")
	if err != nil || len(known) == 0 { // a root without units has no unit of any name
		return findings
	}
	for _, pattern := range settings.Unmatched(known) {
		f := profiles.Finding{
			ID: "no-such-unit", Path: generator.SettingsFile, Line: settings.Lines[pattern],
			Message: fmt.Sprintf("exclude has %q, and there is no such unit", pattern),
		}
		if near := hint.Nearest(pattern, known); near != "" {
			f.Fix = fmt.Sprintf("did you mean %q?", near)
		}
		findings = append(findings, f)
	}
	return findings
}
