package blame

import (
	"slices"

	"temper/harness/clone"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/refusal"
	"temper/internal/unit"
)

// An Applied is one directive of the plan under which a service was launched.
type Applied struct {
	Directive *directive.Directive
	Want      []string // what the profile asks for
	Allowed   []string // the exact exceptions from that; of a list of exceptions, what was added to it
	Lines     []string // the assignments; nil = none
}

// suspects returns the directives of a plan that may have caused a restriction, by the table of directives.
func (s Service) suspects(r witness.Restriction, plan []Applied) []Applied {
	return slices.DeleteFunc(slices.Clone(plan), func(a Applied) bool {
		return a.Lines == nil || !a.Directive.Restricts() ||
			!Refuses(a.Directive, a.Lines, r, s.input.Version) && !s.impliesRefusal(a.Directive, r)
	})
}

// impliesRefusal reports whether a directive implies another one that can cause a restriction.
func (s Service) impliesRefusal(d *directive.Directive, r witness.Restriction) bool {
	for _, e := range d.Brings(s.input.Version, StartsUnprivileged(s.input.Unit)) {
		implied, ok := directive.Lookup(e.Directive)
		if ok && implied.Ordered() && Refuses(implied, []string{e.Value}, r, s.input.Version) {
			return true
		}
	}
	return false
}

// StartsUnprivileged reports whether systemd starts a service without all capabilities, as another user than root.
func StartsUnprivileged(u *unit.Unit) bool {
	user, _ := u.Last("Service", "User")
	return clone.IsDynamic(u) || !slices.Contains([]string{"", "root", "0"}, user.Value)
}

// Refuses reports whether a directive with the assignments lines can cause a restriction.
func Refuses(d *directive.Directive, lines []string, r witness.Restriction, version int) bool {
	if r.Kind == refusal.MountHidden {
		return mounts(d) || len(d.PathsOf(lines)) > 0 // each gives the service mounts of its own
	}
	return d.CanRefuse(r.Kind, r.Subject, lines, version)
}

// A Finding says which directives of a plan refuse a call, and how.
type Finding struct {
	Restriction witness.Restriction
	Refusers    []Applied
}

// Judge says which directives of a plan refuse a call of the service; ok is false if none does. In contrast to a trial
// it is not known whether a filter or the kernel has refused, nor what the service would be refused without hardening.
// But a filter decides before the kernel does: if the plan has one that refuses the call, that one has. A process that
// is not root's has seldom a capability that the plan could have taken, and many files are not meant for it.
func (s Service) Judge(d witness.Denial, plan []Applied) (found Finding, ok bool) {
	if len((witness.Record{Denials: []witness.Denial{d}}).Hidden(s.files.Root()).Denials) == 0 {
		return Finding{}, false
	}
	filtered := d
	filtered.Filtered = true
	for _, r := range slices.Concat(filtered.Restrictions(), d.Restrictions()) {
		if !d.Root && (r.Kind == refusal.Capability || r.Kind == refusal.NewPrivileges && d.Errno == "EACCES") {
			continue
		}
		if by := s.suspects(r, plan); len(by) > 0 {
			return Finding{r, by}, true
		}
	}
	return Finding{}, false
}

// RefusedKinds lists the kinds of refusal that a plan of the service can cause.
func (s Service) RefusedKinds(plan []Applied) (kinds []refusal.Kind) {
	for _, a := range plan {
		kinds = append(kinds, a.Directive.Refuses...)
		for _, e := range a.Directive.Brings(s.input.Version, StartsUnprivileged(s.input.Unit)) {
			if implied, ok := directive.Lookup(e.Directive); ok {
				kinds = append(kinds, implied.Refuses...)
			}
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
