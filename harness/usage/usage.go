// Package usage says how much of a service the launches of a proof used.
//
// Call [Launches.Use]. A service that nobody used was only started: that it lives proves little.
package usage

import (
	"slices"

	"temper/harness/trial"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// Launches are what a proof has seen of the checks of a profile.
type Launches struct {
	Unit      *unit.Unit // as its vendor wrote it
	Version   int        // of systemd
	Checks    []profiles.Check
	Baselines []trial.Result         // the launches without hardening that passed
	Hardened  trial.Result           // the launch with the drop-in of the verdict
	SetAside  []SetAside             // checks that failed alike without hardening
	Made      func(name string) bool // whether a file was made in the trials
}

// SetAside is a check that fails without hardening too, and what it said.
type SetAside struct {
	trial.CheckRun
	Reason string
}

// Use says what became of each check in the hardened launch, what else shows that the service did its work, and which
// grants of the vendor it made use of.
func (l Launches) Use() verdict.Use {
	use := verdict.Use{
		Checks: []verdict.Check{}, Phases: []string{}, Work: append([]string{}, l.Hardened.Work...),
		Grants: l.grants(),
	}
	for _, c := range l.Checks {
		use.Checks = append(use.Checks, l.check(c))
	}
	for _, o := range l.Hardened.Outcomes {
		if !o.NotRun && !slices.Contains(use.Phases, o.Phase) {
			use.Phases = append(use.Phases, o.Phase)
		}
	}
	return use
}

// check says what became of one check.
func (l Launches) check(c profiles.Check) verdict.Check {
	is := verdict.Check{Name: c.Name, Kind: c.Kind(), Required: c.Required, Uses: l.uses(c)}
	for _, s := range l.SetAside {
		if s.Check == c.Name {
			is.Result, is.Reason = verdict.SetAside, s.Reason
			return is
		}
	}
	is.Result, is.Reason = verdict.NotRun, "no trial came to the phase in which it runs"
	for _, b := range l.Baselines {
		for _, o := range b.Outcomes {
			if o.Name == c.Name && o.NotRun {
				is.Reason = o.Detail
			}
		}
	}
	for _, o := range l.Hardened.Outcomes {
		switch {
		case o.Name != c.Name || o.NotRun || is.Result == verdict.Failed:
		case o.OK:
			is.Result, is.Reason = verdict.Passed, ""
		default:
			is.Result, is.Reason = verdict.Failed, o.Detail
		}
	}
	return is
}

// uses reports whether a check makes the service do its work. A file shows that only if the service has made it.
func (l Launches) uses(c profiles.Check) bool {
	return c.Uses() && (c.File == nil || l.Made(c.File.Path))
}
