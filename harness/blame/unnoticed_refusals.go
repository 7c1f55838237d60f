package blame

import (
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/refusal"
	"temper/internal/values"
	"temper/internal/verdict"
	"temper/profiles"
)

// Unnoticed lists the refusals of a launch that passed, which no check noticed. The refusals are those that no launch
// without hardening had.
func (s Service) Unnoticed(refused witness.Record, plan []Applied) []verdict.Evidence {
	var list []verdict.Evidence
	for _, d := range refused.Denials {
		for _, r := range d.Restrictions() {
			found := s.accusations(r, plan)
			if len(found) == 0 {
				continue
			}
			found = append(found, s.refusedNext(d, refused, plan)...)
			list = append(list, verdict.Evidence{Kind: "refused", Text: d.String() + s.advice(found, plan)})
			break
		}
	}
	return list
}

// An accusation is a directive of a plan, and the restriction that it causes.
type accusation struct {
	Applied
	restriction witness.Restriction
}

func (s Service) accusations(r witness.Restriction, plan []Applied) []accusation {
	var list []accusation
	for _, a := range s.suspects(r, plan) {
		list = append(list, accusation{a, r})
	}
	return list
}

// refusedNext returns what would refuse a call if no filter did: the kernel then asks for a capability that the
// service has without hardening and not under the plan.
func (s Service) refusedNext(d witness.Denial, refused witness.Record, plan []Applied) []accusation {
	var list []accusation
	if !d.Filtered {
		return nil
	}
	for _, name := range d.SuspectedCapabilities() {
		c, ok := values.ParseCapability(name)
		if ok && refused.UsedBefore.Has(c) {
			list = append(list, s.accusations(witness.Restriction{Kind: refusal.Capability, Subject: name}, plan)...)
		}
	}
	return list
}

// advice names every directive that causes a refusal, and the lines of a profile with which none causes it.
func (s Service) advice(found []accusation, plan []Applied) string {
	var by, lines, weaker []string
	for _, a := range found {
		name := a.Directive.Name + "="
		if slices.Contains(by, name) {
			continue
		}
		by = append(by, name)
		switch line := s.profileLine(s.proposal(a.Applied, a.restriction, verdict.Evidence{}), plan); {
		case line == "":
			weaker = append(weaker, name)
		case !slices.Contains(lines, line):
			lines = append(lines, line)
		}
	}
	text := "; by " + strings.Join(by, " and ")
	if len(lines) > 0 {
		text += "; to allow it: " + strings.Join(lines, " and ")
	}
	if len(lines) > 0 && len(weaker) > 0 {
		text += ", and a weaker " + strings.Join(weaker, " and ")
	}
	return text
}

// profileLine is the line of a profile that makes the exceptions of a proposal; empty if no line can. It replaces the
// line that the profile has or inherits, so it contains all of that line and the exceptions that the search has added.
// It leaves out the secrets of other services, since they are not part of the profile.
func (s Service) profileLine(p Proposal, plan []Applied) string {
	set, _ := s.input.Profile.Setting(p.Directive.Name)
	var allowed []string
	if i := slices.IndexFunc(plan, func(a Applied) bool { return a.Directive == p.Directive }); i >= 0 {
		allowed = plan[i].Allowed
	}
	more := slices.DeleteFunc(slices.Clone(p.Names), func(n string) bool { return slices.Contains(allowed, n) })
	if len(more) == 0 {
		return ""
	}
	lines := p.Directive.Allow(set.Values, slices.Concat(allowed, more), s.input.Version)
	if slices.Equal(lines, set.Values) {
		return ""
	}
	return profiles.Setting{Name: p.Directive.Name, Values: lines}.Line()
}
