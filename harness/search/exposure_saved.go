package search

import (
	"slices"

	score "temper/analyzer/exposure"
	"temper/generator"
	"temper/internal/directive"
	"temper/internal/offline"
)

// savings is by how much each directive of the full plan lowers the exposure, without rounding. If a unit cannot be
// scored, it is the same for all directives.
func savings(in generator.Input) map[*directive.Directive]float64 {
	full := generator.NewPlan(in)
	least := exposure(in, full)
	saved := map[*directive.Directive]float64{}
	for _, item := range full.Items {
		without := full
		without.Items = slices.DeleteFunc(
			slices.Clone(full.Items),
			func(i generator.Item) bool { return i.Directive == item.Directive },
		)
		saved[item.Directive] = exposure(in, without) - least
	}
	return saved
}

// exposure scores the unit under a plan; 0 where it cannot be scored.
func exposure(in generator.Input, plan generator.Plan) float64 {
	hardened := in.Unit
	if text := plan.Text(); text != "" {
		var err error
		if hardened, err = in.Unit.With(generator.Dropin, text); err != nil {
			return 0
		}
	}
	report, err := offline.Sum(hardened, score.Options{Version: in.Version})
	if err != nil {
		return 0
	}
	return report.Unrounded()
}
