// Package generator turns profiles and verdicts into drop-ins.
//
// [NewPlan] is the one function from a unit, a profile and demotions to what is assigned and why; [Plan.Text] is the
// drop-in. The generator writes that text at boot and the harness starts each trial with the same bytes, so what was
// proven is what is applied. [Generator] decides which units get a drop-in.
//
// A plan never weakens a unit: see temper/internal/directive for the merge.
package generator

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"temper/internal/directive"
	"temper/internal/ready"
	"temper/internal/refusal"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// Dropin is the base name of every drop-in that temper writes: it sorts before the override.conf of `systemctl edit`,
// and a link of that name to /dev/null in /etc/systemd/system/UNIT.d opts the unit out.
const Dropin = ready.Name

// Input is everything that a plan depends on.
type Input struct {
	Unit      *unit.Unit // temper's own drop-in is ignored
	Profile   *profiles.Profile
	Named     bool // the profile has the unit's name, not just a glob that matches it
	Demotions []verdict.Demotion
	Tried     *verdict.Verdict  // the plan is no stronger than what this verdict applied; nil = no bound
	Secrets   []profiles.Secret // sensitive paths of other services
	Version   int               // of systemd
}

// Digest identifies what a profile asks of the unit, for the fingerprint of a verdict: the profile, whether it names
// the unit, and the secrets of other services.
func (in Input) Digest() string {
	if in.Named && len(in.Secrets) == 0 {
		return in.Profile.Digest
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%t\x00", in.Profile.Digest, in.Named)
	for _, s := range in.Secrets {
		fmt.Fprintf(h, "%s\x00", s.Path)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// A Plan is what temper adds to one unit.
type Plan struct {
	Unit    string
	Profile string
	Items   []Item // in the order of the directive table
	LeftOut []verdict.LeftOut
}

// An Item is one directive of a plan.
type Item struct {
	Directive *directive.Directive
	Want      []string // what the profile asks for, demotions applied
	Lines     []string // the values to assign, in order
	Note      string   // how Lines differ from Want and why; "" if they do not
	From      string   // the profile that sets the directive
	Pos       unit.Position
}

// NewPlan computes the plan for a unit. It is pure: equal inputs give equal plans.
func NewPlan(in Input) Plan {
	own := in.Unit.Without(Dropin)
	plan := Plan{Unit: in.Unit.Name, Profile: in.Profile.Name}
	c := context(own, in.Version)
	all := wanted(in)
	if in.Tried != nil {
		all = plan.onlyTried(all, in)
	}
	var needs []directive.Need
	if !in.Named {
		needs = Needs(own, in.Version)
	}
	plan.Items = make([]Item, 0, len(all))
	all = beside(all)
	find := newFinder(own, c, all)
	for _, want := range all {
		if reason := leftAlone(own, want.Directive); reason != "" {
			plan.leaveOut(want, reason)
			continue
		}
		if want.Lines == nil {
			plan.leaveOut(want, "demoted: the service does not survive it")
			continue
		}
		spared, kept := Spare(want.Directive, want.Lines, needs, in.Version)
		if want.Lines = spared; spared == nil {
			plan.leaveOut(want, "takes what the vendor's unit grants by name, which only a profile that names the unit "+
				"does: "+strings.Join(kept, ", "))
			continue
		}
		opened, why := find.opens(want, in.Version)
		if want.Lines = opened; opened == nil {
			plan.leaveOut(want, why)
			continue
		}
		merged := want.Directive.Merge(c, want.Lines)
		vendor := assignments(own, want.Directive.Is)
		switch {
		case merged.Lines == nil:
			plan.leaveOut(want, merged.Note)
			continue
		case len(vendor) > 0 && !in.Named && !merged.Adds:
			a := vendor[len(vendor)-1]
			plan.leaveOut(want, fmt.Sprintf(
				"%s: the vendor sets %q; only a profile that names the unit changes that", a.Pos, a.Value))
			continue
		}
		want.Want, want.Lines = want.Lines, merged.Lines
		notes := []string{merged.Note, why}
		if len(kept) > 0 {
			notes = append(notes, "keeps what the vendor's unit grants by name: "+strings.Join(kept, ", "))
		}
		want.Note = strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), "; ")
		plan.Items = append(plan.Items, want)
	}
	return plan
}

func (p *Plan) leaveOut(i Item, reason string) {
	p.LeftOut = append(p.LeftOut, verdict.LeftOut{Directive: i.Directive.Name, Reason: reason})
}

// wanted lists what the profile asks for, with demotions and the secrets of other services applied, in the order of the
// table. Lines holds the wanted values; it is nil if a demotion turned the directive off.
func wanted(in Input) []Item {
	items := make([]Item, 0, len(in.Profile.Service)+len(in.Demotions)+1)
	for _, s := range in.Profile.Service {
		if d, ok := directive.Lookup(s.Name); ok {
			items = append(items, Item{Directive: d, Lines: s.Values, From: s.Profile, Pos: s.Pos})
		}
	}
	for _, s := range in.Secrets {
		items = addLine(items, s.Path, s.Profile)
	}
	for _, demotion := range in.Demotions {
		d, ok := directive.Lookup(demotion.Directive)
		if !ok {
			continue // a newer temper wrote this directive: leaving it out only weakens the plan
		}
		i := slices.IndexFunc(items, func(i Item) bool { return i.Directive == d })
		if i < 0 {
			items = append(items, Item{Directive: d, From: in.Profile.Name})
			i = len(items) - 1
		}
		items[i].Lines = demotion.Lines()
	}
	slices.SortStableFunc(items, func(a, b Item) int { return directive.Compare(a.Directive, b.Directive) })
	return items
}

// addLine adds a path that only its owner may see.
func addLine(items []Item, path, owner string) []Item {
	d := directive.Hiding()
	if i := slices.IndexFunc(items, func(i Item) bool { return i.Directive == d }); i >= 0 {
		items[i].Lines = append(slices.Clone(items[i].Lines), path)
		return items
	}
	return append(items, Item{Directive: d, Lines: []string{path}, From: owner})
}

// context is the unit as the merge sees it, with those specifiers expanded whose value is in a file.
func context(u *unit.Unit, version int) directive.Context {
	lines := map[string][]string{}
	own := assignments(u, func(string) bool { return true })
	for _, a := range slices.Concat(own, u.Inherited) {
		value, err := u.Expand(a.Value)
		if err != nil { // the merge takes a remaining specifier for any text
			value = u.ExpandNames(a.Value)
		}
		name := directive.Canonical(a.Name)
		lines[name] = append(lines[name], value)
		if d, known := directive.Lookup(name); known && d.ResetsToo != "" && value == "" {
			lines[d.ResetsToo] = append(lines[d.ResetsToo], "")
		}
	}
	return directive.NewContext(version, lines)
}

// assignments returns the assignments of [Service] whose name satisfies is, in order.
func assignments(u *unit.Unit, is func(name string) bool) []unit.Assignment {
	var all []unit.Assignment
	for _, a := range u.Assignments {
		if a.Section == "Service" && is(a.Name) {
			all = append(all, a)
		}
	}
	return all
}

// beside gives each item the lines that hold beside the others.
func beside(items []Item) []Item {
	lines := map[string][]string{}
	for _, i := range items {
		lines[i.Directive.Name] = i.Lines
	}
	for k, i := range items {
		items[k].Lines = i.Directive.Beside(i.Lines, lines)
	}
	return items
}

// leftAlone returns why temper must not set a directive in a unit, or "". What hides files is left out with the lists
// of what the service sees in spite of it.
func leftAlone(u *unit.Unit, d *directive.Directive) string {
	for _, kind := range []refusal.Kind{refusal.PathHidden, refusal.PathReadOnly} {
		if list := d.Showing(kind); list != nil {
			if reason := protected(u, list); reason != "" {
				return list.Name + "=, which it needs, is left out: " + reason
			}
		}
	}
	return protected(u, d)
}

// protected returns why temper must not set a directive in a unit, or "".
func protected(u *unit.Unit, d *directive.Directive) string {
	for _, a := range assignments(u, d.Is) {
		switch {
		case ByAdministrator(a.Pos.Path):
			return fmt.Sprintf("%s: the administrator sets %q", a.Pos, a.Value)
		case readAfter(u, a.Pos.Path):
			return fmt.Sprintf("%s: is read after temper's drop-in and would undo it", a.Pos)
		}
	}
	if a, ok := u.Last("Unit", "DefaultDependencies"); ok && d.Late {
		if yes, valid := unit.Bool(a.Value); valid && !yes {
			return fmt.Sprintf("%s: starts before temporary files are set up", a.Pos)
		}
	}
	return ""
}

// ByAdministrator reports whether a unit file or drop-in is the administrator's own: in /etc or /run, but not made by a
// generator.
func ByAdministrator(path string) bool {
	if strings.HasPrefix(path, "/run/systemd/generator") {
		return false
	}
	return strings.HasPrefix(path, "/etc/") || strings.HasPrefix(path, "/run/")
}

// readAfter reports whether systemd reads a drop-in of the unit after temper's.
func readAfter(u *unit.Unit, path string) bool {
	return path != u.Fragment && path[strings.LastIndex(path, "/")+1:] > Dropin
}

// Text is the text of the drop-in: equal plans have equal bytes. The text of an empty plan is "".
func (p Plan) Text() string {
	if len(p.Items) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by temper-generator(8) from the profile %s. Why: temper show %s\n\n", p.Profile, p.Unit)
	b.WriteString("[Service]\n")
	for _, a := range p.Applied() {
		fmt.Fprintf(&b, "%s=%s\n", a.Directive, escape(a.Value))
	}
	return b.String()
}

// escape doubles percent signs: profiles are plain text, and systemd must not find specifiers in them.
func escape(value string) string { return strings.ReplaceAll(value, "%", "%%") }

// Applied lists the assignments of the drop-in, in order.
func (p Plan) Applied() []verdict.Applied {
	var applied []verdict.Applied
	for _, i := range p.Items {
		for _, l := range i.Lines {
			applied = append(applied, verdict.Applied{Directive: i.Directive.Name, Value: l})
		}
	}
	return applied
}
