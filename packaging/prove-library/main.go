// Prove-library proves every profile that temper ships, on every Debian that it is for. It fails on a service that is not
// proven, on any demotion, and on more exposure than a profile may leave.
//
// Usage: prove-library [-record] [SUITE [NAME...]], from the root of the source tree, as root. A SUITE is one of bookworm, trixie
// and sid, a NAME a profile. With -record the verdicts of trixie go to profiles/verdicts, and what was found to
// docs/library.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"temper/harness"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// suites are the Debian releases that the library is for, and shipped is the one whose verdicts packages bring.
var suites = []string{"bookworm", "trixie", "sid"}

const (
	shipped    = "trixie"
	groups     = "testdata/library"
	verdictDir = "profiles/verdicts"
	tableFile  = "docs/library.md"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	record := flag.Bool("record", false, "write the verdicts and the table")
	jobs := flag.Int("jobs", 2, "prove `N` units side by side")
	flag.Parse()
	if err := run(ctx, *record, *jobs, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "prove-library: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, record bool, jobs int, args []string) error {
	set, problems := profiles.Load(host.Root("/nonexistent"), []string{profiles.Builtin})
	chosen, names := suites, []string(nil)
	if len(args) > 0 {
		if chosen, names = args[:1], args[1:]; !slices.Contains(suites, args[0]) {
			return fmt.Errorf("%q is no suite, want one of %s", args[0], strings.Join(suites, ", "))
		}
	}
	for _, name := range names {
		if _, ok := set.Get(name); !ok {
			return fmt.Errorf("there is no profile %q in profiles/library", name)
		}
	}
	if record && len(args) > 0 {
		return errors.New("-record is about the whole library")
	}
	var found []service
	for _, suite := range chosen {
		list, err := services(set, suite, names)
		if err == nil {
			list, err = proveAll(ctx, suite, list, jobs)
		}
		if err != nil {
			return err
		}
		found = append(found, list...)
	}
	for _, s := range found {
		problems = append(problems, s.problems()...)
	}
	for _, name := range missing(set, names, found) {
		problems = append(problems, fmt.Errorf("no tree has a unit of %s: add its package to a list in %s", name, groups))
	}
	if record {
		problems = append(problems, writeVerdicts(found), os.WriteFile(tableFile, []byte(table(found)), 0o644))
	}
	return errors.Join(problems...)
}

// services finds the services of a suite that the profiles name, or the named ones of them, each in the first tree that has it.
func services(set *profiles.Set, suite string, names []string) ([]service, error) {
	lists, err := filepath.Glob(filepath.Join(groups, "*.list"))
	if err != nil || len(lists) == 0 {
		return nil, errors.Join(err, fmt.Errorf("no lists of packages in %s: run this in the root of the source tree", groups))
	}
	var list []service
	for _, l := range lists {
		if len(names) > 0 && len(missing(set, names, list)) == 0 {
			break
		}
		tree, err := makeTree(strings.TrimSuffix(filepath.Base(l), ".list") + "-" + suite)
		if err != nil {
			return nil, err
		}
		loader := &unit.Loader{Root: host.Root(tree)}
		for _, name := range harness.Names(loader, set) {
			u, err := loader.Load(name)
			if err != nil {
				return nil, err
			}
			p, _ := set.For(u)
			seen := slices.ContainsFunc(list, func(s service) bool { return s.unit == name })
			if !seen && (len(names) == 0 || slices.Contains(names, p.Name)) {
				list = append(list, service{suite: suite, tree: tree, unit: name, profile: p, root: runsAsRoot(u), version: version(tree, u)})
			}
		}
	}
	return list, nil
}

// missing lists the profiles, of those named or of all, that have none of the services. The others need not be there: a profile
// names the units of all releases.
func missing(set *profiles.Set, names []string, list []service) []string {
	var without []string
	for _, p := range set.All() {
		if len(p.Units) == 0 || len(names) > 0 && !slices.Contains(names, p.Name) {
			continue
		}
		if !slices.ContainsFunc(list, func(s service) bool { return s.profile == p }) {
			without = append(without, p.Name)
		}
	}
	return without
}

func makeTree(name string) (string, error) {
	c := exec.Command("testdata/roots/make-root", name)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("make-root %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// proveAll proves the services of a suite, tree by tree, as a user does, and reads the verdicts.
func proveAll(ctx context.Context, suite string, list []service, jobs int) ([]service, error) {
	state, err := filepath.Abs(filepath.Join("dist", "library", suite))
	if err != nil {
		return nil, err
	}
	byTree := map[string][]string{}
	var trees []string
	for _, s := range list {
		if byTree[s.tree] == nil {
			trees = append(trees, s.tree)
		}
		byTree[s.tree] = append(byTree[s.tree], s.unit)
		if err := os.Remove(filepath.Join(state, s.unit+".json")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	for _, tree := range trees {
		args := append([]string{"prove", "--image", tree, "--state", state, "--jobs", fmt.Sprint(jobs), "--strict"}, byTree[tree]...)
		c := exec.CommandContext(ctx, "bin/temper", args...)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
		if err := c.Run(); err != nil && c.ProcessState == nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, errors.New("interrupted")
		}
	}
	store := verdict.Store{Dirs: []string{state}}
	for i, s := range list {
		v, err := store.Get(s.unit)
		if err == nil {
			list[i].verdict = &v
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return list, nil
}
