package harness

import (
	"slices"

	"temper/analyzer/exposure"
	"temper/generator"
	"temper/internal/directive"
	"temper/internal/offline"
	"temper/internal/verdict"
)

// worth is the exposure that each directive of the full plan saves, finer than a tenth.
func (r *run) worth() func(*directive.Directive) float64 {
	full := generator.NewPlan(r.input)
	base := r.fine(full)
	saved := map[*directive.Directive]float64{}
	for _, item := range full.Items {
		without := full
		without.Items = slices.DeleteFunc(slices.Clone(full.Items), func(i generator.Item) bool { return i.Directive == item.Directive })
		saved[item.Directive] = r.fine(without) - base
	}
	return func(d *directive.Directive) float64 { return saved[d] }
}

// fine scores the unit under a plan; 0 where that cannot be scored, which makes all directives equal.
func (r *run) fine(plan generator.Plan) float64 {
	u := r.input.Unit
	if text := plan.Text(); text != "" {
		hardened, err := u.With(generator.Dropin, text)
		if err != nil {
			return 0
		}
		u = hardened
	}
	report, err := offline.Score(u, exposure.Options{Version: r.input.Version})
	if err != nil {
		return 0
	}
	return report.Fine()
}

// exposureOf scores the unit without and with a drop-in.
func exposureOf(in generator.Input, dropin string) (verdict.Exposure, error) {
	var e verdict.Exposure
	before, err := offline.Score(in.Unit, exposure.Options{Version: in.Version})
	if err != nil {
		return e, err
	}
	e.Before, e.After = float64(before.Exposure)/10, float64(before.Exposure)/10
	if dropin == "" {
		return e, nil
	}
	hardened, err := in.Unit.With(generator.Dropin, dropin)
	if err != nil {
		return e, err
	}
	after, err := offline.Score(hardened, exposure.Options{Version: in.Version})
	e.After = float64(after.Exposure) / 10
	return e, err
}
