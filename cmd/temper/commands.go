package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"temper/export"
	"temper/internal/hint"
	"temper/internal/manual"
	"temper/internal/output"
	"temper/internal/unit"
)

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "temper",
		Short: "Harden systemd services and prove first that they still work",
		Long: `temper hardens systemd services at boot, and proves first that they still work: it launches each one with
the hardening that its profile asks for, runs the profile's checks, and gives back only what the service needs.

Exit status: 0 clean, 1 findings, 2 wrong usage, 3 could not run or could not decide.`,
		Example:           "  sudo temper prove nginx.service\n  temper show nginx.service",
		Version:           version(),
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return a.checkFormat(c) },
		Args:              cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{hint.With(fmt.Errorf("there is no verb %q", args[0]), suggestion(c, args[0]))}
			}
			return c.Help()
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{hint.With(inWords(err), c.CommandPath()+" --help")}
	})
	root.PersistentFlags().StringVar(&a.root, "root", os.Getenv("TEMPER_ROOT"), "read another root `DIR`")
	root.PersistentFlags().StringVar(&a.format, "format", "text",
		"print results as `text|json`; prove also as junit or tap, analyze and check as junit or sarif, "+
			"status as prometheus")
	root.AddCommand(
		a.prove(),
		a.status(),
		a.apply(),
		a.show(),
		a.analyze(),
		a.check(),
		a.generate(),
		a.draft(),
		a.observe(),
		a.revoke(),
		a.watch(),
		a.review(),
		a.export(),
		a.survey(),
		a.report(),
		a.merge(),
		a.manual(),
		a.share(),
		a.guard(),
		a.renew(),
	)
	for _, c := range root.Commands() {
		checkArgs(c)
		a.completes(c)
	}
	refuseUnknownWords(root)
	fitHelp(root)
	return root
}

// helpWidth is the width of what help prints: it fits into a terminal of 80 columns.
const helpWidth = 79

// fitHelp breaks the lines of the help of all commands so that they fit.
func fitHelp(root *cobra.Command) {
	fits := fmt.Sprintf("Flags.FlagUsagesWrapped %d", helpWidth)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "Flags.FlagUsages", fits))
	for _, c := range append([]*cobra.Command{root}, root.Commands()...) {
		c.Long = output.Refill(c.Long, helpWidth)
	}
}

// refuseUnknownWords makes it a usage error to ask for help about a verb that does not exist, or for the completions of
// an unknown shell.
func refuseUnknownWords(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Run = nil
			c.RunE = func(_ *cobra.Command, words []string) error {
				verb, rest, err := root.Find(words)
				if err != nil || len(rest) > 0 {
					word := strings.Join(words, " ")
					return usageError{hint.With(fmt.Errorf("there is no verb %q", word), suggestion(root, word))}
				}
				verb.InitDefaultHelpFlag()
				return verb.Help()
			}
		case "completion":
			var shells []string
			for _, shell := range c.Commands() {
				shells = append(shells, shell.Name())
			}
			c.Args = cobra.ArbitraryArgs
			c.RunE = func(_ *cobra.Command, words []string) error {
				want := errors.New("want the shell: " + strings.Join(shells, ", "))
				if len(words) > 0 {
					want = fmt.Errorf("there are no completions for %q, want one of %s", words[0],
						strings.Join(shells, ", "))
				}
				return usageError{hint.With(want, "temper completion --help")}
			}
		}
	}
}

// parseFailure matches how package strconv says that a value cannot be read.
var parseFailure = regexp.MustCompile(`: strconv\.Parse(\w+): parsing "[^"]*": (.*)$`)

// inWords says what a flag wants instead of how it was parsed.
func inWords(err error) error {
	m := parseFailure.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	want := "want a whole number"
	switch {
	case m[2] == "value out of range":
		want = "want a smaller number"
	case m[1] == "Bool":
		want = "want true or false"
	case m[1] == "Float":
		want = "want a number"
	}
	return errors.New(strings.TrimSuffix(err.Error(), m[0]) + ": " + want)
}

// formats are what a verb can print besides text and json.
var formats = map[string][]string{
	"prove": {"junit", "tap"}, "analyze": {"junit", "sarif"}, "check": {"junit", "sarif"},
	"status": {"prometheus", "systemd-report"},
}

func (a *app) checkFormat(c *cobra.Command) error {
	if known := append([]string{"text", "json"}, formats[c.Name()]...); !slices.Contains(known, a.format) {
		return usageError{fmt.Errorf("--format is %q, want %s", a.format, strings.Join(known, ", "))}
	}
	return nil
}

// checkArgs makes a wrong number of arguments a usage error, as a wrong flag is.
func checkArgs(c *cobra.Command) {
	args := c.Args
	c.Args = func(c *cobra.Command, given []string) error {
		if args == nil {
			return nil
		}
		if err := args(c, given); err != nil {
			return usageError{hint.With(err, c.CommandPath()+" --help")}
		}
		return nil
	}
}

func suggestion(c *cobra.Command, word string) string {
	if near := c.SuggestionsFor(word); len(near) > 0 {
		return "temper " + near[0]
	}
	return "temper --help"
}

// manual is the verb with which the build makes the manual pages.
func (a *app) manual() *cobra.Command {
	return &cobra.Command{
		Use:    "manual SOURCE OUTPUT",
		Short:  "Write the manual pages",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			pages, err := manual.Pages(c.Root(), args[0])
			if err != nil {
				return err
			}
			return manual.Write(args[1], pages)
		},
	}
}

// completes adds to a command what a shell can suggest: units of the root, profiles, and the words that flags take.
func (a *app) completes(c *cobra.Command) {
	switch {
	case strings.Contains(c.Use, "UNIT"):
		c.ValidArgsFunction = a.unitNames
	case strings.Contains(c.Use, "FILE"):
		c.ValidArgsFunction = cobra.FixedCompletions([]string{"toml"}, cobra.ShellCompDirectiveFilterFileExt)
	default:
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	for name, kind := range map[string][]string{
		"root": nil, "image": nil, "state": nil, "output": nil, "format": {"text", "json"},
		"as":    slices.Sorted(maps.Keys(export.Forms)),
		"place": {"auto", "host", "container"},
	} {
		if c.Flag(name) == nil {
			continue
		}
		complete := cobra.FixedCompletions(kind, cobra.ShellCompDirectiveNoFileComp)
		if kind == nil {
			complete = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
		}
		_ = c.RegisterFlagCompletionFunc(name, complete) // it fails if the flag has one, which stays
	}
}

// unitNames suggests the service units of the root. If they cannot be listed, nothing is suggested: a completion cannot
// print an error.
func (a *app) unitNames(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, _ := (&unit.Loader{Root: a.host()}).List(".service")
	var fit []string
	for _, n := range names {
		if strings.HasPrefix(n, typed) && !unit.IsTemplate(n) {
			fit = append(fit, n)
		}
	}
	return fit, cobra.ShellCompDirectiveNoFileComp
}
