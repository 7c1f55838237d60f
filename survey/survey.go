// Package survey proves the services of many packages: each package is installed into a throwaway copy of a base tree,
// its service units are found and proven, and what was found is kept in a file for each unit.
//
// Call [Run]. A survey that was interrupted goes on where it was, since a package whose result is fresh is passed over.
// A package that hangs costs its limit and nothing more. Which packages are whose is decided by temper/survey/shard.
package survey

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"temper/internal/verdict"
	"temper/profiles"
	"temper/survey/debian"
	"temper/survey/results"
	"temper/survey/shard"
)

// Options say what is surveyed, and how.
type Options struct {
	Packages []string
	Shard    shard.Shard
	Suite    string
	Out      results.Dir
	Machine  results.Machine
	Profiles *profiles.Set
	Extends  []string      // the bases for a service that no profile names; nil if it gets a draft
	Tests    bool          // the package's own tests are checks
	Jobs     int           // how many packages at the same time
	Limit    time.Duration // for one package
	Again    bool          // fresh results are not passed over
	Accept   bool          // a result that is worse than the kept one takes its place
	Report   Report
}

// Mine lists the packages of the shard, each once.
func (o Options) Mine() []string {
	var mine []string
	for _, name := range o.Packages {
		if o.Shard.Has(name) && !slices.Contains(mine, name) {
			mine = append(mine, name)
		}
	}
	return mine
}

// An Archive has packages.
type Archive interface {
	// Versions returns the version of each package that there is.
	Versions(ctx context.Context, packages []string) (map[string]string, error)
	// Install installs a package into a tree of its own. An error that wraps [debian.ErrNotInstallable] or
	// [debian.ErrScript] is about the package, any other about the machine.
	Install(ctx context.Context, pkg string) (Subject, error)
}

// A Subject is an installed package.
type Subject interface {
	Units() ([]string, error)
	// Prove proves one unit. Its error is about the machine.
	Prove(ctx context.Context, unit string, step func(text string)) (results.Unit, error)
	Close() error
}

// A Report receives the progress. Several goroutines call its methods.
type Report interface {
	Step(pkg, text string)
	Unit(u results.Unit)
	Package(p results.Package)
	Warn(err error)
}

// Tally is what a survey has done.
type Tally struct {
	Total      int // packages of the shard
	PassedOver int // whose results were fresh
	Worse      int // units that are worse than their kept results
	Faults     int // packages that the machine could not try
}

// Run surveys the packages of the shard. The error is about the machine: single packages that it could not try are
// counted as faults.
func Run(ctx context.Context, a Archive, o Options) (Tally, error) {
	s := &survey{Options: o, archive: a}
	mine := o.Mine()
	s.tally.Total = len(mine)
	var err error
	if s.versions, err = a.Versions(ctx, mine); err != nil {
		return s.tally, err
	}
	queue := make(chan string)
	var workers sync.WaitGroup
	for range max(1, min(o.Jobs, len(mine))) {
		workers.Go(func() {
			for name := range queue {
				s.survey(ctx, name)
			}
		})
	}
	for _, name := range mine {
		if ctx.Err() != nil {
			break
		}
		queue <- name
	}
	close(queue)
	workers.Wait()
	return s.tally, ctx.Err()
}

type survey struct {
	Options
	archive  Archive
	versions map[string]string

	mu    sync.Mutex
	tally Tally
}

func (s *survey) count(what *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*what++
}

// survey surveys one package, unless its result is fresh.
func (s *survey) survey(ctx context.Context, name string) {
	version, known := s.versions[name]
	old, err := s.Out.Package(name)
	if err != nil && !results.Missing(err) {
		s.Report.Warn(fmt.Errorf("%w; it is tried again", err))
	}
	same := old.Version == version && old.Suite == s.Suite && old.Inputs == s.inputs(name, old.Units)
	if err == nil && !s.Again && same {
		s.count(&s.tally.PassedOver)
		s.Report.Package(old)
		return
	}
	p := results.Package{
		Package: name, Version: version, Suite: s.Suite, Units: []string{}, Machine: s.Machine,
		Began: time.Now().UTC().Truncate(time.Second),
	}
	worse := false
	if known {
		worse, err = s.try(ctx, &p)
	} else {
		p.Outcome, err = results.NotInAptSource, nil
	}
	switch {
	case ctx.Err() != nil: // nothing is kept of a package that was interrupted
	case err != nil:
		s.count(&s.tally.Faults)
		s.Report.Warn(fmt.Errorf("%s: %w", name, err))
	case worse: // the package is not done until a person has accepted this
	default:
		p.Inputs = s.inputs(name, p.Units)
		p.Seconds = time.Since(p.Began).Truncate(time.Second / 10).Seconds()
		if err := s.Out.PutPackage(p); err != nil {
			s.count(&s.tally.Faults)
			s.Report.Warn(err)
		}
	}
	s.Report.Package(p)
}

// inputs is a digest of what the results on the units of a package depend on, besides its version: its setup, and the
// profiles.
func (s *survey) inputs(pkg string, units []string) string {
	h := sha256.New()
	h.Write(setupText(pkg))
	fmt.Fprintf(h, "%t\x00", s.Tests)
	add := func(p *profiles.Profile) { fmt.Fprintf(h, "%s\x00", p.Digest) }
	for _, name := range units {
		tried := s.Profiles.Naming(name)
		if len(tried) == 0 {
			tried = s.bases()
		}
		for _, p := range tried {
			add(p)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// bases are the profiles from which that of a service is made which no profile names.
func (s *survey) bases() (list []*profiles.Profile) {
	if len(s.Extends) == 0 {
		return s.Profiles.Bases().All()
	}
	for _, name := range s.Extends {
		if p, ok := s.Profiles.Get(name); ok {
			list = append(list, p)
		}
	}
	return list
}

// try installs a package and proves its units, within the limit.
func (s *survey) try(ctx context.Context, p *results.Package) (worse bool, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, s.Limit, errLimit)
	defer cancel()
	s.Report.Step(p.Package, "installs")
	subject, err := s.archive.Install(limited, p.Package)
	switch failed, _ := errors.AsType[*debian.Failed](err); {
	case over(ctx, limited):
		p.Outcome, p.Reason = results.TimedOut, fmt.Sprintf("its installation took more than %s", s.Limit)
		return false, nil
	case errors.Is(err, debian.ErrNotInstallable):
		p.Outcome, p.Reason, p.Log = results.NotInstallable, err.Error(), failed.Log
		return false, nil
	case errors.Is(err, debian.ErrScript):
		p.Outcome, p.Reason, p.Log = results.InstallFailed, err.Error(), failed.Log
		return false, nil
	case err != nil:
		return false, err
	}
	defer func() { err = errors.Join(err, subject.Close()) }()
	if p.Units, err = subject.Units(); err != nil {
		return false, err
	}
	p.Outcome = results.Installed
	if len(p.Units) == 0 {
		p.Units, p.Outcome = []string{}, results.NoService
	}
	for _, name := range p.Units {
		u, err := s.prove(ctx, limited, subject, p, name)
		if err != nil {
			return worse, err
		}
		isWorse, err := s.keep(u)
		if err != nil {
			return worse, err
		}
		worse = worse || isWorse
		s.Report.Unit(u)
	}
	return worse, nil
}

var errLimit = errors.New("the limit of the package is over")

// over reports whether the limit of a package has ended it, and not the end of the survey.
func over(ctx, limited context.Context) bool { return ctx.Err() == nil && limited.Err() != nil }

// prove proves one unit as far as the limit allows.
func (s *survey) prove(
	ctx, limited context.Context, subject Subject, p *results.Package, name string,
) (results.Unit, error) {
	began := time.Now().UTC().Truncate(time.Second)
	s.Report.Step(p.Package, name)
	u, err := subject.Prove(limited, name, func(text string) { s.Report.Step(p.Package, name+": "+text) })
	if over(ctx, limited) {
		u = results.Unit{Outcome: results.TimedOut, Reason: fmt.Sprintf("its package took more than %s", s.Limit)}
		u.Verdict = verdict.Verdict{
			Unit: name, Result: verdict.Inconclusive, Applied: []verdict.Applied{}, Demotions: []verdict.Demotion{},
			LeftOut: []verdict.LeftOut{}, Advisories: []verdict.Evidence{},
		}
		err = nil
	}
	u.Package, u.Version, u.Suite, u.Unit = p.Package, p.Version, p.Suite, name
	u.Machine, u.Began = s.Machine, began
	u.Machine.Systemd = u.Verdict.Systemd
	u.Seconds = time.Since(began).Truncate(time.Second / 10).Seconds()
	return u, err
}

// keep keeps a result, beside the kept one if it is worse.
func (s *survey) keep(u results.Unit) (worse bool, err error) {
	old, err := s.Out.Unit(u.Package, u.Unit)
	if err != nil && !results.Missing(err) {
		s.Report.Warn(fmt.Errorf("%w; it is replaced", err))
	}
	if why := u.Worse(old); err == nil && why != "" && !s.Accept {
		s.count(&s.tally.Worse)
		s.Report.Warn(fmt.Errorf("%s of %s: %s: the old result is kept, this one beside it", u.Unit, u.Package, why))
		return true, s.Out.PutWorse(u)
	}
	return false, s.Out.PutUnit(u)
}
