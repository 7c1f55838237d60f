package directive

import (
	"fmt"
	"slices"
	"strings"
)

// signed is the kind of an allow-list or deny-list, "~", of names that the table does not know one by one. The first
// assignment decides the sign; later ones of the same sign add, others take away.
type signed struct {
	isName func(string) bool
	want   string // what isName takes, in words
}

func isInterface(s string) bool {
	return s != "." && s != ".." && isWord(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-")
}

func isFileSystem(s string) bool {
	return isWord(strings.TrimPrefix(s, "@"), "abcdefghijklmnopqrstuvwxyz0123456789_.-")
}

// isWord reports whether s is a word of these letters. Such names are short.
func isWord(s, letters string) bool {
	return s != "" && len(s) <= 128 && strings.Trim(s, letters) == ""
}

func (k signed) check(d *Directive, values []string) error {
	for _, v := range values {
		for _, w := range strings.Fields(strings.TrimPrefix(v, "~")) {
			if !k.isName(w) {
				return fmt.Errorf("%s= has %q, want %s", d.Name, w, k.want)
			}
		}
	}
	return nil
}

func (signed) rule() string {
	return "a deny-list takes from any list; allow-lists leave what both have; groups are not resolved"
}

// nameList is what the assignments of a signed list amount to.
type nameList struct {
	set, allow bool
	names      []string
}

func parseSigned(values []string) nameList {
	var l nameList
	for _, v := range values {
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

func (k signed) merge(d *Directive, c Context, want []string) Merged {
	have, wanted := parseSigned(c.Have(d.Name)), parseSigned(want)
	if len(wanted.names) == 0 {
		return Merged{Note: "the profile lists nothing"}
	}
	if !have.set || len(have.names) == 0 && !have.allow {
		return Merged{Lines: reset(len(c.Have(d.Name)) > 0, want)}
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
		return k.narrow(have.names, slices.DeleteFunc(slices.Clone(have.names), func(n string) bool { return !wants(n) }))
	}
	both := slices.DeleteFunc(wanted.names, listed)
	if len(both) == 0 {
		return Merged{Note: "the unit denies everything that the profile allows"}
	}
	return Merged{Lines: []string{"", strings.Join(both, " ")}}
}

// narrow leaves less of an allow-list, but something: what a list of nothing means has changed.
func (signed) narrow(have, left []string) Merged {
	switch len(left) {
	case len(have):
		return Merged{Note: "the unit already allows no other"}
	case 0:
		return Merged{Note: fmt.Sprintf("the unit allows only %s", strings.Join(have, " "))}
	}
	return Merged{Lines: []string{"", strings.Join(left, " ")}}
}

func isGroup(name string) bool { return strings.HasPrefix(name, "@") }

// flags is the kind of a set of flags of which each restricts; the kind lists those that do.
type flags []string

func (k flags) check(d *Directive, values []string) error {
	return checkWords(d, values, func(w string) bool { return slices.Contains(k, w) }, k)
}

func (flags) rule() string { return "flags are added" }

func (flags) merge(d *Directive, c Context, want []string) Merged {
	var have []string
	for _, v := range c.Have(d.Name) {
		if have = append(have, strings.Fields(v)...); v == "" {
			have = nil
		}
	}
	missing := slices.DeleteFunc(strings.Fields(strings.Join(want, " ")), func(f string) bool { return slices.Contains(have, f) })
	if len(missing) == 0 {
		return Merged{Note: "the unit already has these"}
	}
	return Merged{Lines: []string{strings.Join(missing, " ")}, Adds: true}
}
