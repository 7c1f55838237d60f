package directive

import (
	"slices"
	"strings"
	"sync"

	"temper/internal/syscalls"
	"temper/internal/values"
)

// callFilter is the kind of SystemCallFilter=: an allow-list or a deny-list of calls and groups.
type callFilter struct{}

// grants are the words of an allow-list except the first: without any word there would be no list, and all calls would
// be allowed.
func (k callFilter) grants(want []string, _ int) []string {
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

func (k callFilter) without(want, names []string, _ int) []string {
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

// words splits line i of a filter, if it allows something, into the first word of the allow-list and the others.
func (callFilter) words(want []string, i int) (first, others []string, ok bool) {
	words := strings.Fields(want[i])
	if len(words) == 0 || strings.HasPrefix(want[i], "~") {
		return nil, nil, false
	}
	if i == 0 || want[i-1] == "" {
		return words[:1:1], words[1:], true
	}
	return nil, words, true
}

func (callFilter) gives(name, subject string, version int) bool {
	named := syscalls.ParseFilter([]string{"~" + name}, version)
	return !named.Permits(subject)
}

func (callFilter) check(d *Directive, lines []string) error {
	known := func(word string) bool {
		name, number, suffixed := strings.Cut(word, ":")
		if _, ok := values.ParseErrno(number); suffixed && !ok {
			return false
		}
		return syscalls.Known(name) || slices.Contains(filterWords(), name)
	}
	return checkWords(d, lines, known, filterWords())
}

func (callFilter) rule() string {
	return "what the profile refuses is denied by a ~ line; an allow-list replaces a deny-list, which is then denied " +
		"again"
}

func (k callFilter) merge(d *Directive, c Context, want []string) Merged {
	want, dropped := k.gate(want, c.version)
	note := doesNotKnow(c.version, dropped)
	if len(c.lines[d.Name]) == 0 && refusesSome(want) { // as in most units, there is nothing to compare with
		return Merged{Lines: want, Note: note}
	}
	have, wanted := syscalls.ParseFilter(c.lines[d.Name], c.version), syscalls.ParseFilter(want, c.version)
	if !wanted.Set {
		return Merged{Note: note}
	}
	lost := k.calls(func(call string) bool { return have.Permits(call) && !wanted.Permits(call) })
	kept := k.calls(func(call string) bool { return !have.Permits(call) && wanted.Permits(call) })
	switch {
	case len(lost) == 0:
		return Merged{Note: "the unit already allows no other system call"}
	case !have.Set:
		return Merged{Lines: reset(len(c.lines[d.Name]) > 0, want), Note: note}
	case have.Allow || !wanted.Allow:
		return Merged{Lines: k.deny(lost, wanted), Note: note}
	}
	return Merged{Lines: slices.Concat([]string{""}, want, k.deny(kept, have), k.unknown(c, d)), Note: note}
}

func (callFilter) calls(keep func(string) bool) []string {
	return slices.DeleteFunc(syscalls.All(), func(call string) bool { return !keep(call) })
}

// deny returns the line that refuses calls with the errors that a filter gives them.
func (callFilter) deny(calls []string, by syscalls.Filter) []string {
	if len(calls) == 0 {
		return nil
	}
	words := make([]string, len(calls))
	for i, call := range calls {
		words[i] = call
		if number, listed := by.Calls[call]; listed && number >= 0 {
			words[i] += ":" + values.ErrnoWord(number)
		}
	}
	return []string{"~" + strings.Join(words, " ")}
}

// unknown repeats what a unit denies if systemd is newer than the tables, since its groups may have more calls.
func (callFilter) unknown(c Context, d *Directive) []string {
	if c.version <= slices.Max(syscalls.Versions()) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.lines[d.Name]), func(v string) bool { return !strings.HasPrefix(v, "~") })
}

// gate leaves out the groups and calls that a systemd version does not know, and the lines that have no others.
func (callFilter) gate(want []string, version int) (lines, dropped []string) {
	calls := syscalls.Of(version)
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

func (k callFilter) refused(want []string, version int) []string {
	wanted := syscalls.ParseFilter(want, version)
	return k.calls(func(call string) bool { return !wanted.Permits(call) })
}

func (callFilter) except(want, names []string, _ int) []string {
	return append(slices.Clone(want), strings.Join(names, " "))
}

// filterWords are all names that a system call filter can have.
var filterWords = sync.OnceValue(func() []string { return append(syscalls.Groups(values.Newest), syscalls.All()...) })

// refusesSome reports whether assignments refuse at least one call for sure: they are an allow-list, or only
// deny-lists.
func refusesSome(want []string) bool {
	denies := func(v string) bool { return strings.HasPrefix(v, "~") }
	if len(want) == 0 || slices.ContainsFunc(want, func(v string) bool { return strings.Trim(v, "~ ") == "" }) {
		return false
	}
	return !denies(want[0]) || !slices.ContainsFunc(want, func(v string) bool { return !denies(v) })
}
