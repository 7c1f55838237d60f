package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"temper/analyzer/exposure"
	"temper/analyzer/online"
	"temper/analyzer/report"
	"temper/generator"
	"temper/internal/offline"
	"temper/internal/output"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// source is where the entries of a run come from.
type source struct {
	entries iter.Seq[report.Entry]
	close   func()
}

// source chooses between the running manager and unit files.
func (n *analysis) source(ctx context.Context, units []string) (source, error) {
	if n.asksManager(units) {
		manager, err := systemd.ConnectSystemBus(ctx)
		if err == nil {
			return source{n.managed(ctx, manager, units), manager.Close}, nil
		}
		n.warn(fmt.Errorf("the manager does not answer (%w): reading unit files instead", err))
	}
	entries, err := n.read(units)
	return source{entries, func() {}}, err
}

// asksManager reports whether the manager is to be asked: units by name, of this machine as it runs.
func (n *analysis) asksManager(units []string) bool {
	if n.offline || n.version != 0 || n.arch != "" || n.profile != "" || !n.host().IsHost() || slices.ContainsFunc(units, isFile) {
		return false
	}
	return systemd.Booted()
}

// managed scores units as the manager knows them; without any, all loaded services as systemd-analyze lists them.
func (n *analysis) managed(ctx context.Context, manager *systemd.Client, units []string) iter.Seq[report.Entry] {
	return func(yield func(report.Entry) bool) {
		if len(units) == 0 {
			services, err := online.Services(ctx, manager, n.options)
			if err != nil {
				yield(report.Entry{Err: err})
				return
			}
			for _, s := range services {
				r, err := exposure.Assess(s, n.options)
				if !yield(n.entry(s.Unit, nil, r, err)) {
					return
				}
			}
			return
		}
		for _, name := range units {
			name = n.files().InstanceOf(serviceName(name))
			r, err := online.Score(ctx, manager, name, n.options)
			u, _ := n.files().One(name) // only for advice and the names that a policy knows it by
			e := n.entry(name, u, r, err)
			if !yield(n.advise(e, u, len(units))) {
				return
			}
		}
	}
}

// files is where unit files come from.
func (n *analysis) files() offline.Source {
	return offline.Source{Root: n.host(), Version: n.options.Version, Instance: n.instance}
}

// read scores units from their files; without any, all of the root.
func (n *analysis) read(units []string) (iter.Seq[report.Entry], error) {
	harden, err := n.hardener()
	if err != nil {
		return nil, err
	}
	loaded := n.files().All()
	if len(units) > 0 {
		loaded = n.files().Named(units)
	}
	score := func(name string, u *unit.Unit, err error) report.Entry {
		if err == nil {
			u, err = harden(u)
		}
		var r exposure.Report
		if err == nil {
			r, err = n.score(u, len(units))
		}
		return n.advise(n.entry(name, u, r, err), u, len(units))
	}
	return func(yield func(report.Entry) bool) {
		for e := range ahead(loaded, units, score) {
			if !yield(e) {
				return
			}
		}
	}, nil
}

// score scores a unit; for a line of the table, which needs no more, its sum alone.
func (n *analysis) score(u *unit.Unit, units int) (exposure.Report, error) {
	if n.format == "text" && units != 1 {
		return offline.Sum(u, n.options)
	}
	return offline.Score(u, n.options)
}

// ahead scores units on every processor, a few ahead of what is taken, and gives the entries in the order of the units.
// names are what was asked for, if anything was.
func ahead(units iter.Seq2[*unit.Unit, error], names []string, score func(string, *unit.Unit, error) report.Entry) iter.Seq[report.Entry] {
	type job struct {
		name string
		unit *unit.Unit
		err  error
		done chan report.Entry
	}
	return func(yield func(report.Entry) bool) {
		workers := runtime.GOMAXPROCS(0)
		jobs, order, stop := make(chan job, workers), make(chan job, 4*workers), make(chan struct{})
		defer close(stop)
		for range workers {
			go func() {
				for j := range jobs {
					j.done <- score(j.name, j.unit, j.err)
				}
			}()
		}
		go func() {
			defer close(order)
			defer close(jobs)
			i := 0
			for u, err := range units {
				j := job{unit: u, err: err, done: make(chan report.Entry, 1)}
				if i < len(names) {
					j.name = names[i]
				}
				i++
				for _, to := range []chan job{order, jobs} {
					select {
					case to <- j:
					case <-stop:
						return
					}
				}
			}
		}()
		for j := range order {
			if !yield(<-j.done) {
				return
			}
		}
	}
}

// entry is what was found out about a unit, and what the policy makes of it.
func (n *analysis) entry(name string, u *unit.Unit, r exposure.Report, err error) report.Entry {
	e := report.Entry{Unit: name, Report: r, Err: err}
	names := []string{r.Unit}
	if u != nil {
		e.Unit = u.Name
		names = append(generator.NamesOf(u), u.Name)
	}
	if err == nil {
		e.Judgement = n.policy.Judge(names, r.Exposure, n.now)
	}
	return e
}

// advise adds what would gain most to the entry of a run with one unit.
func (n *analysis) advise(e report.Entry, u *unit.Unit, units int) report.Entry {
	if e.Err != nil || u == nil || units != 1 || n.next <= 0 {
		return e
	}
	list, err := offline.Advise(u, n.options)
	if err != nil {
		n.warn(fmt.Errorf("what to do next: %w", err))
		return e
	}
	set, _ := loadProfiles(n.host()) // what is wrong with profiles is for `temper check` to say
	p, _ := set.For(u)
	v, err := verdict.Store{Root: n.host()}.Get(u.ID)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) { // only root reads verdicts
		n.warn(err)
	}
	for _, advice := range list[:min(n.next, len(list))] {
		e.Next = append(e.Next, next(advice, p, v))
	}
	return e
}

// next says whether the profile of a unit sets what is advised, and whether its verdict gave that up.
func next(a exposure.Advice, p *profiles.Profile, v verdict.Verdict) report.Next {
	n := report.Next{Advice: a}
	if p == nil {
		return n
	}
	if s, ok := p.Setting(a.Directive); ok {
		n.Profile, n.Sets = p.Name, strings.Join(s.Values, "; ")
	}
	for _, d := range v.Demotions {
		if d.Directive == a.Directive {
			n.Demotion = fmt.Sprintf("from %s to %s: %s", output.Short(d.From), output.Short(d.To), d.Reason)
		}
	}
	return n
}

// hardener returns what applies the profile of --profile to a unit, or leaves it alone without one.
func (n *analysis) hardener() (func(*unit.Unit) (*unit.Unit, error), error) {
	if n.profile == "" {
		return func(u *unit.Unit) (*unit.Unit, error) { return u, nil }, nil
	}
	file, err := filepath.Abs(n.profile)
	if err != nil {
		return nil, err
	}
	set, _ := loadProfiles(n.host())
	p, err := profiles.LoadFile(file, set)
	if err != nil {
		return nil, err
	}
	settings, err := generator.LoadSettings(n.host())
	if err != nil {
		n.warn(err)
	}
	return func(u *unit.Unit) (*unit.Unit, error) {
		in := generator.Input{Unit: u, Profile: p, Named: true, Version: n.options.Version, Secrets: generator.Secrets(set, settings, u)}
		plan := generator.NewPlan(in)
		for _, l := range plan.LeftOut {
			n.warn(fmt.Errorf("%s: %s= is left out: %s", u.ID, l.Directive, l.Reason))
		}
		return u.Without(generator.Dropin).With(generator.Dropin, plan.Text())
	}, nil
}

// compare prints the rows in which two units differ, or one without and with a profile.
func (n *analysis) compare(units []string) error {
	harden, err := n.hardener()
	if err != nil {
		return err
	}
	before, err := n.files().One(units[0])
	if err != nil {
		return err
	}
	after := before
	if len(units) == 2 {
		if after, err = n.files().One(units[1]); err != nil {
			return err
		}
	}
	if after, err = harden(after); err != nil {
		return err
	}
	e, err := n.difference(before, after)
	if err != nil {
		return err
	}
	switch n.format {
	case "json":
		return report.JSON(n.out, slices.Values([]report.Entry{e}))
	case "text":
		return report.Text{Out: n.out, Style: n.style()}.Diff(e)
	}
	return usageError{fmt.Errorf("--format is %q, want text or json with --diff", n.format)}
}

func (n *analysis) difference(before, after *unit.Unit) (report.Entry, error) {
	b, err := offline.Score(before, n.options)
	if err != nil {
		return report.Entry{}, err
	}
	r, err := offline.Score(after, n.options)
	e := n.entry(after.Name, after, r, err)
	e.Before, e.Changes = &b, exposure.Compare(b, r)
	return e, err
}
