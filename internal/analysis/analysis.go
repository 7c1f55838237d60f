// Package analysis scores the units of one run of temper analyze: as the manager knows them or by their files, as they
// are or as a profile would make them. It adds what a policy makes of the score and what would gain most.
//
// Start with an [Analysis]: [Analysis.Files], [Analysis.Running] or [Analysis.Compare].
package analysis

import (
	"time"

	"temper/analyzer/exposure"
	"temper/analyzer/policy"
	"temper/analyzer/report"
	"temper/generator"
	"temper/internal/offline"
	"temper/internal/unit"
)

// Analysis is what a run was asked for.
type Analysis struct {
	Source   offline.Source
	Options  exposure.Options // with a version
	Policy   *policy.Policy
	Now      time.Time // which decides whether waivers hold
	Profile  string    // the file of a profile that is applied to every unit; "" is none
	Portable string    // the name or the file of a portable profile that is; "" is none
	Next     int       // how many assignments are ranked where there is one unit
	Sums     bool      // nobody reads the rows
	Warn     func(error)
}

// entry is what was found out about a unit, and what the policy makes of it.
func (a *Analysis) entry(name string, u *unit.Unit, r exposure.Report, err error) report.Entry {
	e := report.Entry{Unit: name, Report: r, Err: err}
	names := []string{r.Unit}
	if u != nil {
		e.Unit = u.Name
		names = append(generator.NamesOf(u), u.Name)
	}
	if err == nil {
		e.Judgement = a.Policy.Judge(names, r.Exposure, a.Now)
	}
	return e
}
