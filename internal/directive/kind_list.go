package directive

import (
	"fmt"
	"slices"
	"strings"

	"temper/internal/hint"
)

// words checks a list of names and returns the error for the first that is none of those known.
func checkWords(d *Directive, values []string, isName func(string) bool, names []string) error {
	for _, v := range values {
		for _, word := range strings.Fields(strings.TrimPrefix(v, "~")) {
			if isName(word) {
				continue
			}
			if near := hint.Nearest(word, names); near != "" {
				return fmt.Errorf("%s= does not know %q, did you mean %q?", d.Name, word, near)
			}
			return fmt.Errorf("%s= does not know %q, want names such as %s", d.Name, word, names[0])
		}
	}
	return nil
}

// list returns the assignments that set a list to names, whatever was assigned before.
func list(reset bool, names []string) []string {
	lines := []string{strings.Join(names, " ")}
	if reset && len(names) > 0 {
		lines = []string{"", lines[0]}
	}
	return lines
}

// bounding is the kind of CapabilityBoundingSet=: what is not listed is gone.
type bounding struct{}

func (bounding) check(d *Directive, values []string) error {
	names := CapabilityNames()
	return checkWords(d, values, func(w string) bool { return slices.Contains(names, strings.ToUpper(w)) }, names)
}

func (bounding) rule() string { return "what both allow, as a whole list after a reset" }

func (bounding) merge(d *Directive, c Context, want []string) Merged {
	have := ParseCapabilityBoundingSet(c.Have(d.Name), c.Version)
	both := have & ParseCapabilityBoundingSet(want, c.Version)
	if both == have {
		return Merged{Note: "the unit already has no other capability"}
	}
	return Merged{Lines: list(len(c.Have(d.Name)) > 0, both.Names())}
}

func (bounding) refused(want []string, version int) []string {
	return (^ParseCapabilityBoundingSet(want, version)).Names()
}

func (bounding) except(want, names []string, version int) []string {
	allowed := append(ParseCapabilityBoundingSet(want, version).Names(), names...)
	return list(false, ParseCapabilityBoundingSet([]string{"", strings.Join(allowed, " ")}, version).Names())
}

// ambient is the kind of AmbientCapabilities=, which grants: merging can only take from what the unit grants.
type ambient struct{}

func (ambient) check(d *Directive, values []string) error { return bounding{}.check(d, values) }

func (ambient) rule() string { return "of what the unit grants, what the profile grants too" }

func (ambient) merge(d *Directive, c Context, want []string) Merged {
	have := ParseAmbientCapabilities(c.Have(d.Name), c.Version)
	both := have & ParseAmbientCapabilities(want, c.Version)
	if both == have {
		return Merged{Note: "the unit grants no other capability"}
	}
	return Merged{Lines: list(true, both.Names())}
}

// namespaces is the kind of RestrictNamespaces=: what is not listed can be neither created nor entered.
type namespaces struct{}

func (namespaces) check(d *Directive, values []string) error {
	names := append(NamespaceNames(), "yes", "no", "true", "false")
	return checkWords(d, values, func(w string) bool { return slices.Contains(names, w) }, names)
}

func (namespaces) rule() string { return "what both allow, as a whole list after a reset" }

func (k namespaces) merge(d *Directive, c Context, want []string) Merged {
	have := ParseRestrictNamespaces(c.Have(d.Name), c.Version)
	both := have & ParseRestrictNamespaces(want, c.Version)
	if both == have {
		return Merged{Note: "the unit already allows no other namespace"}
	}
	return Merged{Lines: k.lines(both, len(c.Have(d.Name)) > 0)}
}

func (namespaces) lines(allowed NamespaceSet, reset bool) []string {
	if allowed == 0 {
		return []string{"yes"}
	}
	return list(reset, allowed.Names())
}

func (namespaces) refused(want []string, version int) []string {
	allowed := ParseRestrictNamespaces(want, version)
	return (ParseRestrictNamespaces(nil, version) &^ allowed).Names()
}

func (k namespaces) except(want, names []string, version int) []string {
	allowed := ParseRestrictNamespaces(want, version).Names()
	return k.lines(ParseRestrictNamespaces([]string{strings.Join(append(allowed, names...), " ")}, version), false)
}

// architectures is the kind of SystemCallArchitectures=: what is not listed cannot be called.
type architectures struct{}

var architectureNames = []string{
	"native", "x86-64", "x86", "x32", "arm", "arm64", "alpha", "loongarch64", "m68k", "mips", "mips64", "mips64-n32", "mips-le",
	"mips64-le", "mips64-le-n32", "parisc", "parisc64", "ppc", "ppc64", "ppc64-le", "riscv64", "s390", "s390x",
}

func (architectures) check(d *Directive, values []string) error {
	return checkWords(d, values, func(w string) bool { return slices.Contains(architectureNames, w) }, architectureNames)
}

func (architectures) parse(values []string) []string {
	var names []string
	for _, v := range values {
		if v == "" {
			names = nil
		}
		for _, w := range strings.Fields(v) {
			if slices.Contains(architectureNames, w) && !slices.Contains(names, w) {
				names = append(names, w)
			}
		}
	}
	return names
}

func (architectures) rule() string { return "what both allow, as a whole list after a reset" }

func (k architectures) merge(d *Directive, c Context, want []string) Merged {
	have, wanted := k.parse(c.Have(d.Name)), k.parse(want)
	if len(have) == 0 {
		return Merged{Lines: list(false, wanted)}
	}
	both := slices.DeleteFunc(slices.Clone(have), func(n string) bool { return !slices.Contains(wanted, n) })
	switch len(both) {
	case len(have):
		return Merged{Note: "the unit already allows no other architecture"}
	case 0: // "native" and its name are not compared: an empty list would allow all
		return Merged{Note: fmt.Sprintf("the unit allows %s", strings.Join(have, " "))}
	}
	return Merged{Lines: list(true, both)}
}
