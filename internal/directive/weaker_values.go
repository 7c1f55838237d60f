package directive

import (
	"slices"
	"strings"

	"temper/internal/refusal"
)

// stepper is a kind with weaker values.
type stepper interface {
	weaker(d *Directive, want []string, version int) [][]string
}

// excepter is a kind with exact exceptions: single names that can be allowed again.
type excepter interface {
	refused(want []string, version int) []string
	except(want, names []string, version int) []string
}

// Weaker returns the weaker values below the assignments want that a systemd version knows, from the strongest to the
// weakest. Off, which is no assignment at all, is always possible and not listed. Only ordered directives and UMask=
// have weaker values.
func (d *Directive) Weaker(want []string, version int) [][]string {
	k, ok := d.kind.(stepper)
	if !ok || len(want) == 0 {
		return nil
	}
	return k.weaker(d, want, version)
}

// Exceptions returns the names that want refuses and that could be allowed one by one: capabilities, system calls,
// address families or namespaces. Directives without exact exceptions have none.
func (d *Directive) Exceptions(want []string, version int) []string {
	if e, ok := d.kind.(excepter); ok {
		return e.refused(want, version)
	}
	return nil
}

// HasExceptions reports whether the directive can have exact exceptions.
func (d *Directive) HasExceptions() bool {
	_, ok := d.kind.(excepter)
	return ok
}

// Except returns the assignments want changed so that they allow names, which are some of its [Directive.Exceptions].
func (d *Directive) Except(want, names []string, version int) []string {
	return d.kind.(excepter).except(want, names, version)
}

// granter is a kind whose assignments name, one by one, what a service may do.
type granter interface {
	// grants lists the names that can be taken away one by one.
	grants(want []string, version int) []string
	// without returns want without names, which are some of its grants; nil is no assignment at all.
	without(want, names []string, version int) []string
	// gives reports whether a granted name allows the service the subject of a refusal.
	gives(name, subject string, version int) bool
}

// Grants returns what the assignments want name as allowed: paths, capabilities, system calls, addresses. Names that
// are refused are not grants. A directive that cannot name what is allowed has none.
func (d *Directive) Grants(want []string, version int) []string {
	if k, ok := d.kind.(granter); ok {
		return k.grants(want, version)
	}
	return nil
}

// Declared returns what assignments of the vendor's unit name as a need of the service. A list of what is refused names
// none.
func (d *Directive) Declared(lines []string, version int) []string {
	isDenied := func(line string) bool { return strings.HasPrefix(line, "~") }
	if !d.Declares || slices.ContainsFunc(lines, isDenied) {
		return nil
	}
	return d.Grants(lines, version)
}

// Without returns the assignments want without names, which are some of its [Directive.Grants]. The result forbids at
// least as much; nil is no assignment at all.
func (d *Directive) Without(want, names []string, version int) []string {
	return d.kind.(granter).without(want, names, version)
}

// Gives reports whether a name, one of the directive's grants, allows the service the subject of a refusal.
func (d *Directive) Gives(name string, kind refusal.Kind, subject string, version int) bool {
	k, ok := d.kind.(granter)
	return ok && slices.Contains(d.excepts(), kind) && k.gives(name, subject, version)
}

// ExceptsFrom reports whether the directive lists exceptions from what the other one takes.
func (d *Directive) ExceptsFrom(other *Directive) bool {
	return other.Name == d.With || d.Lifts != "" && slices.Contains(other.Refuses, d.Lifts)
}

// excepts lists the kinds of refusals that the directive's grants are about.
func (d *Directive) excepts() []refusal.Kind {
	kinds := slices.Clone(d.Refuses)
	if with, ok := Lookup(d.With); ok {
		kinds = append(kinds, with.Refuses...)
	}
	if d.Lifts != "" {
		kinds = append(kinds, d.Lifts)
	}
	return kinds
}

// keepWords returns lines without some words, and without the lines that lose all their words.
func keepWords(lines, words []string, split func(line string) []string) []string {
	var kept []string
	for _, line := range lines {
		left := slices.DeleteFunc(split(line), func(w string) bool { return slices.Contains(words, w) })
		if len(left) > 0 {
			kept = append(kept, strings.Join(left, " "))
		}
	}
	return kept
}
