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
	want, unknown := k.gate(want, c.Version)
	note := doesNotKnow(c.Version, unknown)
	have := ParseRestrictNamespaces(c.Have(d.Name), c.Version)
	both := have & ParseRestrictNamespaces(want, c.Version)
	switch {
	case both == have && note != "":
		return Merged{Note: note}
	case both == have:
		return Merged{Note: "the unit already allows no other namespace"}
	}
	return Merged{Lines: k.lines(both, len(c.Have(d.Name)) > 0), Note: note}
}

// gate leaves out the names that a systemd version does not know: with one of them, the whole line would be void. A list of
// nothing else allows none.
func (namespaces) gate(want []string, version int) (lines, unknown []string) {
	for _, line := range want {
		body, inverted := strings.CutPrefix(line, "~")
		words := strings.Fields(body)
		known := slices.DeleteFunc(slices.Clone(words), func(w string) bool {
			return !KnownNamespace(w, version) && slices.Contains(namespaceNames, w)
		})
		switch {
		case len(known) == len(words):
			lines = append(lines, line)
			continue
		case len(known) > 0 && inverted:
			lines = append(lines, "~"+strings.Join(known, " "))
		case len(known) > 0:
			lines = append(lines, strings.Join(known, " "))
		case !inverted && len(lines) == 0:
			lines = append(lines, "yes")
		}
		unknown = append(unknown, slices.DeleteFunc(words, func(w string) bool { return slices.Contains(known, w) })...)
	}
	return lines, unknown
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
