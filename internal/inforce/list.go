package inforce

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"temper/analyzer/exposure"
	"temper/generator"
	"temper/internal/explain"
	"temper/internal/host"
	"temper/internal/offline"
	"temper/internal/refusallog"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/needs"
)

// systemdsOwn are services that belong to the machinery of systemd and that no profile of a person is about: they are
// listed only where a profile names them.
var systemdsOwn = []string{
	"systemd-*", "*getty*.service", "user@*.service", "user-runtime-dir@*.service", "emergency.service",
	"rescue.service", "debug-shell.service", "initrd-*", "modprobe@*.service", "quotaon*.service", "temper-*",
	"dbus-org.freedesktop.*",
}

// isSystemdsOwn reports whether a service belongs to systemd, to one of its generators, or to temper itself.
func isSystemdsOwn(u *unit.Unit) bool {
	generated := strings.HasPrefix(u.Fragment, "/run/systemd/generator") ||
		strings.HasPrefix(u.Fragment, "/run/systemd/transient")
	return generated || slices.ContainsFunc(systemdsOwn, func(pattern string) bool {
		ok, _ := path.Match(pattern, u.ID)
		return ok
	})
}

// List says how services stand: those that are decided about, and those that run, or are to be started at boot, and
// have no profile. Templates are left out, and their instances that run are listed; what belongs to systemd itself is
// listed only where a profile names it. m is nil for the root of another machine.
func List(ctx context.Context, g *generator.Generator, m Machine) (list []Service, problems []error) {
	decisions, problems := g.Decisions()
	started, err := startedServices(ctx, g.Root, m)
	if err != nil {
		problems = append(problems, err)
	}
	done := map[string]bool{}
	for _, d := range decisions {
		done[d.Unit] = true
	}
	for _, name := range started {
		u, err := g.Units.Load(name)
		if err != nil || u.Fragment == "" || done[u.ID] { // what systemd refuses to load is no service
			continue
		}
		done[u.ID] = true
		d, err := g.Decide(u)
		if err != nil {
			problems = append(problems, err)
		}
		d.Unit = u.ID
		decisions = append(decisions, d)
	}
	for _, d := range decisions {
		u, err := g.Units.Load(d.Unit)
		if err != nil || u.Masked || unit.IsTemplate(d.Unit) || !d.Named && isSystemdsOwn(u) {
			continue // Decisions reports the error
		}
		s, err := One(ctx, g, d, m)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", d.Unit, err))
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Service) int { return strings.Compare(a.Unit, b.Unit) })
	return list, problems
}

// MayBeProven lists the services about which a profile says something that may be tried: no templates, nothing that
// temper leaves alone, and what belongs to systemd only where a profile names it.
func MayBeProven(g *generator.Generator) []string {
	decisions, _ := g.Decisions() // what cannot be read cannot be tried
	var units []string
	for _, d := range decisions {
		u, err := g.Units.Load(d.Unit)
		switch {
		case err != nil, unit.IsTemplate(d.Unit), len(d.Plan.Items) == 0, !d.Named && isSystemdsOwn(u):
		default:
			units = append(units, d.Unit)
		}
	}
	return units
}

// observedSince is the day since which temper observe has recorded the needs of a unit; empty if it has not.
func observedSince(g *generator.Generator, unit string) string {
	record, err := needs.Store{Root: g.Root}.Get(unit)
	if err != nil || !record.Observed() { // a file that cannot be read is reported by the verbs that use it
		return ""
	}
	return record.Since.UTC().Format(time.DateOnly)
}

// One says how one service stands.
func One(ctx context.Context, g *generator.Generator, d generator.Decision, m Machine) (Service, error) {
	v, err := explain.Verdict(g, d)
	if err != nil {
		return Of(d, v, nil), err
	}
	var r *Running
	if m != nil {
		d.Plan = planOf(g, d, v)
		read, readErr := m.Read(ctx, d.Unit, d.Plan, v)
		r, err = &read, readErr
	}
	s := Of(d, v, r)
	if log, logErr := (refusallog.Store{Root: g.Root}).Get(d.Unit); logErr == nil {
		summary := log.Summary()
		s.Refused = &summary
	} else if !errors.Is(logErr, fs.ErrNotExist) {
		err = errors.Join(err, logErr)
	}
	s.Observed = observedSince(g, d.Unit)
	if u, loadErr := g.Units.Load(d.Unit); loadErr == nil {
		s.tellOfFiles(g, d, u)
	}
	if m == nil {
		s.Now = exposureOf(g, d.Unit)
	}
	if s.State != Broken && v.LastAttempt == nil {
		return s, err
	}
	trials, _ := g.Store.Trials(d.Unit) // without a log the verdict has to do
	said := explain.LastFailure(trials)
	s.Log = said.Log
	if s.State == Broken && said.Cause != "" {
		s.Why = v.Result + ": " + said.Cause
		if v.Stale {
			s.Why += "; " + v.StaleReason
		}
	}
	return s, err
}

// tellOfFiles says of a profile that has an error, and of a draft while something else applies.
func (s *Service) tellOfFiles(g *generator.Generator, d generator.Decision, u *unit.Unit) {
	if file := g.Profiles.Faulty(generator.NamesOf(u)); s.State == NoProfile && file != "" {
		s.State, s.Why, s.Command = NotHardened, "its profile "+file+" has an error", "temper check "+file
	}
	if p := g.Profiles.DraftFor(u); p != nil && d.By != generator.ByDraft {
		s.Why += "; there is a draft for it, " + p.Path
	}
}

// planOf is the plan of a decision; where none was made, since nothing applies, what would have been applied.
func planOf(g *generator.Generator, d generator.Decision, v verdict.Verdict) generator.Plan {
	if d.Profile == nil || len(d.Plan.Items) > 0 {
		return d.Plan
	}
	u, err := g.Units.Load(d.Unit)
	if err != nil {
		return d.Plan
	}
	in := g.Input(u.Without(generator.Dropin), d.Profile, d.Named)
	in.Demotions = v.Demotions
	return generator.NewPlan(in)
}

// exposureOf is the exposure of a service by its files.
func exposureOf(g *generator.Generator, name string) float64 {
	u, err := g.Units.Load(name)
	if err != nil {
		return 0
	}
	options, err := offline.Complete(g.Root, exposure.Options{})
	if err != nil {
		return 0
	}
	report, err := offline.Sum(u, options)
	if err != nil { // as for a masked unit, which has none
		return 0
	}
	return float64(report.Exposure) / 10
}

// startedServices lists the services that run or, in the root of another machine, those that something there starts at
// boot.
func startedServices(ctx context.Context, root host.Root, m Machine) ([]string, error) {
	if m != nil {
		return m.Services(ctx)
	}
	var names []string
	var problems []error
	list := func(dir string) []fs.DirEntry { // most roots have only some of the directories
		entries, err := root.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, err)
		}
		return entries
	}
	for _, dir := range unit.DefaultPath {
		for _, e := range list(dir) {
			if ext := path.Ext(e.Name()); ext != ".wants" && ext != ".requires" {
				continue
			}
			for _, l := range list(path.Join(dir, e.Name())) {
				if unit.Type(l.Name()) == "service" {
					names = append(names, l.Name())
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), errors.Join(problems...)
}
