package generator

import (
	"fmt"

	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// Decision is what the generator does about one unit.
type Decision struct {
	Unit    string
	Profile *profiles.Profile // nil: no profile matches
	Named   bool
	Verdict *verdict.Verdict // nil: there is none; Stale and StaleReason are filled in
	Plan    Plan             // what the profile and a fresh verdict's demotions amount to
	Text    string           // the drop-in that is written; "" = none
	Why     string           // in words
}

// Decide decides about a loaded unit. The error tells of a verdict that cannot be read, which counts as none.
func (g *Generator) Decide(u *unit.Unit) (Decision, error) { return g.decide(u, true) }

// decide makes a plan only where the text depends on it, unless explain asks for one.
func (g *Generator) decide(u *unit.Unit, explain bool) (Decision, error) {
	d := Decision{Unit: u.Name}
	d.Profile, d.Named = g.Profiles.For(u)
	if d.Why = g.leavesAlone(u, d); d.Why != "" {
		return d, nil
	}
	input := g.Input(u, d.Profile, d.Named)
	v, err := g.findVerdict(input)
	d.Verdict = v
	if isProven(v) {
		input.Demotions = v.Demotions
		if explain || v.Systemd != g.Version {
			d.Plan = NewPlan(input)
		}
		g.applyProof(u, &d)
		return d, err
	}
	if explain || g.Settings.Unproven == Enforce {
		d.Plan = NewPlan(input)
	}
	g.applyWithoutProof(u, &d)
	return d, err
}

// isProven reports whether a verdict holds for the unit as it is now.
func isProven(v *verdict.Verdict) bool { return v != nil && !v.Stale && v.Result == verdict.Proven }

// applyProof decides what a unit gets whose verdict holds: the text of the verdict as it is. Where a packager proved it
// with another systemd, it is the plan for this one, without what that one did not try.
func (g *Generator) applyProof(u *unit.Unit, d *Decision) {
	if d.Verdict.Systemd == g.Version {
		d.Text, d.Why = g.guarded(u, d.Verdict.Dropin), "proven"
		return
	}
	d.Plan = d.Plan.tried(d.Verdict)
	d.Text, d.Why = g.guarded(u, d.Plan.Text()), fmt.Sprintf("proven with systemd %d", d.Verdict.Systemd)
}

// applyWithoutProof decides what a unit gets that has no verdict, a stale one or one that is not proven: what the
// setting unproven says.
func (g *Generator) applyWithoutProof(u *unit.Unit, d *Decision) {
	v := d.Verdict
	holds := v != nil && !v.Stale // it says what is the matter with the unit as it is now
	switch g.Settings.Unproven {
	case Enforce:
		if holds && v.Result == verdict.Broken {
			d.Why = unproven(v) + "; nothing is applied before something changes, or temper revoke"
			return
		}
		d.Text, d.Why = g.guarded(u, d.Plan.Text()), unproven(v)+"; unproven = \"enforce\" applies everything"
	case Prove:
		switch {
		case startsEarly(u):
			d.Why = unproven(v) + "; starts too early to be proven before"
		case holds:
			d.Why = unproven(v) + "; not proven again before something changes, or temper revoke"
		default:
			d.Text, d.Why = proveFirst, unproven(v)+"; proven before it starts"
		}
	default:
		d.Why = unproven(v) + "; nothing is applied until it is proven"
	}
}

// unproven says in words why there is no proof.
func unproven(v *verdict.Verdict) string {
	switch {
	case v == nil:
		return "no verdict"
	case v.Stale:
		return "the verdict is stale, " + v.StaleReason
	}
	return "the verdict is " + v.Result
}

// proveFirst is the drop-in that makes a unit, or every instance of a template, wait until it was proven; see
// packaging/systemd/temper-prove@.service.
const proveFirst = `# Written by temper-generator(8): proven before its first start.

[Unit]
Wants=temper-prove@%N.service
After=temper-prove@%N.service
`

// startsEarly reports whether a unit may start before the bus and the rest of what proving needs.
func startsEarly(u *unit.Unit) bool {
	a, _ := u.Last("Unit", "DefaultDependencies")
	yes, ok := unit.Bool(a.Value)
	return isCritical(u.ID) || ok && !yes
}
