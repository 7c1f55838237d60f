package blame

import (
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/verdict"
	"temper/profiles"
)

// Unnoticed lists the refusals of a launch that passed, which no check noticed. The refusals are those that no launch
// without hardening had.
func (s Service) Unnoticed(refused witness.Record, plan []Applied) []verdict.Evidence {
	var list []verdict.Evidence
	for _, c := range deniedSymptoms(refused) {
		for _, r := range c.restrictions {
			if found := s.suspects(r, plan); len(found) > 0 {
				list = append(list, verdict.Evidence{Kind: "refused", Text: c.evidence.Text + s.advice(r, found, plan)})
				break
			}
		}
	}
	return list
}

// advice names every directive that causes a restriction, and the lines of a profile with which none causes it.
func (s Service) advice(r witness.Restriction, found, plan []Applied) string {
	var by, lines, weaker []string
	for _, a := range found {
		name := a.Directive.Name + "="
		by = append(by, name)
		switch line := s.profileLine(s.proposal(a, r, verdict.Evidence{}), plan); {
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
