package renew

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"temper/generator"
	"temper/internal/verdict"
)

// tell says when what was found about units takes effect. A unit that needs something which it was forbidden until now
// is started again where the settings want that.
func (r run) tell(
	ctx context.Context, settings generator.Settings, before map[string]staleUnit, now []generator.Decision,
) error {
	var problems []error
	for _, d := range now {
		was, proven := before[d.Unit]
		if !proven || d.Text == was.decision.Text {
			continue
		}
		needs := newDemotions(was.decision, d)
		switch {
		case d.Verdict == nil || d.Verdict.Stale || !d.Verdict.Works():
		case len(needs) == 0:
			r.say("%s: what was proven takes effect when it is started again", d.Unit)
		case settings.Restart != generator.RestartDemoted:
			r.alarm("%s needs what it is forbidden until now (%s). What it needs is allowed once it is restarted: "+
				"systemctl restart %s", d.Unit, strings.Join(needs, ", "), d.Unit)
		default:
			problems = append(problems, r.restart(ctx, d.Unit, needs))
		}
	}
	return errors.Join(problems...)
}

func (r run) restart(ctx context.Context, unit string, needs []string) error {
	restarted, err := r.machine.Restart(ctx, unit)
	if err != nil {
		return fmt.Errorf("restart %s, which needs what it is forbidden until now: %w", unit, err)
	}
	if restarted {
		r.alarm("%s needed what it was forbidden until now (%s), and was restarted with that", unit,
			strings.Join(needs, ", "))
	}
	return nil
}

// newDemotions lists the directives that a proof has stepped down and that were in force before.
func newDemotions(before, now generator.Decision) []string {
	if before.Text == "" || now.Verdict == nil {
		return nil
	}
	var names []string
	for _, d := range now.Verdict.Demotions {
		isIt := func(old verdict.Demotion) bool { return old.Directive == d.Directive && old.To == d.To }
		if before.Verdict != nil && slices.ContainsFunc(before.Verdict.Demotions, isIt) {
			continue
		}
		names = append(names, d.Directive+"=")
	}
	return names
}
