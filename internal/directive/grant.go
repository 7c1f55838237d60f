package directive

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	"temper/internal/refusal"
)

// granter is a kind whose assignments name, one by one, what a service may do.
type granter interface {
	// grants lists the names that can be taken away one by one.
	grants(want []string, version int) []string
	// without returns want with names, some of these, taken away; nil is no assignment at all.
	without(want, names []string, version int) []string
	// gives reports whether a name is what lets a service have the subject of a refusal.
	gives(name, subject string, version int) bool
}

// Grants returns what the assignments want name that a service may do: paths, capabilities, system calls, addresses. What
// they say is refused names no grant. Directives that name none have none.
func (d *Directive) Grants(want []string, version int) []string {
	if k, ok := d.kind.(granter); ok {
		return k.grants(want, version)
	}
	return nil
}

// Without returns the assignments of want without names, some of its [Directive.Grants]. They forbid at least as much; nil is
// no assignment at all.
func (d *Directive) Without(want, names []string, version int) []string {
	return d.kind.(granter).without(want, names, version)
}

// Gives reports whether a name, one of the directive's grants, is what lets a service have the subject of a refusal.
func (d *Directive) Gives(name string, kind refusal.Kind, subject string, version int) bool {
	k, ok := d.kind.(granter)
	return ok && slices.Contains(d.excepts(), kind) && k.gives(name, subject, version)
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

// keepWords returns lines without some words; a line that loses all is gone.
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

func (openPaths) grants(want []string, _ int) []string { return shutPaths{}.refused(want, 0) }

func (openPaths) without(want, names []string, _ int) []string {
	return shutPaths{}.except(want, names, 0)
}

// gives takes a relative path for one that can be anywhere.
func (openPaths) gives(name, subject string, _ int) bool {
	return !path.IsAbs(subject) || below(realPath(name), realPath(subject))
}

func (openDevices) grants(want []string, _ int) []string {
	return slices.DeleteFunc(slices.Clone(want), func(v string) bool { return v == "" })
}

func (openDevices) without(want, names []string, _ int) []string {
	return keepWords(want, names, func(line string) []string { return []string{line} })
}

// gives takes a class for any device: which nodes belong to it only the machine knows.
func (openDevices) gives(name, subject string, _ int) bool {
	device, _, _ := strings.Cut(name, " ")
	return device == subject || !strings.HasPrefix(device, "/")
}

func (openAddresses) grants(want []string, _ int) []string { return ports(want) }

func (openAddresses) without(want, names []string, _ int) []string {
	return keepWords(want, names, strings.Fields)
}

func (openAddresses) gives(name, subject string, _ int) bool {
	prefixes, _ := ParsePrefixes(name)
	peer, err := netip.ParseAddrPort(subject)
	return err != nil || slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) })
}

func (openPorts) grants(want []string, _ int) []string { return ports(want) }

func (openPorts) without(want, names []string, _ int) []string {
	return keepWords(want, names, strings.Fields)
}

// gives takes a rule for one of any port: a refused bind(2) puts all back that could have let it through.
func (openPorts) gives(string, string, int) bool { return true }

func (bounding) grants(want []string, version int) []string {
	if len(want) == 0 || strings.HasPrefix(want[0], "~") {
		return nil
	}
	return ParseCapabilityBoundingSet(want, version).Names()
}

func (bounding) without(want, names []string, version int) []string {
	left := slices.DeleteFunc(ParseCapabilityBoundingSet(want, version).Names(), func(n string) bool { return slices.Contains(names, n) })
	return list(false, left)
}

func (bounding) gives(name, subject string, _ int) bool { return name == subject }

func (families) grants(want []string, version int) []string {
	wanted := ParseRestrictAddressFamilies(want, version)
	if !wanted.Allow {
		return nil
	}
	return slices.DeleteFunc(AddressFamilies(), func(f string) bool { return !wanted.Permits(f) })
}

func (k families) without(want, names []string, version int) []string {
	left := slices.DeleteFunc(k.grants(want, version), func(f string) bool { return slices.Contains(names, f) })
	return k.allow(left, newest)
}

func (families) gives(name, subject string, _ int) bool { return name == subject }

func (namespaces) grants(want []string, version int) []string {
	if len(want) == 0 || strings.HasPrefix(want[0], "~") {
		return nil
	}
	allowed := ParseRestrictNamespaces(want, version)
	if allowed == ParseRestrictNamespaces(nil, version) {
		return nil // "no" names none
	}
	return allowed.Names()
}

func (k namespaces) without(want, names []string, version int) []string {
	var left NamespaceSet
	for i, n := range namespaceNames {
		if slices.Contains(k.grants(want, version), n) && !slices.Contains(names, n) {
			left |= 1 << i
		}
	}
	return k.lines(left, false)
}

func (namespaces) gives(name, subject string, _ int) bool { return name == subject || subject == "any" }

// grants are the words beyond the first of an allow-list, which is the list itself: without it all calls would be allowed.
func (k syscalls) grants(want []string, _ int) []string {
	var names []string
	for i, line := range want {
		if _, words, ok := k.words(want, i); ok {
			names = append(names, words...)
		} else if line == "" {
			names = nil
		}
	}
	return names
}

func (k syscalls) without(want, names []string, _ int) []string {
	var kept []string
	for i, line := range want {
		first, words, ok := k.words(want, i)
		if ok {
			words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(names, w) })
			line = strings.Join(append(first, words...), " ")
		}
		if !ok || line != "" {
			kept = append(kept, line)
		}
	}
	return kept
}

// words splits line i of a filter, if it allows something, into the word that makes it an allow-list and the others.
func (syscalls) words(want []string, i int) (first, others []string, ok bool) {
	words := strings.Fields(want[i])
	if len(words) == 0 || strings.HasPrefix(want[i], "~") {
		return nil, nil, false
	}
	if i == 0 || want[i-1] == "" {
		return words[:1:1], words[1:], true
	}
	return nil, words, true
}

func (syscalls) gives(name, subject string, version int) bool {
	named := ParseSystemCallFilter([]string{"~" + name}, version)
	return !named.Permits(subject)
}

func (ambient) grants(want []string, version int) []string {
	return ParseAmbientCapabilities(want, version).Names()
}

func (k ambient) without(want, names []string, version int) []string {
	left := slices.DeleteFunc(k.grants(want, version), func(n string) bool { return slices.Contains(names, n) })
	return list(false, left)
}

func (ambient) gives(name, subject string, _ int) bool { return name == subject }
