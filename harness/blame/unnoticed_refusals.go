package blame

import (
	"path"
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/host"
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
		refusal := s.denied(d)
		found := s.likeliest(refusal, plan)
		if len(found) == 0 {
			continue
		}
		found = append(found, s.refusedNext(d, refused, plan)...)
		refusal.evidence.Text += s.advice(found, plan)
		list = append(list, refusal.evidence)
	}
	return list
}

// An accusation is a directive of a plan, and the restriction that it causes.
type accusation struct {
	Applied
	restriction witness.Restriction
	together    bool // it is a cause beside the others, not instead of them
}

func (s Service) accusations(r witness.Restriction, plan []Applied) []accusation {
	var list []accusation
	for _, a := range s.suspects(r, plan) {
		list = append(list, accusation{Applied: a, restriction: r})
	}
	return list
}

// refusedNext returns what would refuse a call if no filter did: the kernel then asks for a capability that the
// service has without hardening and not under the plan, or the call wants one itself.
func (s Service) refusedNext(d witness.Denial, refused witness.Record, plan []Applied) []accusation {
	var list []accusation
	if !d.Filtered {
		return nil
	}
	for _, name := range d.SuspectedCapabilities() {
		c, _ := values.ParseCapability(name)
		wanted := d.Wanted()
		if wanted != 0 && !wanted.Has(c) || wanted == 0 && !refused.UsedBefore.Has(c) {
			continue
		}
		for _, a := range s.accusations(witness.Restriction{Kind: refusal.Capability, Subject: name}, plan) {
			a.together = wanted != 0
			list = append(list, a)
		}
	}
	return list
}

// An Exception is what a profile has to say so that none of several directives refuses something.
type Exception struct {
	Settings []profiles.Setting // exact: they allow nothing else
	Weaker   []string           // directives that can only be weakened
	Already  []string           // those of Weaker from which the profile makes that exception already
}

// Exception returns what a profile has to say so that no directive of the plan refuses what was found.
func (s Service) Exception(f Finding, plan []Applied) Exception {
	var found []accusation
	for _, a := range f.Refusers {
		found = append(found, accusation{Applied: a, restriction: f.Restriction})
	}
	return s.exceptionTo(found, plan)
}

func (s Service) exceptionTo(found []accusation, plan []Applied) (e Exception) {
	var done []string
	for _, a := range found {
		if slices.Contains(done, a.Directive.Name) {
			continue
		}
		done = append(done, a.Directive.Name)
		proposal := s.proposal(a.Applied, a.restriction, verdict.Evidence{})
		for _, b := range found {
			if b.together && b.Directive == a.Directive && b.restriction != a.restriction {
				more := s.proposal(b.Applied, b.restriction, verdict.Evidence{})
				proposal.Names = slices.Concat(proposal.Names, more.Names)
			}
		}
		setting, ok := s.profileSetting(proposal, plan)
		already := s.profileHas(proposal)
		known := slices.ContainsFunc(e.Settings, func(k profiles.Setting) bool { return k.Line() == setting.Line() })
		switch {
		case already:
			e.Weaker = append(e.Weaker, a.Directive.Name)
			e.Already = append(e.Already, a.Directive.Name)
		case !ok:
			e.Weaker = append(e.Weaker, a.Directive.Name)
		case !known:
			e.Settings = append(e.Settings, setting)
		}
	}
	return e
}

// profileHas reports whether the profile makes the exceptions of a proposal already.
func (s Service) profileHas(p Proposal) bool {
	set, _ := s.input.Profile.Setting(p.Directive.Name)
	has := func(name string) bool {
		return slices.ContainsFunc(set.Values, func(value string) bool {
			value = strings.TrimLeft(value, "-+")
			return value == name || path.IsAbs(value) && host.Below(value, strings.TrimPrefix(name, "+"))
		})
	}
	if p.Directive.With == "" {
		return len(p.Names) > 0 && slices.Equal(set.Values, p.Directive.Allow(set.Values, p.Names, s.input.Version))
	}
	return len(p.Names) > 0 && !slices.ContainsFunc(p.Names, func(n string) bool { return !has(n) })
}

// Weakened is the setting of a profile by which a directive no longer causes a restriction: the strongest of its weaker
// values that does not, or else off; ok is false if the directive has none that can be written.
func (s Service) Weakened(a Applied, r witness.Restriction) (setting profiles.Setting, ok bool) {
	d := a.Directive
	for _, lines := range d.Weaker(a.Lines, s.input.Version) {
		if !Refuses(d, lines, r, s.input.Version) {
			return profiles.Setting{Name: d.Name, Values: lines}, true
		}
	}
	if !d.Ordered() {
		return profiles.Setting{}, false
	}
	return profiles.Setting{Name: d.Name, Values: []string{d.Values[0].Name}}, true
}

// advice names every directive that causes a refusal, and the lines of a profile with which none causes it.
func (s Service) advice(found []accusation, plan []Applied) string {
	var by, lines, weaker []string
	for _, a := range found {
		if name := a.Directive.Name + "="; !slices.Contains(by, name) {
			by = append(by, name)
		}
	}
	exception := s.exceptionTo(found, plan)
	for _, setting := range exception.Settings {
		lines = append(lines, setting.Line())
	}
	for _, name := range exception.Weaker {
		weaker = append(weaker, name+"=")
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

// profileSetting is the setting of a profile that makes the exceptions of a proposal; ok is false if none can. It
// replaces the one that the profile has or inherits, so it contains all of that and the exceptions that the search has
// added. It leaves out the secrets of other services, since they are not part of the profile.
func (s Service) profileSetting(p Proposal, plan []Applied) (setting profiles.Setting, ok bool) {
	set, _ := s.input.Profile.Setting(p.Directive.Name)
	var allowed []string
	if i := slices.IndexFunc(plan, func(a Applied) bool { return a.Directive == p.Directive }); i >= 0 {
		allowed = plan[i].Allowed
	}
	more := slices.DeleteFunc(slices.Clone(p.Names), func(n string) bool { return slices.Contains(allowed, n) })
	if len(more) == 0 {
		return profiles.Setting{}, false
	}
	values := set.Values
	if p.Directive.Gathers { // what the bases list counts in any case
		values = set.ListedBy(s.input.Profile.Name)
	}
	lines := p.Directive.Allow(values, slices.Concat(allowed, more), s.input.Version)
	return profiles.Setting{Name: p.Directive.Name, Values: lines}, !slices.Equal(lines, set.Values)
}
