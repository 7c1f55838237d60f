// Prove-library proves every profile that temper ships, on every Debian that it is for. It fails on a service that is
// not proven, on any demotion, and on more exposure than a profile may leave.
//
// Usage: prove-library [-record] [-jobs N] [-list LIST] [-trusted] [SUITE [NAME...]], from the root of the source tree,
// as root. A SUITE is one of bookworm, trixie and sid, a NAME a profile. Without LIST trees are made, one after the
// other, until all NAMEs are found. With -record what was found replaces the rows of those services in docs/library.md,
// and on trixie their verdicts in profiles/verdicts, tree by tree: a run that is interrupted loses nothing.
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

	"temper/harness/batch"
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
	trusted := flag.Bool("trusted", false, "prove services that need what no container gives a service")
	list := flag.String("list", "*", "use the tree of testdata/library/`LIST`.list alone")
	flag.Parse()
	if err := run(ctx, *record, *trusted, *jobs, *list, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "prove-library: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, record, trusted bool, jobs int, list string, args []string) error {
	set, problems := profiles.Load(host.At("/nonexistent"), []string{profiles.Builtin})
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
	l := &library{
		set: set, names: names, jobs: jobs, list: list, trusted: trusted,
		keep: func(string, []service) error { return nil },
	}
	if record {
		l.keep = keep
	}
	for _, suite := range chosen {
		problems = append(problems, l.prove(ctx, suite))
		if ctx.Err() != nil {
			return errors.Join(append(problems, errors.New("interrupted; what was found before is kept"))...)
		}
	}
	return errors.Join(problems...)
}

// library is what to prove.
type library struct {
	set     *profiles.Set
	names   []string // of profiles; none are all
	jobs    int
	list    string // of packages, a pattern
	trusted bool   // as temper prove --trusted
	keep    func(suite string, found []service) error
}

// prove proves the services of a suite, tree by tree, and keeps what it found after each. What goes wrong with one
// service or tree does not keep it from the others.
func (l *library) prove(ctx context.Context, suite string) error {
	lists, err := filepath.Glob(filepath.Join(groups, l.list+".list"))
	if err != nil || len(lists) == 0 {
		return errors.Join(
			err,
			fmt.Errorf("no %s.list of packages in %s: run this in the root of the source tree", l.list, groups),
		)
	}
	var problems []error
	var found []service
	whole := l.list == "*" || len(l.names) > 0 // every tree that can have them was there
	for _, file := range lists {
		if len(l.names) > 0 && len(l.missing(found)) == 0 {
			break
		}
		list, err := l.services(suite, strings.TrimSuffix(filepath.Base(file), ".list")+"-"+suite, found)
		if err != nil {
			problems, whole = append(problems, err), false
			continue
		}
		found = append(found, list...)
		list, err = l.proveTree(ctx, suite, list)
		for _, s := range list {
			problems = append(problems, s.problems()...)
		}
		problems = append(problems, err, l.keep(suite, list))
		if ctx.Err() != nil {
			return errors.Join(problems...)
		}
	}
	if whole {
		problems = append(problems, l.keep(suite, l.absent(suite, found)))
	}
	return errors.Join(problems...)
}

// services finds the services of a tree that profiles name, as far as they are wanted and no earlier tree had them.
func (l *library) services(suite, name string, found []service) ([]service, error) {
	tree, err := makeTree(name)
	if err != nil {
		return nil, err
	}
	var list []service
	loader := &unit.Loader{Root: host.At(tree)}
	for _, name := range batch.Startable(loader, l.set) {
		u, err := loader.Load(name)
		if err != nil {
			return nil, err
		}
		if startsNothing(u) {
			continue
		}
		p, _ := l.set.For(u)
		seen := slices.ContainsFunc(found, func(s service) bool { return s.unit == name })
		if !seen && (len(l.names) == 0 || slices.Contains(l.names, p.Name)) {
			list = append(
				list,
				service{
					suite:   suite,
					tree:    tree,
					unit:    name,
					profile: p,
					root:    runsAsRoot(u),
					version: version(tree, u),
				},
			)
		}
	}
	return list, nil
}

// missing lists the wanted profiles that have none of the services found. Not every unit of a profile need be there: it
// names those of all releases.
func (l *library) missing(found []service) []*profiles.Profile {
	return slices.DeleteFunc(l.set.All(), func(p *profiles.Profile) bool {
		return len(p.Units) == 0 || len(l.names) > 0 && !slices.Contains(l.names, p.Name) ||
			slices.ContainsFunc(found, func(s service) bool { return s.profile == p })
	})
}

// absent stands for the profiles whose service the suite does not have, and says which.
func (l *library) absent(suite string, found []service) []service {
	var list []service
	for _, p := range l.missing(found) {
		fmt.Fprintf(
			os.Stderr,
			"prove-library: %s has no service of %s, or its package is in no list in %s\n",
			suite,
			p.Name,
			groups,
		)
		list = append(list, service{suite: suite, unit: p.Units[0], profile: p})
	}
	return list
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

// proveTree proves the services of one tree as a user does, and returns them with their verdicts; if it is interrupted,
// those that have one.
func (l *library) proveTree(ctx context.Context, suite string, list []service) ([]service, error) {
	state, err := filepath.Abs(filepath.Join("dist", "library", suite))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	args := []string{"prove", "--image", list[0].tree, "--state", state, "--jobs", fmt.Sprint(l.jobs), "--strict"}
	if l.trusted {
		args = append(args, "--trusted")
	}
	for _, s := range list {
		args = append(args, s.unit)
		if err := os.Remove(filepath.Join(state, s.unit+".json")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	c := exec.CommandContext(ctx, "bin/temper", args...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	if err := c.Run(); err != nil && c.ProcessState == nil {
		return nil, err
	}
	var problems []error
	store := verdict.Store{Dirs: []string{state}}
	for i, s := range list {
		v, err := store.Get(s.unit)
		if err == nil {
			list[i].verdict = &v
		} else if !errors.Is(err, os.ErrNotExist) {
			problems = append(problems, err)
		}
	}
	if ctx.Err() != nil {
		list = slices.DeleteFunc(list, func(s service) bool { return s.verdict == nil })
	}
	return list, errors.Join(problems...)
}
