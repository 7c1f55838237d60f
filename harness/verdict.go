package harness

import (
	"context"
	"errors"

	"temper/generator"
	"temper/harness/search"
	"temper/harness/usage"
	"temper/internal/offline"
	"temper/internal/scarce"
	"temper/internal/verdict"
)

// verdict runs the search and returns its result as a verdict. It returns an error if the search could not go on.
func (r *run) verdict(ctx context.Context) (verdict.Verdict, error) {
	found, err := search.Run(ctx, r.input, r.series, r.Used, r)
	v := verdict.Verdict{
		Unit: r.input.Unit.ID, Profile: r.input.Profile.Name, Draft: r.input.Profile.Draft, Result: result(err),
		Place: r.Place.Kind(), Systemd: r.input.Version,
		Applied: []verdict.Applied{}, Demotions: []verdict.Demotion{}, LeftOut: []verdict.LeftOut{},
		Advisories: []verdict.Evidence{}, Fingerprint: r.before,
	}
	if v.Result == "" {
		return v, err
	}
	if err != nil {
		v.Reason = err.Error()
	}
	if r.series.placeFault != "" {
		v.Result, v.Reason = verdict.Inconclusive, inconclusive(r.series.placeFault, err)
	}
	if v.Works() {
		v.Use = r.use(found)
		if !v.Use.Used() {
			v.Result = verdict.Started
			v.Reason = "nobody used it: no required check that uses it has run"
		}
		v.Applied, v.Dropin = append(v.Applied, found.Plan.Applied()...), found.Plan.Text()
		v.Demotions = append(v.Demotions, nameSecrets(found.Demotions, r.input.Secrets)...)
		v.LeftOut = append(v.LeftOut, found.Plan.LeftOut...)
		v.Bypassed = bypassed(found.Result)
		v.Advisories = append(v.Advisories, r.advisories(found)...)
	}
	if v.Works() && r.Tighten {
		if v.Loose, err = search.Tighten(ctx, r.input, r.series, r, found); err != nil {
			return v, err
		}
	}
	v.Trials = r.series.launches
	v.Exposure, err = offline.Exposure(r.input.Unit, generator.Dropin, v.Dropin, r.input.Version)
	return v, err
}

// use says how much of the service the trials used.
func (r *run) use(found search.Outcome) *verdict.Use {
	use := usage.Launches{
		Unit: r.input.Unit, Version: r.input.Version,
		Checks: r.input.Profile.Checks, Baselines: r.series.baselines, Hardened: found.Result,
		SetAside: r.series.setAside,
		Made:     func(name string) bool { return !r.series.ExistedAtStart(name) },
	}.Use()
	return &use
}

// inconclusive is the reason of a verdict if the place may be at fault.
func inconclusive(fault string, err error) string {
	if err != nil {
		fault += ": " + err.Error()
	}
	return "this place cannot show whether it works: " + fault
}

// result is the verdict that follows from the error of a search; "" if the error is a failure of the harness.
func result(err error) string {
	switch {
	case err == nil:
		return verdict.Proven
	case errors.Is(err, search.ErrBroken):
		return verdict.BrokenBaseline
	case errors.Is(err, search.ErrFlaky):
		return verdict.Flaky
	case scarce.Is(err):
		return verdict.Inconclusive
	}
	return ""
}
