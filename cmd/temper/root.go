package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"temper/internal/hint"
	"temper/internal/host"
	"temper/profiles"
)

// Exit codes, the same in every verb.
const (
	exitOK       = 0
	exitFindings = 1 // findings, bad input files, or a verdict that was refused by a flag
	exitUsage    = 2 // the command line is wrong
	exitFailed   = 3 // could not run, or nothing could be decided
)

// exitError ends a command with a code after it has said everything itself.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// app is what the verbs share.
type app struct {
	out, err io.Writer
	root     string
	format   string
}

func (a *app) host() host.Root { return host.Root(a.root) }

// loadProfiles reads the profiles of a root and, behind them, those that temper is built with: a machine without any, or an
// image, can then be proven too.
func loadProfiles(root host.Root) (*profiles.Set, []error) {
	return profiles.Load(root, append(slices.Clone(profiles.SearchPath), profiles.Builtin))
}

// warn prints a problem that does not stop the command.
func (a *app) warn(err error) { fmt.Fprintf(a.err, "temper: %v\n", err) }

// warnAll prints problems and reports whether there were any.
func (a *app) warnAll(problems []error) bool {
	for _, p := range problems {
		a.warn(p)
	}
	return len(problems) > 0
}

// terminal reports whether talk goes to a terminal, which is where progress is shown.
func (a *app) terminal() bool {
	f, ok := a.err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns is the width of the terminal.
func (a *app) columns() int {
	if f, ok := a.err.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 80
}

// execute runs a command line and returns its exit code.
func execute(ctx context.Context, args []string, out, talk io.Writer) int {
	a := &app{out: out, err: talk}
	root := a.command()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(talk)
	return a.code(root.ExecuteContext(ctx))
}

func (a *app) code(err error) int {
	if err == nil {
		return exitOK
	}
	if code, ok := errors.AsType[exitError](err); ok {
		return int(code)
	}
	fmt.Fprintf(a.err, "temper: error: %v\n", err)
	if advice := hint.Of(err); advice != "" {
		fmt.Fprintf(a.err, "temper: hint: %s\n", advice)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "temper",
		Short: "Harden systemd services and prove first that they still work",
		Long: `temper hardens systemd services at boot, and proves first that they still work: it launches each one with the
hardening that its profile asks for, runs the profile's checks, and gives back only what the service needs.

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
		return usageError{hint.With(err, c.CommandPath()+" --help")}
	})
	root.PersistentFlags().StringVar(&a.root, "root", os.Getenv("TEMPER_ROOT"), "read another root `DIR`")
	root.PersistentFlags().StringVar(&a.format, "format", "text", "print results as `text|json`; prove also as junit or tap, analyze as junit or sarif")
	root.AddCommand(a.prove(), a.status(), a.show(), a.analyze(), a.check(), a.generate(), a.revoke(), a.manual(), a.guard(), a.renew())
	for _, c := range root.Commands() {
		checkArgs(c)
		a.completes(c)
	}
	return root
}

// formats are what a verb can print besides text and json.
var formats = map[string][]string{"prove": {"junit", "tap"}, "analyze": {"junit", "sarif"}}

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

// release is the version that a package was built as; the build sets it with -ldflags "-X main.release=...".
var release string

// version is that of the package, or else the module's version as the Go linker knows it.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
