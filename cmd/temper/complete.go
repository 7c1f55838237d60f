package main

import (
	"strings"

	"github.com/spf13/cobra"

	"temper/internal/unit"
)

// completes adds to a command what a shell can suggest: the units of the root, profiles, and the words that flags take.
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
		"root": nil, "image": nil, "state": nil, "output": nil, "format": {"text", "json"}, "place": {"auto", "host", "container"},
	} {
		if c.Flag(name) == nil {
			continue
		}
		complete := cobra.FixedCompletions(kind, cobra.ShellCompDirectiveNoFileComp)
		if kind == nil {
			complete = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
		}
		_ = c.RegisterFlagCompletionFunc(name, complete) // a flag that has one already keeps it
	}
}

// unitNames suggests the service units of the root. Where they cannot be listed, nothing is suggested: a completion has
// nobody to complain to.
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
