package blame

import (
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/verdict"
	"temper/needs"
)

// Needed proposes what would allow a need to a service, against every directive of the plan that would refuse it.
func (s Service) Needed(n needs.Need, plan []Applied) []Proposal {
	r := witness.Restriction{Kind: n.Kind, Subject: n.Subject}
	switch dir, all := strings.CutSuffix(n.Subject, "/"); {
	case all && n.Kind == refusal.PathReadOnly:
		r.Subject = dir + "/*" // some file below it, whose directory has to be writable
	case all:
		r.Subject = dir
	}
	if s.isMountedOver(r, plan) {
		return nil
	}
	var list []Proposal
	for _, a := range s.suspects(r, plan) {
		p := s.proposal(a, r, verdict.Evidence{Kind: "used", Text: n.Evidence()})
		p.Refused = r
		if !s.allows(p, plan) {
			list = append(list, p)
		}
	}
	return list
}

// isMountedOver reports whether a directive of the plan gives the service something writable where it would otherwise
// not write.
func (s Service) isMountedOver(r witness.Restriction, plan []Applied) bool {
	if r.Kind != refusal.PathReadOnly {
		return false
	}
	return slices.ContainsFunc(plan, func(a Applied) bool {
		for _, m := range a.Directive.Mounts {
			mounted := a.Lines != nil && m.Value == "" && s.input.Version >= m.Since
			if mounted && m.Writable && host.Below(m.Path, r.Subject) {
				return true
			}
		}
		return false
	})
}

// allows reports whether the plan has the exact exceptions of a proposal already.
func (s Service) allows(p Proposal, plan []Applied) bool {
	return len(p.Names) > 0 && slices.ContainsFunc(plan, func(a Applied) bool {
		if a.Directive != p.Directive {
			return false
		}
		granted := a.Directive.Grants(a.Lines, s.input.Version)
		return !slices.ContainsFunc(p.Names, func(name string) bool {
			return !slices.ContainsFunc(granted, func(g string) bool {
				return a.Directive.Gives(g, p.Refused.Kind, name, s.input.Version)
			})
		})
	})
}
