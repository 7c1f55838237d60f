package survey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"temper/draft"
	"temper/harness/batch"
	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
	"temper/survey/debian"
	"temper/survey/results"
)

// Debian is the archive of a Debian suite. It implements [Archive].
type Debian struct {
	debian.Base
	Scratch  string // where layers are made
	Profiles *profiles.Set
	Extends  []string // the bases for a service that no profile names; nil if it gets a draft
	Tests    bool     // the package's own tests are checks
}

// Install installs a package, and what its setup needs, into a layer of its own.
func (d Debian) Install(ctx context.Context, pkg string) (Subject, error) {
	setup, found, err := setupOf(pkg)
	if err != nil {
		return nil, err
	}
	l, err := d.Layer(ctx, d.Scratch)
	if err != nil {
		return nil, err
	}
	err = l.Install(ctx, append([]string{pkg}, setup.Packages...)...)
	for _, line := range setup.Run {
		if err == nil {
			err = l.Shell(ctx, line)
		}
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	i := &installed{Debian: d, layer: l, pkg: pkg}
	if found {
		i.setup = setup.Why
	}
	if err := i.findTests(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return i, nil
}

// installed is a package in its layer.
type installed struct {
	Debian
	layer *debian.Layer
	pkg   string
	setup string           // why it has a setup
	tests []profiles.Check // the package's own tests
}

func (i *installed) Close() error { return i.layer.Close() }

func (i *installed) Units() ([]string, error) { return i.layer.Units(i.pkg) }

// findTests makes checks of the package's own tests. Of a package with several services nobody knows which of them a
// test uses: its tests are left out.
func (i *installed) findTests(ctx context.Context) error {
	units, err := i.Units()
	if err != nil || !i.Tests || len(units) != 1 {
		return err
	}
	tests, err := i.layer.Tests(ctx, i.pkg)
	for _, t := range tests {
		i.tests = append(i.tests, profiles.Check{
			Name: testPrefix + t.Name, Required: true, Timeout: testTimeout, Phase: profiles.PhaseRunning,
			Exec: &profiles.ExecCheck{Command: []string{"/bin/sh", "-c", t.Script()}, User: t.User()},
		})
	}
	return err
}

const (
	testPrefix  = "autopkgtest " // of the name of a check
	testTimeout = time.Minute
)

// passed lists the tests of the package that passed while the service ran hardened.
func passed(v verdict.Verdict) []string {
	var names []string
	if v.Use == nil {
		return nil
	}
	for _, c := range v.Use.Checks {
		if name, isTest := strings.CutPrefix(c.Name, testPrefix); isTest && c.Result == verdict.Passed {
			names = append(names, name)
		}
	}
	return names
}

// Prove proves a unit with its profile or, if none names it, with a draft or the bases.
func (i *installed) Prove(ctx context.Context, name string, step func(string)) (results.Unit, error) {
	root := host.At(i.layer.Tree)
	u, err := (&unit.Loader{Root: root}).Load(name)
	if err != nil {
		return results.Unit{
			Outcome: verdict.Inconclusive, Reason: err.Error(), Verdict: undecided(name, err.Error()),
		}, nil
	}
	p, named := i.Profiles.For(u)
	if p == nil || !named {
		if len(i.Extends) == 0 {
			return i.draft(ctx, name, step)
		}
		if p, err = i.fromBases(name); err != nil {
			return results.Unit{}, err
		}
	}
	if len(i.tests) > 0 {
		withTests := *p
		withTests.Checks = slices.Concat(p.Checks, i.tests)
		p = &withTests
	}
	verdicts := filepath.Join(i.layer.Dir, "verdicts")
	store := verdict.Store{Dirs: []string{verdicts}}
	defer os.RemoveAll(verdicts)
	report := &steps{step: step}
	list, _, err := batch.Run(ctx, batch.Options{
		Root: root, Place: batch.Container, Units: []string{name}, Jobs: 1, Profiles: i.Profiles, Profile: p,
		Store: store, Report: report,
	})
	if err != nil {
		return results.Unit{}, err
	}
	if len(list) != 1 {
		return results.Unit{}, fmt.Errorf("%s has %d verdicts, want 1", name, len(list))
	}
	var log []string
	trials, _ := store.Trials(name) // without them the log is missing, which is no error of the proof
	for _, t := range trials {
		log = t.Log
	}
	r := i.result(list[0], log)
	r.Base, r.Reason = !named, cmp.Or(r.Reason, report.warned)
	return r, nil
}

// draft drafts a profile for a unit. Where no place can be opened the machine is at fault, as in any other proof.
func (i *installed) draft(ctx context.Context, name string, step func(string)) (results.Unit, error) {
	var closed error
	d, err := draft.Make(ctx, draft.Options{
		Unit: name, Profiles: i.Profiles, Progress: step, Checks: i.tests,
		Open: func(ctx context.Context) (p *place.Place, err error) {
			p, err = place.Container(ctx, place.Options{Image: i.layer.Tree})
			closed = errors.Join(closed, err)
			return p, err
		},
	})
	var r results.Unit
	switch failed, isUndecided := errors.AsType[*draft.Undecided](err); {
	case err == nil:
		r = i.result(d.Proof, nil)
		r.Draft = d.Text
	case isUndecided:
		r = i.result(failed.Verdict, failed.Log)
	case closed != nil, ctx.Err() != nil:
		return r, err
	default:
		r = i.result(undecided(name, err.Error()), nil)
	}
	r.Base = true
	return r, nil
}

// result is what a proof has found. log is that of its last launch.
func (i *installed) result(v verdict.Verdict, log []string) results.Unit {
	r := results.Unit{Outcome: v.Result, Reason: v.Reason, Setup: i.setup, Tests: passed(v), Verdict: v}
	if v.Result == verdict.BrokenBaseline {
		r.Log = log[max(0, len(log)-keptLines):]
		r.Cause = causeOf(r.Reason, r.Log)
	}
	return r
}

const keptLines = 20 // of the log of a service that does not run without hardening

// fromBases makes a profile of the bases for a service that no profile names.
func (i *installed) fromBases(name string) (*profiles.Profile, error) {
	var quoted []string
	for _, base := range i.Extends {
		quoted = append(quoted, strconv.Quote(base))
	}
	text := fmt.Sprintf("description = %q\nunits = [%q]\nextends = [%s]\n",
		"the bases, since no profile names it", name, strings.Join(quoted, ", "))
	file := filepath.Join(i.layer.Dir, "bases.toml")
	defer os.Remove(file)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return profiles.LoadFile(file, i.Profiles)
}

// undecided is a verdict that says nothing.
func undecided(name, why string) verdict.Verdict {
	return verdict.Verdict{
		Unit: name, Result: verdict.Inconclusive, Reason: why, Applied: []verdict.Applied{},
		Demotions: []verdict.Demotion{}, LeftOut: []verdict.LeftOut{}, Advisories: []verdict.Evidence{},
	}
}

// steps is a report of a batch of one unit.
type steps struct {
	step   func(string)
	warned string
}

func (s *steps) Step(_, text string)    { s.step(text) }
func (s *steps) Result(verdict.Verdict) {}
func (s *steps) Done(string)            {}
func (s *steps) Warn(err error)         { s.warned = err.Error() }
