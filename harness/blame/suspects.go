package blame

import (
	"path"
	"slices"

	"temper/harness/clone"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
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
	if !slices.Contains(d.Refuses, r.Kind) {
		return false
	}
	switch r.Kind {
	case refusal.PathReadOnly:
		return affects(d, lines, r.Subject, directive.ReadOnly)
	case refusal.PathHidden:
		return affects(d, lines, r.Subject, directive.Hidden)
	case refusal.Capability, refusal.Syscall, refusal.Family, refusal.Namespace, refusal.Architecture:
		return refusesName(d, lines, r.Subject, version)
	}
	return true
}

// affects reports whether a directive changes a path in the way of mode. A relative path can be anywhere.
func affects(d *directive.Directive, lines []string, file string, mode directive.PathMode) bool {
	if !path.IsAbs(file) {
		return true
	}
	return slices.ContainsFunc(d.PathsOf(lines), func(e directive.PathEffect) bool {
		return e.Mode == mode && host.Below(e.Path, file)
	})
}

// refusesName reports whether a directive refuses a name, by itself or by a directive that it implies.
func refusesName(d *directive.Directive, lines []string, name string, version int) bool {
	if refused := d.Exceptions(lines, version); len(refused) > 0 {
		return slices.Contains(refused, name) || name == "any"
	}
	for _, e := range d.Implies {
		implied, ok := directive.Lookup(e.Directive)
		if ok && slices.Contains(implied.Exceptions([]string{e.Value}, version), name) {
			return true
		}
	}
	// A directive without names refuses all of them, as a user namespace does with every capability.
	return len(d.Implies) == 0 && !d.HasExceptions()
}
