// Package analysis scores the units of one run of temper analyze: as the manager knows them or from their files,
// without or with a profile. It adds the judgement of the policy and advice.
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

// Analysis has the options of a run.
type Analysis struct {
	Source   offline.Source
	Options  exposure.Options // with a version
	Policy   *policy.Policy
	Now      time.Time // decides whether waivers hold
	Profile  string    // the file of a profile that is applied to every unit; "" is none
	Portable string    // the name or the file of a portable profile that is applied to every unit; "" is none
	Next     int       // how many assignments are ranked if the run has only one unit
	Sums     bool      // the rows are not needed
	Warn     func(error)
}

// entry returns what was found out about a unit, with the judgement of the policy.
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
