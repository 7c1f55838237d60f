package directive

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// families is the kind of RestrictAddressFamilies=: an allow-list or a deny-list, "none" since systemd 249.
type families struct{}

const (
	noFamily      = "none"
	noFamilySince = 249
)

func (families) check(d *Directive, values []string) error {
	names := AddressFamilies()
	lists := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == noFamily }) // which is no name in a list
	return checkWords(d, lists, func(w string) bool { return slices.Contains(names, w) }, append(names, noFamily))
}

func (families) rule() string {
	return "a deny-list is added to a deny-list; else what both allow, as a whole list after a reset"
}

func (k families) merge(d *Directive, c Context, want []string) Merged {
	have, wanted := ParseRestrictAddressFamilies(c.Have(d.Name), c.Version), ParseRestrictAddressFamilies(want, c.Version)
	unknown := k.unknown(want, c.Version)
	note := doesNotKnow(c.Version, unknown)
	var both []string
	lost := false
	for _, f := range AddressFamilies() {
		switch {
		case have.Permits(f) && wanted.Permits(f):
			both = append(both, f)
		case have.Permits(f):
			lost = true
		}
	}
	switch {
	case !lost && note != "":
		return Merged{Note: note}
	case !lost:
		return Merged{Note: "the unit already allows no other family"}
	case !have.Set && len(unknown) == 0 && !slices.Contains(want, noFamily):
		return Merged{Lines: reset(len(c.Have(d.Name)) > 0, want)}
	case !have.Allow && !wanted.Allow:
		return Merged{Lines: []string{"~" + strings.Join(slices.Sorted(maps.Keys(wanted.Families)), " ")}, Note: note}
	}
	return Merged{Lines: reset(len(c.Have(d.Name)) > 0, k.allow(both, c.Version)), Note: note}
}

// unknown lists the words of the assignments that a systemd version does not know.
func (families) unknown(want []string, version int) []string {
	return slices.DeleteFunc(strings.Fields(strings.ReplaceAll(strings.Join(want, " "), "~", " ")), func(w string) bool {
		return KnownFamily(w, version) || w == noFamily && version >= noFamilySince
	})
}

// doesNotKnow says which words of a list are left out; "" if none are.
func doesNotKnow(version int, words []string) string {
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf("systemd %d does not know %s", version, strings.Join(words, " "))
}

// allow returns the assignments of an allow-list. Without a word for it, a list of none is made by taking its only name off.
func (families) allow(names []string, version int) []string {
	switch {
	case len(names) > 0:
		return []string{strings.Join(names, " ")}
	case version < noFamilySince:
		return []string{"AF_UNIX", "~AF_UNIX"}
	}
	return []string{noFamily}
}

// reset puts an empty assignment before others where there is something to reset.
func reset(needed bool, lines []string) []string {
	if needed {
		return append([]string{""}, lines...)
	}
	return lines
}

func (families) refused(want []string, version int) []string {
	wanted := ParseRestrictAddressFamilies(want, version)
	return slices.DeleteFunc(AddressFamilies(), wanted.Permits)
}

func (k families) except(want, names []string, version int) []string {
	wanted := ParseRestrictAddressFamilies(want, version)
	if !wanted.Allow {
		denied := slices.DeleteFunc(slices.Sorted(maps.Keys(wanted.Families)), func(f string) bool { return slices.Contains(names, f) })
		if len(denied) == 0 {
			return nil
		}
		return []string{"~" + strings.Join(denied, " ")}
	}
	return k.allow(slices.DeleteFunc(AddressFamilies(), func(f string) bool {
		return !wanted.Permits(f) && !slices.Contains(names, f)
	}), newest)
}

// syscalls is the kind of SystemCallFilter=: an allow-list or a deny-list of calls and groups.
type syscalls struct{}

// filterWords are all that a system call filter can name.
var filterWords = sync.OnceValue(func() []string { return append(SyscallGroups(newest), AllSyscalls()...) })

func (syscalls) check(d *Directive, values []string) error {
	known := func(word string) bool {
		name, number, suffixed := strings.Cut(word, ":")
		if _, ok := ParseErrno(number); suffixed && !ok {
			return false
		}
		return KnownSyscall(name) || slices.Contains(filterWords(), name)
	}
	return checkWords(d, values, known, filterWords())
}

func (syscalls) rule() string {
	return "what the profile refuses is denied by a ~ line; an allow-list replaces a deny-list, which is then denied again"
}

func (k syscalls) merge(d *Directive, c Context, want []string) Merged {
	want, dropped := k.gate(want, c.Version)
	note := doesNotKnow(c.Version, dropped)
	if len(c.Have(d.Name)) == 0 && refusesSome(want) { // most units: nothing to compare with
		return Merged{Lines: want, Note: note}
	}
	have, wanted := ParseSystemCallFilter(c.Have(d.Name), c.Version), ParseSystemCallFilter(want, c.Version)
	if !wanted.Set {
		return Merged{Note: note}
	}
	lost := k.calls(func(call string) bool { return have.Permits(call) && !wanted.Permits(call) })
	kept := k.calls(func(call string) bool { return !have.Permits(call) && wanted.Permits(call) })
	switch {
	case len(lost) == 0:
		return Merged{Note: "the unit already allows no other system call"}
	case !have.Set:
		return Merged{Lines: reset(len(c.Have(d.Name)) > 0, want), Note: note}
	case have.Allow || !wanted.Allow:
		return Merged{Lines: k.deny(lost, wanted), Note: note}
	}
	return Merged{Lines: slices.Concat([]string{""}, want, k.deny(kept, have), k.unknown(c, d)), Note: note}
}

func (syscalls) calls(keep func(string) bool) []string {
	return slices.DeleteFunc(AllSyscalls(), func(call string) bool { return !keep(call) })
}

// refusesSome reports whether assignments surely refuse some call: an allow-list, or nothing but deny-lists.
func refusesSome(want []string) bool {
	denies := func(v string) bool { return strings.HasPrefix(v, "~") }
	if len(want) == 0 || slices.ContainsFunc(want, func(v string) bool { return strings.Trim(v, "~ ") == "" }) {
		return false
	}
	return !denies(want[0]) || !slices.ContainsFunc(want, func(v string) bool { return !denies(v) })
}

// deny returns the line that refuses calls with the errors that a filter gives them.
func (syscalls) deny(calls []string, by SyscallFilter) []string {
	if len(calls) == 0 {
		return nil
	}
	words := make([]string, len(calls))
	for i, call := range calls {
		words[i] = call
		if number, listed := by.Calls[call]; listed && number >= 0 {
			words[i] += ":" + errnoWord(number)
		}
	}
	return []string{"~" + strings.Join(words, " ")}
}

// unknown repeats what a unit denies, where systemd is newer than the tables and may know more calls by these names.
func (syscalls) unknown(c Context, d *Directive) []string {
	if c.Version <= syscallVersions[len(syscallVersions)-1] {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.Have(d.Name)), func(v string) bool { return !strings.HasPrefix(v, "~") })
}

// gate leaves out the groups and calls that a systemd version does not know; lines that end up empty go too.
func (syscalls) gate(want []string, version int) (lines, dropped []string) {
	calls := SyscallsOf(version)
	unknown := func(word string) bool {
		name, _, _ := strings.Cut(word, ":")
		if calls.Known(name) || len(calls.Members(name)) > 0 {
			return false
		}
		dropped = append(dropped, word)
		return true
	}
	for _, line := range want {
		body, inverted := strings.CutPrefix(line, "~")
		words := strings.Fields(body)
		known := slices.DeleteFunc(slices.Clone(words), unknown)
		if len(known) == 0 && len(words) > 0 {
			continue
		}
		line = strings.Join(known, " ")
		if inverted {
			line = "~" + line
		}
		lines = append(lines, line)
	}
	return lines, dropped
}

func (k syscalls) refused(want []string, version int) []string {
	wanted := ParseSystemCallFilter(want, version)
	return k.calls(func(call string) bool { return !wanted.Permits(call) })
}

func (syscalls) except(want, names []string, _ int) []string {
	return append(slices.Clone(want), strings.Join(names, " "))
}
