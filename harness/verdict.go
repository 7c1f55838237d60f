package harness

import (
	"context"
	"errors"

	"temper/generator"
	"temper/harness/search"
	"temper/internal/offline"
	"temper/internal/verdict"
)

// verdict searches and writes down what was found. The error is set where that is no verdict.
func (r *run) verdict(ctx context.Context) (verdict.Verdict, error) {
	found, err := search.Run(ctx, r.input, r.series, r)
	v := verdict.Verdict{
		Unit: r.input.Unit.ID, Profile: r.input.Profile.Name, Result: result(err), Place: r.Place.Kind(),
		Systemd: r.input.Version,
		Applied: []verdict.Applied{}, Demotions: []verdict.Demotion{}, LeftOut: []verdict.LeftOut{},
		Advisories: []verdict.Evidence{}, Fingerprint: r.before,
	}
	if v.Result == "" {
		return v, err
	}
	if err != nil {
		v.Reason = err.Error()
	}
	if r.series.doubt != "" {
		v.Result, v.Reason = verdict.Inconclusive, inconclusive(r.series.doubt, err)
	}
	if v.Result == verdict.Proven {
		v.Applied, v.Dropin = append(v.Applied, found.Plan.Applied()...), found.Plan.Text()
		v.Demotions = append(v.Demotions, tellSecrets(found.Demotions, r.input.Secrets)...)
		v.LeftOut = append(v.LeftOut, found.Plan.LeftOut...)
		v.Advisories = append(v.Advisories, r.advisories(found)...)
	}
	if v.Result == verdict.Proven && r.Tighten {
		if v.Loose, err = search.Tighten(ctx, r.input, r.series, r, found); err != nil {
			return v, err
		}
	}
	v.Trials = r.series.count
	v.Exposure, err = offline.Exposure(r.input.Unit, generator.Dropin, v.Dropin, r.input.Version)
	return v, err
}

// inconclusive is the reason of a verdict that the place leaves in doubt.
func inconclusive(doubt string, err error) string {
	if err != nil {
		doubt += ": " + err.Error()
	}
	return "this place cannot show whether it works: " + doubt
}

// result is the verdict that the end of a search amounts to; "" where it is no verdict but a failure of the harness.
func result(err error) string {
	switch {
	case err == nil:
		return verdict.Proven
	case errors.Is(err, search.ErrBroken):
		return verdict.BrokenBaseline
	case errors.Is(err, search.ErrFlaky):
		return verdict.Flaky
	}
	return ""
}
