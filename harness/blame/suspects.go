package blame

import (
	"path"
	"slices"

	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/refusal"
)

// An Applied is one directive of the plan under which a service was launched.
type Applied struct {
	Directive *directive.Directive
	Want      []string // what the profile asks for
	Allowed   []string // exact exceptions that were made from that; of a list of exceptions, what was added to it
	Lines     []string // what was assigned; nil = nothing
}

// suspects returns what may have caused a restriction, by what the directive table says that each directive refuses.
func (s Service) suspects(r witness.Restriction, plan []Applied) []Applied {
	return slices.DeleteFunc(slices.Clone(plan), func(a Applied) bool {
		return a.Lines == nil || !a.Directive.Restricts() || !Refuses(a.Directive, a.Lines, r, s.input.Version)
	})
}

// Refuses reports whether a directive that is set to lines can cause a restriction.
func Refuses(d *directive.Directive, lines []string, r witness.Restriction, version int) bool {
	if !slices.Contains(d.Refuses, r.Kind) {
		return false
	}
	switch r.Kind {
	case refusal.PathReadOnly:
		return affects(d, lines, r.Subject, directive.ReadOnly)
	case refusal.PathHidden:
		return affects(d, lines, r.Subject, directive.Hidden)
	case refusal.Capability, refusal.Syscall, refusal.Family, refusal.Namespace:
		return refusesName(d, lines, r.Subject, version)
	}
	return true
}

// affects reports whether a directive does something to a path. A relative path can be anywhere.
func affects(d *directive.Directive, lines []string, file string, mode directive.PathMode) bool {
	if !path.IsAbs(file) {
		return true
	}
	return slices.ContainsFunc(
		d.PathsOf(lines),
		func(e directive.PathEffect) bool { return e.Mode == mode && host.Below(e.Path, file) },
	)
}

// refusesName reports whether a name is among those that a directive refuses: itself, or by what it implies.
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
	// A directive that says nothing of names refuses them all, as a user namespace does every capability.
	return len(d.Implies) == 0 && !d.HasExceptions()
}
