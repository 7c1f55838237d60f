package harness

import (
	"slices"

	"temper/analyzer/exposure"
	"temper/generator"
	"temper/internal/directive"
	"temper/internal/offline"
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
