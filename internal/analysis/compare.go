package analysis

import (
	"temper/analyzer/exposure"
	"temper/analyzer/report"
	"temper/internal/offline"
)

// Compare compares two units or, if there is only one name, the unit without and with the profile.
func (a *Analysis) Compare(units []string) (report.Entry, error) {
	harden, err := a.hardening()
	if err != nil {
		return report.Entry{}, err
	}
	before, err := a.Source.One(units[0])
	if err != nil {
		return report.Entry{}, err
	}
	after, err := a.Source.One(units[len(units)-1])
	if err != nil {
		return report.Entry{}, err
	}
	if after, err = harden(after); err != nil {
		return report.Entry{}, err
	}
	b, err := offline.Score(before, a.Options)
	if err != nil {
		return report.Entry{}, err
	}
	r, err := offline.Score(after, a.Options)
	e := a.entry(after.Name, after, r, err)
	e.Before, e.Changes = &b, exposure.Compare(b, r)
	return e, err
}
