package analysis

import (
	"context"
	"iter"

	"temper/analyzer/exposure"
	"temper/analyzer/online"
	"temper/analyzer/report"
)

// Running scores units as a manager knows them. If units is empty, it scores all loaded services that systemd-analyze
// lists.
func (a *Analysis) Running(ctx context.Context, manager online.Manager, units []string) iter.Seq[report.Entry] {
	if len(units) == 0 {
		return a.loaded(ctx, manager)
	}
	return func(yield func(report.Entry) bool) {
		for _, name := range units {
			u, _ := a.Source.One(name) // only for advice, and for the aliases that a policy may name
			if u != nil {
				name = u.Name
			}
			r, err := online.Score(ctx, manager, a.Source.InstanceOf(name), a.Options)
			if !yield(a.advise(a.entry(name, u, r, err), u, len(units))) {
				return
			}
		}
	}
}

func (a *Analysis) loaded(ctx context.Context, manager online.Manager) iter.Seq[report.Entry] {
	return func(yield func(report.Entry) bool) {
		services, err := online.Services(ctx, manager, a.Options)
		if err != nil {
			yield(report.Entry{Err: err})
			return
		}
		for _, s := range services {
			r, err := exposure.Assess(s, a.Options)
			if !yield(a.entry(s.Unit, nil, r, err)) {
				return
			}
		}
	}
}
