package generator

import (
	"fmt"
	"slices"
	"strings"

	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// Decision says what the generator does about one unit.
type Decision struct {
	Unit    string
	Profile *profiles.Profile // nil: no profile matches
	Named   bool
	Verdict *verdict.Verdict // nil: there is none; Stale and StaleReason are set
	Plan    Plan             // of the profile, with the demotions of the verdict if it applies
	Text    string           // the drop-in that is written; "" = none
	Why     string           // the reason for Text, in words
	By      Rule             // what has decided

	NeedsProof bool // the unit as it is now has no valid verdict
}

// Hardens reports whether the drop-in has directives of a profile. Others only make a unit wait, or hide the drop-in of
// its template.
func (d Decision) Hardens() bool { return strings.Contains("\n"+d.Text, "\n[Service]\n") }

// A Rule says what has decided about a unit. temper.toml(5) has the rules in the same order and words.
type Rule string

// The rules, in the order in which they are asked: the first that is true of a unit decides about it.
const (
	ByNoProfile Rule = "no profile"     // it is masked, or no profile matches it
	ByDropin    Rule = "50-temper.conf" // somebody else has a drop-in of temper's name
	ByExclude   Rule = "exclude"        // the setting
	ByOffSwitch Rule = "off switch"     // of all units, or of this one
	ByBoot      Rule = "critical"       // the boot needs it and no profile names it
	ByDraft     Rule = "draft"          // a key of the profile, which a person has to take away
	ByRevoked   Rule = "revoked"        // a person's word
	ByApply     Rule = "apply"          // the setting, or a key of the profile: it is only started
	ByProof     Rule = "proven"         // nothing has changed since
	ByStale     Rule = "stale"          // the setting: something has changed since the proof
	ByUnproven  Rule = "unproven"       // the setting: everything else
)

// Rules are all of them.
var Rules = []Rule{
	ByNoProfile, ByDropin, ByExclude, ByOffSwitch, ByBoot, ByDraft, ByRevoked, ByApply, ByProof, ByStale, ByUnproven,
}

// Decide decides about a loaded unit. The error says that a verdict cannot be read; the unit then keeps what was
// applied before, and counts as revoked if nothing was and the verdict is one of this machine.
func (g *Generator) Decide(u *unit.Unit) (Decision, error) { return g.decide(u, true) }

// amount says how much of what a verdict has proven applies to a unit.
type amount int

const (
	asProven  amount = iota // the text of the verdict, byte for byte
	asPlanned               // the plan for the unit as it is now, with the demotions of the verdict
	asTried                 // the same, but no directive and no stronger value that was not tried
	nothing
)

// afterChange says how much of a proof applies after a change, until the unit is proven again. After several changes,
// the smallest amount counts.
var afterChange = map[verdict.Change]amount{
	verdict.ExecutableChanged: asProven,
	verdict.ProgramChanged:    asProven,
	verdict.KernelChanged:     asProven,
	verdict.FormatChanged:     asProven,
	verdict.UnitChanged:       asPlanned,
	verdict.SystemdChanged:    asTried,
	verdict.ProfileChanged:    asTried,
	verdict.Unreadable:        asTried,
	verdict.NeverHere:         nothing,
	verdict.NoFingerprint:     nothing,
}

// whatApplies looks up how much of a verdict on a unit with this profile applies.
func (g *Generator) whatApplies(v *verdict.Verdict, p *profiles.Profile) amount {
	switch {
	case v == nil || !v.Works() || !g.Settings.Applies(v.Result, p):
		return nothing
	case v.Stale && g.Settings.Stale == Drop:
		return nothing
	}
	most := asProven
	if v.Systemd != g.Version { // a packager proved the unit with another systemd
		most = asTried
	}
	for _, change := range v.Changes {
		most = max(most, afterChange[change])
	}
	return most
}

// planInput returns the input of the plan for this amount.
func (a amount) planInput(in Input, v *verdict.Verdict) Input {
	in.Demotions = v.Demotions
	if a == asTried {
		in.Tried = v
	}
	return in
}

// text is the drop-in for this amount.
func (a amount) text(v *verdict.Verdict, plan Plan) string {
	if a == asProven {
		return v.Dropin
	}
	return plan.Text()
}

// decide makes a plan only where the text depends on it, unless explain asks for one.
func (g *Generator) decide(u *unit.Unit, explain bool) (Decision, error) {
	d := Decision{Unit: u.Name}
	d.Profile, d.Named = g.Profiles.For(u)
	if d.Profile == nil {
		d.Verdict = g.withUnusableProfiles()[u.ID]
	}
	if d.By, d.Why = g.leavesAlone(u, d); d.Why != "" {
		return d, nil
	}
	if d.Profile == nil {
		d.By, d.Text = ByStale, g.guarded(u, d.Verdict.Dropin)
		d.Why = "stays as proven before; its profile " + d.Verdict.Profile + " has an error: temper check"
		return d, nil
	}
	if err := g.keepsUnread(u, &d); err != nil {
		return d, err
	}
	input := g.Input(u, d.Profile, d.Named)
	v, err := g.findVerdict(input)
	d.Verdict = v
	if d.Profile.Draft {
		d.isDraft(input, explain)
		return d, err
	}
	d.NeedsProof = (err == nil || v != nil) && needsProof(u, d)
	if v != nil && v.Result == verdict.Revoked {
		d.By, d.Why = ByRevoked, whyRevoked(v, u.ID)
		return d, err
	}
	d.By = ruleOf(v)
	if how := g.whatApplies(v, d.Profile); how != nothing {
		if explain || how != asProven {
			d.Plan = NewPlan(how.planInput(input, v))
		}
		d.Text, d.Why = g.guarded(u, how.text(v, d.Plan)), whyApplied(v, g.Version)
		return d, err
	}
	if explain || g.Settings.Unproven == Enforce {
		d.Plan = NewPlan(input)
	}
	g.applyWithoutProof(u, &d)
	return d, err
}

// keepsUnread decides about a unit of which something could not be read, which the error says. What applied before goes
// on applying, byte for byte: a plan would be made without what the unit forbids there.
func (g *Generator) keepsUnread(u *unit.Unit, d *Decision) error {
	err := u.Without(Dropin).Unread()
	if err == nil || d.Profile.Draft { // a draft never applies
		return nil
	}
	d.By, d.Why = ByUnproven, "a part of it cannot be read; nothing is applied before it can"
	if v := g.appliedBefore(u.ID, d.Profile.Name); v != nil && g.Settings.Stale != Drop {
		v.StaleReason = "a part of it cannot be read"
		d.Verdict, d.By, d.Text = v, ByStale, g.guarded(u, v.Dropin)
		d.Why = "stays as before, " + v.StaleReason
	}
	return fmt.Errorf("%s: %w", u.ID, err)
}

// ruleOf returns the rule for a unit that is not left alone.
func ruleOf(v *verdict.Verdict) Rule {
	switch {
	case v != nil && v.Result == verdict.Started && !v.Stale:
		return ByApply
	case v == nil || !v.Works() || slices.ContainsFunc(v.Changes, neverApplies):
		return ByUnproven
	case v.Stale:
		return ByStale
	}
	return ByProof
}

func neverApplies(c verdict.Change) bool { return afterChange[c] == nothing }

// needsProof reports whether a unit is to be proven: its verdict is stale, or it has none and its profile names it. If
// an attempt on the unit as it is now was inconclusive, the unit is not tried again before something changes.
func needsProof(u *unit.Unit, d Decision) bool {
	if d.Verdict != nil {
		return d.Verdict.Stale && !d.Verdict.Tried && !d.Verdict.Newer()
	}
	return u.Fragment != "" && !unit.IsTemplate(u.ID) && slices.Contains(d.Profile.Units, u.ID)
}

// isDraft decides about a unit whose profile is a draft. To explain that, it plans what would be applied.
func (d *Decision) isDraft(in Input, explain bool) {
	d.By = ByDraft
	d.Why = fmt.Sprintf("%s; a draft: nothing is applied before draft = true is taken out of %s",
		whyUnproven(d.Verdict), d.Profile.Path)
	if d.Verdict != nil {
		in.Demotions = d.Verdict.Demotions
	}
	if explain {
		d.Plan = NewPlan(in)
	}
}

// whyRevoked says in words why nothing is applied that a person does not ask for.
func whyRevoked(v *verdict.Verdict, id string) string {
	why := "revoked"
	if v.Reason != "" {
		why = v.Reason + " and counts as revoked"
	}
	return why + "; nothing is applied before temper prove " + id
}

// whyApplied says in words why a proof applies.
func whyApplied(v *verdict.Verdict, systemd int) string {
	why := v.Summary()
	switch {
	case v.Stale:
		why = "stays as " + v.Result + " before, " + v.StaleReason
	case v.Systemd != systemd:
		why += fmt.Sprintf(" with systemd %d", v.Systemd)
	}
	if v.Newer() {
		why += "; a newer temper has proven it, and this one leaves that alone"
	}
	if v.LastAttempt != nil {
		why += "; the last attempt was " + v.LastAttempt.Result
	}
	return why
}

// applyWithoutProof decides by the setting unproven what a unit gets that has no verdict, a stale one or one that is
// not proven.
func (g *Generator) applyWithoutProof(u *unit.Unit, d *Decision) {
	v := d.Verdict
	// The verdict is about the unit as it is now.
	holds := v != nil && !v.Stale && v.Result != verdict.Inconclusive
	switch g.Settings.Unproven {
	case Enforce:
		if holds && v.Result == verdict.Broken {
			d.Why = whyUnproven(v) + "; nothing is applied before something changes, or temper prove"
			return
		}
		d.Text, d.Why = g.guarded(u, d.Plan.Text()), whyUnproven(v)+"; unproven = \"enforce\" applies everything"
	case Prove:
		switch {
		case startsEarly(u):
			d.Why = whyUnproven(v) + "; starts too early to be proven before"
		case holds:
			d.Why = whyUnproven(v) + "; not proven again before something changes, or temper prove"
		default:
			d.Text, d.Why = proveFirst, whyUnproven(v)+"; proven before it starts"
		}
	default:
		d.Why = whyUnproven(v) + "; nothing is applied until it is proven"
		if v != nil && !v.Stale && v.Result == verdict.Started {
			d.Why = whyUnproven(v) + "; nothing is applied until a check of its profile uses it"
		}
	}
}

// whyUnproven says in words why there is no proof.
func whyUnproven(v *verdict.Verdict) string {
	switch {
	case v == nil:
		return "no verdict"
	case v.Stale && v.Fingerprint.Shipped():
		return "the shipped verdict does not hold here, different: " +
			strings.TrimPrefix(v.StaleReason, "changed since: ")
	case v.Stale:
		return "the verdict is stale, " + v.StaleReason
	}
	return "the verdict is " + v.Summary()
}

// proveFirst is the drop-in that makes a unit, or every instance of a template, wait until it is proven; see
// packaging/systemd/temper-prove@.service.
const proveFirst = `# Written by temper-generator(8): proven before its first start.

[Unit]
Wants=temper-prove@%N.service
After=temper-prove@%N.service
`

// startsEarly reports whether a unit may start before D-Bus and other services that proving needs.
func startsEarly(u *unit.Unit) bool {
	a, _ := u.Last("Unit", "DefaultDependencies")
	yes, ok := unit.Bool(a.Value)
	return IsCritical(u.ID) || ok && !yes
}
