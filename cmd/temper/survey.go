package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/output"
	"temper/survey"
	"temper/survey/debian"
	"temper/survey/results"
	"temper/survey/shard"
)

type surveyFlags struct {
	list, suite, out, shard, cache, scratch string
	extends                                 []string
	withServices, again, accept, tests      bool
	shards, jobs                            int
	limit                                   time.Duration
}

func (a *app) survey() *cobra.Command {
	var f surveyFlags
	c := &cobra.Command{
		Use:   "survey [PACKAGE...]",
		Short: "Prove the services of many packages of Debian in throwaway trees",
		Long: `survey installs each package into a throwaway copy of a base tree, which it makes once with mmdebstrap, and
proves each service unit that the package ships, with its profile or, where none names it, with one that is drafted for
it, which its result file has. With --extends it is tried with these bases instead. A package with one service brings
tests for autopkgtest, often: those of a running service that can run in a container are checks too, if they pass
without hardening. There is one result file for each unit, and one for each package: interrupt it, and it goes on where
it was. A package whose version and profiles are those of its kept result is passed over.

In a batch system each task has its share: --shard says which, else SLURM_ARRAY_TASK_ID and _COUNT,
JOB_COMPLETION_INDEX, CI_NODE_INDEX and _TOTAL, or BUILDKITE_PARALLEL_JOB and _COUNT. Which package belongs to which
share follows from its name alone.

survey status DIR tells how far running surveys are. survey merge DIR... --into DIR makes one directory of results of
many, and says where machines disagree.

Exit status: 0 all decided, 1 a service is worse than its kept result, or machines disagree, 2 wrong usage, 3 the
machine was at fault: the same again may succeed.`,
		Example: "  sudo temper survey chrony nginx\n  sudo temper survey --list packages.txt --results /srv/results --shard 1/4",
		RunE:    func(c *cobra.Command, names []string) error { return a.runSurvey(c.Context(), f, names) },
	}
	c.Flags().StringVar(&f.list, "list", "", "survey the packages that are named in `FILE`, one a line")
	c.Flags().BoolVar(&f.withServices, "with-services", false, "survey every package of the suite that ships a service")
	c.Flags().StringVar(&f.suite, "suite", "trixie", "the `SUITE` of Debian")
	c.Flags().StringVar(&f.out, "results", "survey-results", "keep the results in `DIR`")
	c.Flags().StringVar(&f.shard, "shard", "", "survey one share of the packages: `I/N`, I from 1")
	c.Flags().IntVar(&f.shards, "shards", 0, "there are `N` shares; the batch system says which is this one")
	c.Flags().StringSliceVar(&f.extends, "extends", nil,
		"try a service that no profile names with these `PROFILES` instead of a draft")
	c.Flags().BoolVar(&f.tests, "tests", true, "the tests that a package brings for autopkgtest are checks too")
	c.Flags().IntVar(&f.jobs, "jobs", 2, "survey `N` packages side by side")
	c.Flags().DurationVar(&f.limit, "limit", 10*time.Minute, "give up on a package after this `TIME`")
	c.Flags().BoolVar(&f.again, "again", false, "try packages again whose results are fresh")
	c.Flags().BoolVar(&f.accept, "accept", false, "let worse results take the place of better ones")
	c.Flags().StringVar(&f.cache, "cache", "/var/cache/temper/survey", "keep base trees in `DIR`")
	c.Flags().StringVar(&f.scratch, "scratch", os.TempDir(), "make throwaway trees in `DIR`; a tmpfs is fastest")
	c.AddCommand(a.surveyStatus(), a.surveyMerge())
	return c
}

func (a *app) runSurvey(ctx context.Context, f surveyFlags, names []string) error {
	part, err := f.share()
	if err != nil {
		return usageError{err}
	}
	if f.jobs < 1 || f.limit <= 0 {
		return usageError{errors.New("--jobs and --limit want more than nothing")}
	}
	set, problems := loadProfiles(a.host())
	a.warnAll(problems)
	for _, base := range f.extends {
		if _, ok := set.Get(base); !ok {
			return usageError{fmt.Errorf("--extends: there is no profile %q", base)}
		}
	}
	for _, dir := range []*string{&f.cache, &f.scratch, &f.out} { // names in a root are absolute
		if *dir, err = filepath.Abs(*dir); err != nil {
			return err
		}
	}
	if err := debian.RemoveLeftovers(f.scratch); err != nil {
		a.warn(err)
	}
	if err := place.RemoveLeftovers(ctx); err != nil { // leftovers do not disturb proofs
		a.warn(err)
	}
	base, err := debian.Open(ctx, f.cache, f.suite, a.err)
	if err != nil {
		return err
	}
	if names, err = f.packages(ctx, base, names); err != nil {
		return err
	}
	o := survey.Options{
		Packages: names, Shard: part, Suite: f.suite, Out: results.Dir(f.out), Machine: machine(), Profiles: set,
		Extends: f.extends, Tests: f.tests, Jobs: f.jobs, Limit: f.limit, Again: f.again, Accept: f.accept,
	}
	a.printer().Talk("temper: shard %s of %d packages, results in %s", part, len(names), f.out)
	work := output.Work{Units: o.Mine(), Jobs: f.jobs}
	recorder := survey.Record(o, &surveyTalk{Progress: output.NewProgress(a.printer(), work)})
	o.Report = recorder
	archive := survey.Debian{Base: base, Scratch: f.scratch, Profiles: set, Extends: f.extends, Tests: f.tests}
	tally, err := survey.Run(ctx, archive, o)
	state := recorder.State()
	err = errors.Join(err, recorder.Close())
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted; the next run goes on from here")
	}
	if err != nil {
		return err
	}
	return a.surveyEnd(tally, state)
}

// share is the part of the packages that this process surveys.
func (f surveyFlags) share() (shard.Shard, error) {
	switch {
	case f.shards < 0:
		return shard.Shard{}, fmt.Errorf("--shards is %d, want 1 or more", f.shards)
	case f.shard != "" && f.shards != 0:
		return shard.Shard{}, errors.New("--shard and --shards exclude each other")
	case f.shard != "":
		return shard.Parse(f.shard)
	}
	return shard.FromEnvironment(os.Getenv, f.shards)
}

// packages lists what is to be surveyed.
func (f surveyFlags) packages(ctx context.Context, base debian.Base, names []string) ([]string, error) {
	if f.list != "" {
		data, err := os.ReadFile(f.list)
		if err != nil {
			return nil, usageError{err}
		}
		for line := range strings.Lines(string(data)) {
			line, _, _ = strings.Cut(line, "#")
			names = append(names, strings.Fields(line)...)
		}
	}
	for _, name := range names {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" || strings.HasPrefix(name, "-") {
			return nil, usageError{fmt.Errorf("%q is no name of a package", name)}
		}
	}
	if f.withServices {
		all, err := base.WithServices(ctx, f.scratch)
		if err != nil {
			return nil, err
		}
		names = append(names, all...)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return nil, usageError{hint.With(errors.New("there is no package to survey"), "temper survey --help")}
	}
	return names, nil
}

func machine() results.Machine {
	name, _ := os.Hostname() // without one the results are of no machine
	kernel, _ := host.Root{}.KernelRelease()
	return results.Machine{Name: name, Kernel: kernel, Temper: version()}
}

// surveyEnd prints what a survey has done, and returns its exit code.
func (a *app) surveyEnd(t survey.Tally, state survey.Running) error {
	switch a.format {
	case "json":
		if err := a.printer().JSON(state); err != nil {
			return err
		}
	default:
		a.printer().Say("%d packages, %d of them fresh; units: %s; %d worse than before; %d could not be tried",
			t.Total, t.PassedOver, outcomes(state.Units), t.Worse, t.Faults)
	}
	switch {
	case t.Faults > 0:
		return exitError(exitFailed)
	case t.Worse > 0:
		return exitError(exitFindings)
	}
	return nil
}

// outcomes says how many units had which outcome.
func outcomes(units map[string]int) string {
	var words []string
	for outcome, n := range units {
		words = append(words, fmt.Sprintf("%d %s", n, outcome))
	}
	slices.Sort(words)
	if len(words) == 0 {
		return "none tried"
	}
	return strings.Join(words, ", ")
}

// surveyTalk prints the progress of a survey.
type surveyTalk struct{ *output.Progress }

func (t *surveyTalk) Unit(u results.Unit) {
	t.Say("%s %s: %s %s", u.Package, u.Unit, u.Finding(), u.Reason)
}

func (t *surveyTalk) Package(p results.Package) {
	t.Done(p.Package)
	if p.Outcome != results.Installed && p.Outcome != "" {
		t.Say("%s: %s %s", p.Package, p.Outcome, p.Reason)
	}
}

func (a *app) surveyStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status DIR",
		Short: "How far the surveys are whose results go to a directory",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := survey.ReadRunning(results.Dir(args[0]))
			if err != nil {
				return err
			}
			if a.format == "json" {
				return a.printer().JSON(append([]survey.Running{}, list...))
			}
			if len(list) == 0 {
				a.printer().Say("no survey runs")
			}
			for _, r := range list {
				a.surveyState(r)
			}
			return nil
		},
	}
}

func (a *app) surveyState(r survey.Running) {
	left := "unknown"
	if d := r.Left(); d > 0 {
		left = d.Round(time.Second).String()
	}
	a.printer().Say("shard %s on %s: %d of %d packages (%d fresh), %s left; units: %s; written %s ago",
		r.Shard, r.Machine, r.Done, r.Total, r.Fresh, left, outcomes(r.Units),
		time.Since(r.Now).Round(time.Second))
	for _, step := range r.UnderWay {
		a.printer().Say("  %s", step)
	}
}

func (a *app) surveyMerge() *cobra.Command {
	var into string
	c := &cobra.Command{
		Use:   "merge DIR... --into DIR",
		Short: "Make one directory of results of many, and say where machines disagree",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if into == "" {
				return usageError{hint.With(errors.New("--into is missing"), "temper survey merge DIR... --into DIR")}
			}
			var from []results.Dir
			for _, dir := range args {
				from = append(from, results.Dir(dir))
			}
			differ, err := results.Merge(results.Dir(into), from...)
			if err != nil {
				return err
			}
			if a.format == "json" {
				err = a.printer().JSON(append([]results.Disagreement{}, differ...))
			} else {
				for _, d := range differ {
					a.printer().Say("%s of %s: %s", d.Unit, d.Package, strings.Join(d.Found, "; "))
				}
			}
			if err == nil && len(differ) > 0 {
				err = exitError(exitFindings)
			}
			return err
		},
	}
	c.Flags().StringVar(&into, "into", "", "write the merged results to `DIR`")
	return c
}
