package directive

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// families is the kind of RestrictAddressFamilies=: an allow-list or a deny-list, "none" since systemd 249.
type families struct{}

const (
	noFamily      = "none"
	noFamilySince = 249
)

func (families) check(d *Directive, values []string) error {
	names := append(AddressFamilies(), noFamily)
	return checkWords(d, values, func(w string) bool { return slices.Contains(names, w) }, names)
}

func (k families) merge(d *Directive, c Context, want []string) Merged {
	have, wanted := ParseRestrictAddressFamilies(c.Have(d.Name), c.Version), ParseRestrictAddressFamilies(want, c.Version)
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
	case !lost:
		return Merged{Note: "the unit already allows no other family"}
	case !have.Set:
		return k.gate(want, c.Version)
	case !have.Allow && !wanted.Allow:
		return Merged{Lines: []string{"~" + strings.Join(slices.Sorted(maps.Keys(wanted.Families)), " ")}}
	}
	merged := k.gate(k.allow(both), c.Version)
	if merged.Lines != nil {
		merged.Lines = append([]string{""}, merged.Lines...)
	}
	return merged
}

// allow returns the assignments of an allow-list.
func (families) allow(names []string) []string {
	if len(names) == 0 {
		return []string{noFamily}
	}
	return []string{strings.Join(names, " ")}
}

func (families) gate(lines []string, version int) Merged {
	if version < noFamilySince && slices.Contains(lines, noFamily) {
		return Merged{Note: fmt.Sprintf("%s needs systemd %d, this one is %d", noFamily, noFamilySince, version)}
	}
	return Merged{Lines: lines}
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
	}))
}

// syscalls is the kind of SystemCallFilter=: an allow-list or a deny-list of calls and groups.
type syscalls struct{}

func (syscalls) check(d *Directive, values []string) error {
	groups := SyscallGroups(newest)
	known := func(word string) bool {
		name, number, suffixed := strings.Cut(word, ":")
		if _, ok := ParseErrno(number); suffixed && !ok {
			return false
		}
		return slices.Contains(groups, name) || KnownSyscall(name)
	}
	return checkWords(d, values, known, append(groups, AllSyscalls()...))
}

func (k syscalls) merge(d *Directive, c Context, want []string) Merged {
	want, dropped := k.gate(want, c.Version)
	note := ""
	if len(dropped) > 0 {
		note = fmt.Sprintf("systemd %d does not know %s", c.Version, strings.Join(dropped, " "))
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
		return Merged{Lines: want, Note: note}
	case have.Allow || !wanted.Allow:
		return Merged{Lines: []string{"~" + strings.Join(lost, " ")}, Note: note}
	}
	return Merged{Lines: slices.Concat([]string{""}, want, k.deny(kept, have)), Note: note}
}

func (syscalls) calls(keep func(string) bool) []string {
	return slices.DeleteFunc(AllSyscalls(), func(call string) bool { return !keep(call) })
}

// deny returns the lines that refuse calls again with the errors that a unit's filter gave them.
func (syscalls) deny(calls []string, have SyscallFilter) []string {
	if len(calls) == 0 {
		return nil
	}
	words := make([]string, len(calls))
	for i, call := range calls {
		words[i] = call
		if number := have.Calls[call]; number >= 0 {
			words[i] += ":" + ErrnoName(number)
		}
	}
	return []string{"~" + strings.Join(words, " ")}
}

// gate leaves out the groups and calls that a systemd version does not know; lines that end up empty go too.
func (syscalls) gate(want []string, version int) (lines, dropped []string) {
	for _, line := range want {
		body, inverted := strings.CutPrefix(line, "~")
		words := strings.Fields(body)
		known := slices.DeleteFunc(slices.Clone(words), func(w string) bool {
			name, _, _ := strings.Cut(w, ":")
			if !strings.HasPrefix(name, "@") {
				return false
			}
			_, ok := SyscallGroup(name, version)
			if !ok {
				dropped = append(dropped, w)
			}
			return !ok
		})
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
