package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"temper/analyzer/exposure"
	"temper/analyzer/online"
	"temper/analyzer/policy"
	"temper/analyzer/report"
	"temper/internal/analysis"
	"temper/internal/explain"
	"temper/internal/host"
	"temper/internal/offline"
	"temper/internal/systemd"
	"temper/internal/systemdflags"
	"temper/internal/unit"
)

func (a *app) analyze() *cobra.Command {
	f := &analyzeFlags{app: a}
	c := &cobra.Command{
		Use:   "analyze [UNIT|FILE...]",
		Short: "Score exposure as systemd-analyze security does, and give advice",
		Long: `analyze prints the exposure of services, 0.0 (safe) to 10.0, as systemd-analyze security computes it,
without systemd and for any of its versions. A unit is a name or the path of a unit file; without any, there is a table
of all services.

On a running system, units given by name are scored as the manager knows them; with --root, --offline,
--systemd-version, --profile, --portable-profile or --diff, and for files, the unit files count, as with systemd-analyze
security --offline=yes. The two can differ: a manager knows which directives imply others.

With one unit, what would gain most is ranked. With two and --diff, or one with --profile and --diff, the rows that
differ are shown.

A threshold is given in points, 0 to 10, or in tenths, 11 to 100. A policy is a TOML file with thresholds and waivers,
or one of systemd-analyze's own JSON files. Without units, services that run or can be started are judged, each once: a
template is not.

Exit status: 0 clean, 1 where a unit is over its threshold or is not scored, 2 wrong usage, 3 could not run, or there is
no such unit.`,
		Example: "  temper analyze nginx.service\n  temper analyze --root /srv/trees/trixie --sort exposure " +
			"--threshold 5.0",
		RunE: func(c *cobra.Command, units []string) error { return f.run(c.Context(), c, units) },
	}
	f.define(c)
	return c
}

// analyzeFlags is the command line of analyze.
type analyzeFlags struct {
	*app
	version, next                               int
	arch, instance, sort, threshold             string
	profile, portable, policyFile, securityFile string
	offline                                     systemdflags.Boolean
	json                                        systemdflags.JSONMode
	diff, user, quiet                           bool
}

func (f *analyzeFlags) define(c *cobra.Command) {
	flags := c.Flags()
	flags.IntVar(&f.version, "systemd-version", 0,
		"score as systemd `N` does, 247 to 262 (default: the root's, else this machine's, else the newest)")
	flags.StringVar(
		&f.arch,
		"arch",
		"",
		"the `ARCH` whose system calls count, such as x86_64 (default: this machine's)",
	)
	flags.StringVar(&f.instance, "instance", "", "what stands for the instance of a template")
	flags.Var(&f.offline, "offline", "read unit files though systemd runs, those of the working directory first")
	flags.Lookup("offline").NoOptDefVal = "yes"
	flags.StringVar(&f.sort, "sort", "unit", "order the table by `unit|exposure`")
	flags.IntVar(&f.next, "next", 10, "rank `N` assignments that would gain most, with one unit")
	flags.StringVar(&f.profile, "profile", "", "score as if the profile `FILE` were applied")
	flags.StringVar(&f.portable, "portable-profile", "", "score with the profile `NAME|FILE` of portable services")
	flags.BoolVar(&f.diff, "diff", false, "compare two units, or one without and with --profile, row by row")
	flags.StringVar(&f.threshold, "threshold", "", "exit with 1 where the exposure is over `N`")
	flags.StringVar(&f.policyFile, "policy", "", "thresholds and waivers, or systemd's JSON policy, from `FILE`")
	flags.StringVar(&f.securityFile, "security-policy", "", "systemd's JSON policy, from `FILE`")
	flags.Var(&f.json, "json", "print the rows as systemd-analyze does: `short|pretty|off`")
	flags.BoolVar(&f.user, "user", false, "score units of the manager of a user")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no hints: neither what would gain most nor notes")
	c.MarkFlagsMutuallyExclusive("policy", "security-policy")
	c.MarkFlagsMutuallyExclusive("json", "diff")
	systemdflags.Define(flags)
}

// Units are not kept in memory: little but the listing of the load path stays in use. The heap may grow to five times
// that before it is collected, but not beyond what a few hundred units need.
const (
	garbage = 400      // percent
	memory  = 24 << 20 // bytes
)

func (f *analyzeFlags) run(ctx context.Context, c *cobra.Command, units []string) error {
	debug.SetGCPercent(garbage)
	debug.SetMemoryLimit(memory)
	if err := f.check(c, units); err != nil {
		return err
	}
	a, err := f.analysis(c, units)
	if err != nil {
		return err
	}
	if f.diff {
		return f.compare(a, units)
	}
	found, done, err := f.entries(ctx, a, units)
	if err != nil {
		return err
	}
	defer done()
	failed := false
	var unknown []string
	entries := func(yield func(report.Entry) bool) {
		for e := range found {
			if isUnknown(e) {
				unknown = append(unknown, e.Unit)
			} else {
				failed = f.complain(e) || failed
			}
			if !yield(e) {
				return
			}
		}
	}
	if err := f.print(entries, units); err != nil {
		return err
	}
	if len(unknown) > 0 {
		return f.unknown(a, unknown)
	}
	if failed {
		return exitError(exitFindings)
	}
	return nil
}

// isUnknown reports whether there is no unit of the name that the user has given.
func isUnknown(e report.Entry) bool {
	notThere := errors.Is(e.Err, unit.ErrNotFound) ||
		errors.Is(e.Err, online.ErrNotLoaded) && strings.HasSuffix(e.Err.Error(), "not-found")
	return notThere && e.Unit != ""
}

// unknown says which of the units that the user has named do not exist.
func (f *analyzeFlags) unknown(a *analysis.Analysis, units []string) error {
	var names []string
	var problems []error
	for _, arg := range units {
		if isFile(arg) {
			problems = append(problems, fmt.Errorf("there is no unit file %s", arg))
		} else {
			names = append(names, arg)
		}
	}
	_, err := explain.FindUnits(&unit.Loader{Root: f.host(), Path: a.Source.Path}, names, "temper analyze")
	if err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// check returns what is wrong with the flags.
func (f *analyzeFlags) check(c *cobra.Command, units []string) error {
	if err := cmp.Or(f.checkSort(units), f.checkDiff(units)); err != nil {
		return usageError{err}
	}
	switch {
	case f.json.Given() && f.format != "text":
		return usageError{
			errors.New("--json prints rows as systemd-analyze does and --format json what temper has to say: " +
				"want one of them"),
		}
	case f.version > exposure.Newest:
		return usageError{fmt.Errorf("--systemd-version is %d, the newest known is %d", f.version, exposure.Newest)}
	case f.user && !f.host().IsHost():
		return usageError{errors.New("--user is about users of this machine, not about another root")}
	case c.Flag("portable-profile").Changed && f.portable == "":
		return usageError{errors.New("--portable-profile is empty")}
	}
	if err := systemdflags.Check(c.Flags(), bool(f.offline)); err != nil {
		return usageError{err}
	}
	return nil
}

func (f *analyzeFlags) checkSort(units []string) error {
	switch {
	case f.sort == "unit":
		return nil
	case f.sort != "exposure":
		return fmt.Errorf("--sort is %q, want unit or exposure", f.sort)
	case f.format != "text":
		return errors.New("--sort orders the table, want --format text with it")
	case len(units) > 0:
		return errors.New("--sort orders the table of all services: want no units with it")
	}
	return nil
}

func (f *analyzeFlags) checkDiff(units []string) error {
	profiled := f.profile != "" || f.portable != ""
	switch {
	case !f.diff:
		return nil
	case len(units) != 2 && (len(units) != 1 || !profiled):
		return errors.New("--diff compares two units, or one without and with --profile FILE")
	case f.format != "text" && f.format != "json":
		return fmt.Errorf("--format is %q, want text or json with --diff", f.format)
	}
	return nil
}

// analysis returns the analysis that the flags ask for.
func (f *analyzeFlags) analysis(c *cobra.Command, units []string) (*analysis.Analysis, error) {
	options, err := offline.Complete(f.host(), exposure.Options{Version: f.version, Arch: f.arch, User: f.user})
	if err != nil {
		return nil, err
	}
	if err := options.Valid(); err != nil {
		return nil, usageError{err}
	}
	rules, err := f.policy(c)
	if err != nil {
		return nil, err
	}
	options.Policy = rules.Rows
	a := &analysis.Analysis{
		Source:  offline.Source{Root: f.host(), Version: options.Version, Instance: f.instance},
		Options: options,
		Policy:  rules,
		Now:     time.Now(),
		Profile: f.profile, Portable: f.portable,
		Next: f.next,
		Sums: f.format == "text" && !f.json.On() && len(units) == 0,
		Warn: f.warn,
	}
	if f.quiet || f.json.On() {
		a.Next = 0
	}
	if f.user {
		a.Source.Path = offline.UserPath()
	}
	if bool(f.offline) && f.host().IsHost() {
		a.Source.Dir, err = os.Getwd()
	}
	return a, err
}

// policy reads the policy that the flags name, or else the default one.
func (f *analyzeFlags) policy(c *cobra.Command) (*policy.Policy, error) {
	machine := host.At("")
	load, file := policy.Load, f.policyFile
	if f.securityFile != "" {
		load, file = policy.LoadRows, f.securityFile
	}
	rules := &policy.Policy{}
	abs, err := filepath.Abs(file)
	switch {
	case err != nil:
	case file == "":
		rules, err = policy.Default(machine)
	default:
		rules, err = load(machine, abs)
	}
	if err != nil {
		return nil, err
	}
	for _, skipped := range rules.Skipped {
		f.note(skipped)
	}
	if !c.Flag("threshold").Changed {
		return rules, nil
	}
	tenths, err := policy.ParseThreshold(f.threshold)
	if err != nil {
		return nil, usageError{fmt.Errorf("--threshold: %w", err)}
	}
	if n, err := strconv.Atoi(f.threshold); err == nil && n > 0 && n != tenths {
		f.note(fmt.Errorf("--threshold %d is %s points; systemd-analyze reads it as %s",
			n, exposure.Points(tenths), exposure.Points(n)))
	}
	rules.Threshold = &tenths
	return rules, nil
}

// entries scores the units of the running manager or, if it is not to be asked, unit files.
func (f *analyzeFlags) entries(ctx context.Context, a *analysis.Analysis, units []string) (
	found iter.Seq[report.Entry], done func(), err error,
) {
	if f.asksManager(units) {
		connect := systemd.ConnectSystemBus
		if f.user {
			connect = systemd.ConnectUserBus
		}
		manager, err := connect(ctx)
		if err == nil {
			return a.Running(ctx, manager, units), manager.Close, nil
		}
		f.warn(fmt.Errorf("the manager does not answer (%w): reading unit files instead", err))
	}
	found, err = a.Files(units)
	return found, func() {}, err
}

// asksManager reports whether the running manager is asked: no unit is given as a file, and no flag changes what is
// scored.
func (f *analyzeFlags) asksManager(units []string) bool {
	changed := bool(f.offline) || f.version != 0 || f.arch != "" || f.profile != "" || f.portable != ""
	if changed || !f.host().IsHost() || slices.ContainsFunc(units, isFile) {
		return false
	}
	return systemd.Booted()
}

func (f *analyzeFlags) compare(a *analysis.Analysis, units []string) error {
	e, err := a.Compare(units)
	if err != nil {
		return err
	}
	if f.format == "json" {
		return report.JSON(f.out, slices.Values([]report.Entry{e}))
	}
	return report.Text{Out: f.out, Style: f.style()}.Diff(e)
}

// note prints something that is not a problem, unless --quiet is given.
func (f *analyzeFlags) note(what error) {
	if !f.quiet {
		f.printer().Talk("temper: note: %v", what)
	}
}

// complain reports whether an entry makes the run fail, and says on stderr why.
func (f *analyzeFlags) complain(e report.Entry) bool {
	switch {
	case e.Err != nil:
		f.warn(e.Err)
	case e.Judgement.Fails():
		f.warn(
			fmt.Errorf("%s: exposure %s is %s", e.Report.Unit, exposure.Points(e.Report.Exposure), e.Judgement.Text()),
		)
	}
	return e.Fails()
}

func (f *analyzeFlags) print(entries iter.Seq[report.Entry], units []string) error {
	switch f.format {
	case "json":
		return report.JSON(f.out, entries)
	case "junit":
		return report.JUnit(f.out, entries)
	case "sarif":
		return report.SARIF(f.out, version(), entries)
	}
	text := report.Text{Out: f.out, Style: f.style()}
	switch {
	case f.json.On() && len(units) == 0:
		return report.SystemdOverview(f.out, entries, f.json == systemdflags.Pretty)
	case f.json.On():
		return report.SystemdRows(f.out, entries, f.json == systemdflags.Pretty)
	case len(units) > 0:
		return text.AllDetails(entries)
	}
	return text.Table(entries, f.sort == "exposure")
}

// style is the style for standard output: colours, faces and a width only on a terminal.
func (f *analyzeFlags) style() report.Style {
	file, ok := f.out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return report.Style{}
	}
	s := report.Style{Color: os.Getenv("NO_COLOR") == ""}
	if w, _, err := term.GetSize(int(file.Fd())); err == nil {
		s.Width = w
	}
	return s
}

// isFile reports whether an argument is a path rather than the name of a unit.
func isFile(arg string) bool { return strings.Contains(arg, "/") }
