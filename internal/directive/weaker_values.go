package directive

import (
	"path"
	"slices"
	"strings"

	"temper/internal/host"
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

// Without returns the assignments want without names, which are some of its [Directive.Grants]. The result forbids at
// least as much; nil is no assignment at all.
func (d *Directive) Without(want, names []string, version int) []string {
	return d.kind.(granter).without(want, names, version)
}

// Narrower lists names that allow a part of what a name, one of the directive's grants, allows.
func (d *Directive) Narrower(name string) []string {
	if k, ok := d.kind.(interface{ narrower(name string) []string }); ok {
		return k.narrower(name)
	}
	return nil
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

// A Need is something that the vendor's unit grants the service by name: somebody who knows it has said that it needs
// that.
type Need struct {
	Directive string         // that grants it
	Name      string         // as the directive names it: "CAP_CHOWN", "/dev/rtc r"
	Subject   string         // what a sandbox would refuse: "CAP_CHOWN", "/dev/rtc"
	kinds     []refusal.Kind // the ways in which a sandbox refuses it
}

// RefusedAs reports whether a sandbox refuses the need in one way.
func (n Need) RefusedAs(kind refusal.Kind) bool { return slices.Contains(n.kinds, kind) }

// groups is the directive that grants groups. It restricts nothing, so it has no row in the table.
const groups = "SupplementaryGroups"

// pseudoDevices are the devices that every sandbox leaves; PrivateDevices= in systemd.exec(5).
var pseudoDevices = []string{
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "char-pts",
	"/dev/pts",
}

// Declaring are the names of the directives by which a unit names its needs.
func Declaring() []string {
	names := []string{groups}
	for _, d := range All() {
		if len(d.Declares) > 0 {
			names = append(names, d.Name)
		}
	}
	return names
}

// Needs returns what the assignments of one of the [Declaring] directives name as needs. A list of what is refused
// names none.
func Needs(name string, lines []string, version int) []Need {
	var needs []Need
	if name == groups {
		for _, group := range strings.Fields(strings.Join(lines, " ")) {
			needs = append(needs, Need{groups, group, group, []refusal.Kind{refusal.UserMapping}})
		}
		return needs
	}
	isDenied := func(line string) bool { return strings.HasPrefix(line, "~") }
	d, known := Lookup(name)
	if !known || slices.ContainsFunc(lines, isDenied) {
		return nil
	}
	for _, granted := range d.Grants(lines, version) {
		subject, _, _ := strings.Cut(granted, " ")
		if slices.Contains(d.Declares, refusal.PathReadOnly) {
			subject = granted // a path may have blanks in it
		}
		if !slices.Contains(pseudoDevices, subject) {
			needs = append(needs, Need{name, granted, subject, d.Declares})
		}
	}
	return needs
}

// Takes reports whether the directive with the assignments lines takes a need away. What grants the need may also be
// the exception from the directive, which then takes nothing.
func (d *Directive) Takes(n Need, lines []string, version int) bool {
	grants, _ := Lookup(n.Directive)
	return slices.ContainsFunc(n.kinds, func(kind refusal.Kind) bool {
		lifted := grants != nil && (grants.With == d.Name || grants.Lifts == kind)
		return !lifted && d.CanRefuse(kind, n.Subject, lines, version)
	})
}

// CanRefuse reports whether the directive with the assignments lines can refuse a subject in one way.
func (d *Directive) CanRefuse(kind refusal.Kind, subject string, lines []string, version int) bool {
	if !slices.Contains(d.Refuses, kind) {
		return false
	}
	switch kind {
	case refusal.PathReadOnly:
		return d.affects(lines, subject, ReadOnly) || d.Showing(kind) != nil && d.affects(lines, subject, Hidden)
	case refusal.PathHidden, refusal.PathAbsent:
		return d.affects(lines, subject, Hidden)
	case refusal.PathNoExec:
		return d.affects(lines, subject, NoExec)
	case refusal.Device:
		return !slices.Contains(pseudoDevices, subject) || d.refusesPseudoDevices(lines, version)
	case refusal.Capability, refusal.Syscall, refusal.Family, refusal.Namespace, refusal.Architecture:
		return d.refusesName(lines, subject, version)
	}
	return true
}

// refusesPseudoDevices reports whether a policy for devices leaves not even the pseudo devices, as its strongest value
// alone does. What only brings a policy leaves them.
func (d *Directive) refusesPseudoDevices(lines []string, version int) bool {
	if !d.Ordered() || len(d.Implies) > 0 {
		return false
	}
	v, _ := d.Read(lines, version)
	return v == d.Values[len(d.Values)-1]
}

// affects reports whether the directive changes a path in the way of mode. A relative path can be anywhere.
func (d *Directive) affects(lines []string, file string, mode PathMode) bool {
	if !path.IsAbs(file) {
		return true
	}
	return slices.ContainsFunc(d.PathsOf(lines), func(e PathEffect) bool {
		return e.Mode == mode && host.Below(e.Path, file)
	})
}

// refusesName reports whether the directive refuses a name, by itself or by a directive that it implies.
func (d *Directive) refusesName(lines []string, name string, version int) bool {
	if refused := d.Exceptions(lines, version); len(refused) > 0 {
		return slices.Contains(refused, name) || name == "any"
	}
	for _, e := range d.Implies {
		implied, ok := Lookup(e.Directive)
		if ok && slices.Contains(implied.Exceptions([]string{e.Value}, version), name) {
			return true
		}
	}
	// A directive without names refuses all of them, as a user namespace does with every capability.
	return len(d.Implies) == 0 && !d.HasExceptions()
}
