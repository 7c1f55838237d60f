// Command temper hardens systemd services and proves first that they still work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/output"
	"temper/profiles"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM, unix.SIGHUP)
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	cancel()
	os.Exit(code)
}

// Exit codes, the same in every verb.
const (
	exitOK       = 0
	exitFindings = 1 // findings, bad input files, or a verdict that was refused by a flag
	exitUsage    = 2 // the command line is wrong
	exitFailed   = 3 // could not run, or nothing could be decided
)

// exitError ends a command with an exit code and prints nothing: the command has already said what is wrong.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// app has what all verbs share.
type app struct {
	out, err io.Writer
	root     string
	format   string
}

func (a *app) host() host.Root { return host.At(a.root) }

// printer prints results in the format that was asked for. The journal gets no line of a log of a trial: groups and
// other machines read it.
func (a *app) printer() output.Printer {
	inJournal, _ := journal.StdoutIsJournalStream()
	return output.Printer{Out: a.out, Err: a.err, Format: a.format, Brief: inJournal}
}

// warn prints a problem that does not stop the command; each of them, if they are joined.
func (a *app) warn(err error) {
	for _, one := range each(err) {
		a.printer().Warn(one)
	}
}

// each returns the errors that are joined in one, each of which is a line.
func each(err error) (list []error) {
	for inner := err; inner != nil && inner.Error() == err.Error(); inner = errors.Unwrap(inner) {
		joined, several := inner.(interface{ Unwrap() []error })
		if !several || errors.Join(joined.Unwrap()...).Error() != err.Error() {
			continue
		}
		for _, one := range joined.Unwrap() {
			list = append(list, each(one)...)
		}
		return list
	}
	return []error{err}
}

// warnWithHint prints a problem and what to do about it.
func (a *app) warnWithHint(err error) {
	a.warn(err)
	if advice := hint.Of(err); advice != "" {
		a.printer().Talk("temper: hint: %s", advice)
	}
}

// warnAll prints problems and reports whether there were any.
func (a *app) warnAll(problems []error) bool {
	for _, p := range problems {
		a.warn(p)
	}
	return len(problems) > 0
}

// loadProfiles reads the profiles of a root and, after them, those that are built into temper, so that a machine or an
// image without profiles can be proven too. The settings of the root can give one to services that have none.
func loadProfiles(root host.Root) (*profiles.Set, []error) {
	set, problems := profiles.Load(root, append(slices.Clone(profiles.SearchPath), profiles.Builtin))
	settings, _ := generator.LoadSettings(root) // the generator and temper check report errors in them
	return settings.Profiles(set), problems
}

// generator reads what the generator reads at a boot of the root.
func (a *app) generator() (*generator.Generator, []error, error) {
	return generator.OfMachine(a.host())
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
	for _, one := range each(err) {
		a.printer().Talk("temper: error: %v", one)
	}
	if advice := hint.Of(err); advice != "" {
		a.printer().Talk("temper: hint: %s", advice)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// release is the version of the package that temper was built for; the build sets it with -ldflags "-X
// main.release=...".
var release string

// version is the version of the package or, without one, the module's version that the Go linker recorded.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
