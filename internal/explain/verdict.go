// Package explain says what is known about a unit apart from its stored verdict: what its profile would apply if
// nothing was proven, and how to see by hand what a demoted directive breaks.
package explain

import (
	"temper/generator"
	"temper/internal/offline"
	"temper/internal/verdict"
)

// Verdict returns the verdict on which a decision is based or, if there is none, a verdict with what the profile would
// apply.
func Verdict(g *generator.Generator, d generator.Decision) (verdict.Verdict, error) {
	if d.Verdict != nil {
		return *d.Verdict, nil
	}
	v := verdict.Verdict{
		Unit: d.Unit, Systemd: g.Version, Dropin: d.Text,
		Applied: []verdict.Applied{}, Demotions: []verdict.Demotion{}, LeftOut: []verdict.LeftOut{},
		Advisories: []verdict.Evidence{},
	}
	if d.Profile != nil {
		v.Profile = d.Profile.Name
		v.Applied, v.LeftOut = append(v.Applied, d.Plan.Applied()...), append(v.LeftOut, d.Plan.LeftOut...)
	}
	u, err := g.Units.Load(d.Unit)
	if err != nil || u.Masked {
		return v, err
	}
	v.Exposure, err = offline.Exposure(u.Without(generator.Dropin), generator.Dropin, d.Plan.Text(), g.Version)
	return v, err
}
