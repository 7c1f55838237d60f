package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"temper/analyzer/exposure"
	"temper/analyzer/policy"
	"temper/analyzer/report"
	"temper/internal/host"
	"temper/internal/offline"
)

func (a *app) analyze() *cobra.Command {
	n := &analysis{app: a}
	c := &cobra.Command{
		Use:   "analyze [UNIT|FILE...]",
		Short: "Score exposure as systemd-analyze security does, and say what to do next",
		Long: `analyze prints the exposure of services, 0.0 (safe) to 10.0, as systemd-analyze security computes it, without systemd and
for any of its versions. A unit is a name or the path of a unit file; without any, all services are scored.

On a running system, units given by name are scored as the manager knows them; with --root, --offline, --systemd-version,
--profile or --diff, and for files, the unit files count, as with systemd-analyze security --offline=yes. The two can
differ: a manager knows which directives imply others.

With one unit, what would gain most is ranked. With two and --diff, or one with --profile and --diff, the rows that differ
are shown.

A threshold is given in points, 0 to 10, or in tenths, 11 to 100. A policy is a TOML file with thresholds and waivers, or one
of systemd-analyze's own JSON files.

Exit status: 0 clean, 1 where a unit is over its threshold or is not scored, 2 wrong usage, 3 could not run.`,
		Example: "  temper analyze nginx.service\n  temper analyze --root /srv/trees/trixie --sort exposure --threshold 5.0",
		RunE:    func(c *cobra.Command, units []string) error { return n.run(c.Context(), units) },
	}
	f := c.Flags()
	f.IntVar(&n.version, "systemd-version", 0, "score as systemd `N` does, 247 to 262 (default: the root's, else the newest)")
	f.StringVar(&n.arch, "arch", "", "the `ARCH` whose system calls count, such as x86_64 (default: this machine's)")
	f.StringVar(&n.instance, "instance", "", "what stands for the instance of a template")
	f.BoolVar(&n.offline, "offline", false, "read unit files though systemd runs")
	f.StringVar(&n.sort, "sort", "unit", "order the table by `unit|exposure`")
	f.IntVar(&n.next, "next", 10, "rank `N` assignments that would gain most, with one unit")
	f.StringVar(&n.profile, "profile", "", "score as if the profile `FILE` were applied")
	f.BoolVar(&n.diff, "diff", false, "compare two units, or one without and with --profile, row by row")
	f.StringVar(&n.threshold, "threshold", "", "exit with 1 where the exposure is over `N`")
	f.StringVar(&n.policyFile, "policy", "", "thresholds and waivers, or systemd's JSON policy, from `FILE`")
	return c
}

// analysis is one run of analyze.
type analysis struct {
	*app
	version, next                                        int
	arch, instance, sort, profile, threshold, policyFile string
	offline, diff                                        bool

	options exposure.Options
	policy  *policy.Policy
	now     time.Time
}

// No unit is kept: what is in use is little but the listing of the load path. The heap may grow to five times that
// before it is cleared, but not beyond what a few hundred units need, however many there are.
const (
	garbage = 400      // percent
	memory  = 24 << 20 // bytes
)

func (n *analysis) run(ctx context.Context, units []string) error {
	debug.SetGCPercent(garbage)
	debug.SetMemoryLimit(memory)
	if err := n.prepare(units); err != nil {
		return err
	}
	if n.diff {
		return n.compare(units)
	}
	src, err := n.source(ctx, units)
	if err != nil {
		return err
	}
	defer src.close()
	failed := false
	entries := func(yield func(report.Entry) bool) {
		for e := range src.entries {
			failed = n.complain(e) || failed
			if !yield(e) {
				return
			}
		}
	}
	if err := n.print(entries, units); err != nil {
		return err
	}
	if failed {
		return exitError(exitFindings)
	}
	return nil
}

// prepare checks the flags and reads what they name.
func (n *analysis) prepare(units []string) error {
	n.now = time.Now()
	if n.sort != "unit" && n.sort != "exposure" {
		return usageError{fmt.Errorf("--sort is %q, want unit or exposure", n.sort)}
	}
	if n.sort != "unit" && n.format != "text" {
		return usageError{errors.New("--sort orders the table, want --format text with it")}
	}
	if n.diff && len(units) != 2 && (len(units) != 1 || n.profile == "") {
		return usageError{errors.New("--diff compares two units, or one without and with --profile FILE")}
	}
	var err error
	n.options, err = offline.Complete(n.host(), exposure.Options{Version: n.version, Arch: n.arch})
	if err != nil {
		return err
	}
	if err := n.options.Valid(); err != nil {
		return usageError{err}
	}
	if err := n.readPolicy(); err != nil {
		return err
	}
	n.options.Policy = n.policy.Rows
	if n.threshold != "" {
		tenths, err := policy.ParseThreshold(n.threshold)
		if err != nil {
			return usageError{fmt.Errorf("--threshold: %w", err)}
		}
		n.policy.Threshold = &tenths
	}
	return nil
}

func (n *analysis) readPolicy() (err error) {
	if n.policyFile == "" {
		n.policy, err = policy.Default(n.host())
		return err
	}
	file, err := filepath.Abs(n.policyFile)
	if err != nil {
		return err
	}
	n.policy, err = policy.Load(host.At(""), file)
	return err
}

// complain says on stderr why an entry makes the run fail.
func (n *analysis) complain(e report.Entry) bool {
	switch {
	case e.Err != nil:
		n.warn(e.Err)
	case e.Judgement.Fails():
		n.warn(fmt.Errorf("%s: exposure %s is %s", e.Report.Unit, exposure.Points(e.Report.Exposure), e.Judgement.Text()))
	}
	return e.Fails()
}

func (n *analysis) print(entries iter.Seq[report.Entry], units []string) error {
	switch n.format {
	case "json":
		return report.JSON(n.out, entries)
	case "junit":
		return report.JUnit(n.out, entries)
	case "sarif":
		return report.SARIF(n.out, version(), entries)
	}
	text := report.Text{Out: n.out, Style: n.style()}
	if len(units) == 1 {
		for e := range entries {
			if e.Err == nil {
				return text.Details(e)
			}
		}
		return nil
	}
	// A line each is all that is kept of the reports.
	var lines []report.Entry
	for e := range entries {
		if e.Err == nil {
			e.Report.Rows, e.Report.Ignored = nil, nil
			lines = append(lines, e)
		}
	}
	if n.sort == "exposure" {
		slices.SortStableFunc(lines, func(x, y report.Entry) int { return y.Report.Exposure - x.Report.Exposure })
	}
	return text.Overview(lines)
}

// style is that of standard output: colours, faces and a width on a terminal only.
func (n *analysis) style() report.Style {
	f, ok := n.out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return report.Style{}
	}
	s := report.Style{Color: os.Getenv("NO_COLOR") == ""}
	if w, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.Width = w
	}
	return s
}

// isFile reports whether an argument is a path rather than the name of a unit.
func isFile(arg string) bool { return strings.Contains(arg, "/") }
