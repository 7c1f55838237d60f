package directive

import (
	"fmt"
	"slices"
	"strings"

	"temper/internal/values"
)

// bounding is the kind of CapabilityBoundingSet=: a capability that is not listed is removed.
type bounding struct{}

func (bounding) grants(want []string, version int) []string {
	if len(want) == 0 || strings.HasPrefix(want[0], "~") {
		return nil
	}
	return values.ParseCapabilityBoundingSet(want, version).Names()
}

func (bounding) without(want, names []string, version int) []string {
	left := values.ParseCapabilityBoundingSet(want, version) &^ values.CapabilitySet(names...)
	return list(false, left.Names())
}

func (bounding) narrower(name string) []string { return values.NarrowerCapabilities(name) }

func (bounding) gives(name, subject string, _ int) bool { return name == subject }

func (bounding) check(d *Directive, lines []string) error {
	names := values.CapabilityNames()
	return checkWords(d, lines, func(w string) bool { return slices.Contains(names, strings.ToUpper(w)) }, names)
}

func (bounding) rule() string { return "what both allow, as a whole list after a reset" }

func (bounding) merge(d *Directive, c Context, want []string) Merged {
	have := values.ParseCapabilityBoundingSet(c.lines[d.Name], c.version)
	both := have & values.ParseCapabilityBoundingSet(want, c.version)
	if both == have {
		return Merged{Note: "the unit already has no other capability"}
	}
	return Merged{Lines: list(len(c.lines[d.Name]) > 0, both.Names())}
}

func (bounding) refused(want []string, version int) []string {
	return (^values.ParseCapabilityBoundingSet(want, version)).Names()
}

func (bounding) except(want, names []string, version int) []string {
	allowed := append(values.ParseCapabilityBoundingSet(want, version).Names(), names...)
	return list(false, values.ParseCapabilityBoundingSet([]string{"", strings.Join(allowed, " ")}, version).Names())
}

// namespaces is the kind of RestrictNamespaces=: a namespace that is not listed can be neither created nor entered.
type namespaces struct{}

func (namespaces) grants(want []string, version int) []string {
	if len(want) == 0 || strings.HasPrefix(want[0], "~") {
		return nil
	}
	allowed := values.ParseRestrictNamespaces(want, version)
	if allowed == values.ParseRestrictNamespaces(nil, version) {
		return nil // "no" names no namespace
	}
	return allowed.Names()
}

func (k namespaces) without(want, names []string, version int) []string {
	left := slices.DeleteFunc(k.grants(want, version), func(n string) bool { return slices.Contains(names, n) })
	return k.lines(values.Namespaces(left...), false)
}

func (namespaces) gives(name, subject string, _ int) bool { return name == subject || subject == "any" }

func (namespaces) check(d *Directive, lines []string) error {
	names := append(values.NamespaceNames(), "yes", "no", "true", "false")
	return checkWords(d, lines, func(w string) bool { return slices.Contains(names, w) }, names)
}

func (namespaces) rule() string { return "what both allow, as a whole list after a reset" }

func (k namespaces) merge(d *Directive, c Context, want []string) Merged {
	want, unknown := k.gate(want, c.version)
	note := doesNotKnow(c.version, unknown)
	have := values.ParseRestrictNamespaces(c.lines[d.Name], c.version)
	both := have & values.ParseRestrictNamespaces(want, c.version)
	switch {
	case both == have && note != "":
		return Merged{Note: note}
	case both == have:
		return Merged{Note: "the unit already allows no other namespace"}
	}
	return Merged{Lines: k.lines(both, len(c.lines[d.Name]) > 0), Note: note}
}

// gate leaves out the names that a systemd version does not know, since systemd ignores a line that has one. A list
// that has only such names allows no namespace.
func (namespaces) gate(want []string, version int) (lines, unknown []string) {
	for _, line := range want {
		body, inverted := strings.CutPrefix(line, "~")
		words := strings.Fields(body)
		known := slices.DeleteFunc(slices.Clone(words), func(w string) bool {
			return !values.KnownNamespace(w, version) && slices.Contains(values.NamespaceNames(), w)
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

func (namespaces) lines(allowed values.NamespaceSet, reset bool) []string {
	if allowed == 0 {
		return []string{"yes"}
	}
	return list(reset, allowed.Names())
}

func (namespaces) refused(want []string, version int) []string {
	allowed := values.ParseRestrictNamespaces(want, version)
	return (values.ParseRestrictNamespaces(nil, version) &^ allowed).Names()
}

func (k namespaces) except(want, names []string, version int) []string {
	allowed := values.ParseRestrictNamespaces(want, version).Names()
	return k.lines(
		values.ParseRestrictNamespaces([]string{strings.Join(append(allowed, names...), " ")}, version),
		false,
	)
}

// ambient is the kind of AmbientCapabilities=. It grants capabilities, so merging can only take some of the unit's
// grants away.
type ambient struct{}

func (ambient) grants(want []string, version int) []string {
	return values.ParseAmbientCapabilities(want, version).Names()
}

func (k ambient) without(want, names []string, version int) []string {
	left := slices.DeleteFunc(k.grants(want, version), func(n string) bool { return slices.Contains(names, n) })
	return list(false, left)
}

func (ambient) gives(name, subject string, _ int) bool { return name == subject }

func (ambient) check(d *Directive, lines []string) error { return bounding{}.check(d, lines) }

func (ambient) rule() string { return "of what the unit grants, what the profile grants too" }

func (ambient) merge(d *Directive, c Context, want []string) Merged {
	have := values.ParseAmbientCapabilities(c.lines[d.Name], c.version)
	both := have & values.ParseAmbientCapabilities(want, c.version)
	if both == have {
		return Merged{Note: "the unit grants no other capability"}
	}
	return Merged{Lines: list(true, both.Names())}
}

// architectures is the kind of SystemCallArchitectures=: system calls of an architecture that is not listed are
// refused.
type architectures struct{}

func (architectures) check(d *Directive, lines []string) error {
	known := func(w string) bool { return values.KnownArchitecture(w, values.Newest) }
	return checkWords(d, lines, known, values.ArchitectureNames())
}

// parse returns the names that a systemd version knows, and those that it does not.
func (architectures) parse(lines []string, version int) (names, unknown []string) {
	for _, v := range lines {
		if v == "" {
			names = nil
		}
		for _, w := range strings.Fields(v) {
			switch {
			case slices.Contains(names, w):
			case values.KnownArchitecture(w, version):
				names = append(names, w)
			default:
				unknown = append(unknown, w)
			}
		}
	}
	return names, unknown
}

func (architectures) rule() string { return "what both allow, as a whole list after a reset" }

func (k architectures) merge(d *Directive, c Context, want []string) Merged {
	have, _ := k.parse(c.lines[d.Name], c.version)
	wanted, unknown := k.parse(want, c.version)
	note := doesNotKnow(c.version, unknown)
	if len(wanted) == 0 { // an empty list would allow every architecture
		return Merged{Note: note}
	}
	if len(have) == 0 {
		return Merged{Lines: list(false, wanted), Note: note}
	}
	both := slices.DeleteFunc(slices.Clone(have), func(n string) bool { return !slices.Contains(wanted, n) })
	switch len(both) {
	case len(have):
		return Merged{Note: "the unit already allows no other architecture"}
	case 0: // "native" is not compared with the name of the machine's architecture
		return Merged{Note: fmt.Sprintf("the unit allows %s", strings.Join(have, " "))}
	}
	return Merged{Lines: list(true, both), Note: note}
}

// refused are the other architectures of this machine that are not listed.
func (k architectures) refused(want []string, version int) []string {
	allowed, _ := k.parse(want, version)
	if len(allowed) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(values.OtherArchitectures()), func(n string) bool {
		return slices.Contains(allowed, n)
	})
}

func (k architectures) except(want, names []string, version int) []string {
	allowed, _ := k.parse(want, version)
	return list(false, append(allowed, names...))
}

// nameListKind is the kind of an allow-list, or of a deny-list marked by "~", whose possible names are not in the
// table. The first assignment decides which of both it is. A later one of the same sort adds names, one of the other
// sort removes them.
type nameListKind struct {
	isName func(string) bool
	want   string // what isName accepts, in words
}

func (k nameListKind) check(d *Directive, lines []string) error {
	for _, v := range lines {
		for _, w := range strings.Fields(strings.TrimPrefix(v, "~")) {
			if !k.isName(w) {
				return fmt.Errorf("%s= has %q, want %s", d.Name, w, k.want)
			}
		}
	}
	return nil
}

func (nameListKind) rule() string {
	return "a deny-list takes from any list; allow-lists leave what both have; groups are not resolved"
}

func (k nameListKind) merge(d *Directive, c Context, want []string) Merged {
	have, wanted := parseNameList(c.lines[d.Name]), parseNameList(want)
	if len(wanted.names) == 0 {
		return Merged{Note: "the profile lists nothing"}
	}
	if !have.set || len(have.names) == 0 && !have.allow {
		return Merged{Lines: reset(len(c.lines[d.Name]) > 0, want)}
	}
	listed := func(n string) bool { return slices.Contains(have.names, n) }
	wants := func(n string) bool { return slices.Contains(wanted.names, n) }
	deny := func(names []string, none string) Merged {
		if len(names) == 0 {
			return Merged{Note: none}
		}
		return Merged{Lines: []string{"~" + strings.Join(names, " ")}, Adds: true}
	}
	switch {
	case !have.allow && !wanted.allow:
		return deny(slices.DeleteFunc(wanted.names, listed), "the unit already denies these")
	case slices.ContainsFunc(slices.Concat(have.names, wanted.names), isGroup):
		return Merged{Note: "the unit has a list of its own, and groups of two lists cannot be compared"}
	case have.allow && !wanted.allow:
		return k.narrow(have.names, slices.DeleteFunc(slices.Clone(have.names), wants))
	case have.allow:
		both := slices.DeleteFunc(slices.Clone(have.names), func(n string) bool { return !wants(n) })
		return k.narrow(have.names, both)
	}
	both := slices.DeleteFunc(wanted.names, listed)
	if len(both) == 0 {
		return Merged{Note: "the unit denies everything that the profile allows"}
	}
	return Merged{Lines: []string{"", strings.Join(both, " ")}}
}

// narrow replaces an allow-list by a smaller one. It does not write an empty list, whose meaning differs between
// systemd versions.
func (nameListKind) narrow(have, left []string) Merged {
	switch len(left) {
	case len(have):
		return Merged{Note: "the unit already allows no other"}
	case 0:
		return Merged{Note: fmt.Sprintf("the unit allows only %s", strings.Join(have, " "))}
	}
	return Merged{Lines: []string{"", strings.Join(left, " ")}}
}

func isInterface(s string) bool {
	return s != "." && s != ".." && isWord(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-")
}

func isFileSystem(s string) bool {
	return isWord(strings.TrimPrefix(s, "@"), "abcdefghijklmnopqrstuvwxyz0123456789_.-")
}

// isWord reports whether s is a short word of these letters.
func isWord(s, letters string) bool {
	return s != "" && len(s) <= 128 && strings.Trim(s, letters) == ""
}

// nameList is the result of the assignments of a nameListKind list.
type nameList struct {
	set, allow bool
	names      []string
}

func parseNameList(lines []string) nameList {
	var l nameList
	for _, v := range lines {
		if v == "" {
			l = nameList{}
			continue
		}
		list, inverted := strings.CutPrefix(v, "~")
		if !l.set {
			l.set, l.allow = true, !inverted
		}
		for _, w := range strings.Fields(list) {
			l.names = slices.DeleteFunc(l.names, func(n string) bool { return n == w })
			if inverted != l.allow {
				l.names = append(l.names, w)
			}
		}
	}
	return l
}

func isGroup(name string) bool { return strings.HasPrefix(name, "@") }

// flags is the kind of a set of flags. It lists the flags that restrict a service.
type flags []string

func (k flags) check(d *Directive, lines []string) error {
	return checkWords(d, lines, func(w string) bool { return slices.Contains(k, w) }, k)
}

func (flags) rule() string { return "flags are added" }

func (flags) merge(d *Directive, c Context, want []string) Merged {
	var have []string
	for _, v := range c.lines[d.Name] {
		if have = append(have, strings.Fields(v)...); v == "" {
			have = nil
		}
	}
	missing := slices.DeleteFunc(
		strings.Fields(strings.Join(want, " ")),
		func(f string) bool { return slices.Contains(have, f) },
	)
	if len(missing) == 0 {
		return Merged{Note: "the unit already has these"}
	}
	return Merged{Lines: []string{strings.Join(missing, " ")}, Adds: true}
}
