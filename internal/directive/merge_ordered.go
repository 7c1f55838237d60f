package directive

import (
	"fmt"
	"slices"
	"strings"

	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/values"
)

// spelling says in which other ways the values of an ordered directive can be written than the table lists.
type spelling struct {
	directive string
	alias     string // another word for "yes"
	since     int    // first version with the alias, or with the argument
	arg       bool   // ":HOSTNAME" may follow
	other     string // the value that any other list of words stands for; "" = systemd ignores it
	reset     int    // first version in which an empty assignment resets the directive; 0 = systemd ignores it
	tristate  int    // first version in which unset is a value of its own, to which an empty assignment resets
}

var spellings = []spelling{
	{directive: "Delegate", other: "yes"}, // a list of controllers turns it on, even one with wrong names
	{directive: "PrivateMounts", tristate: 254},
	{directive: "PrivateTmp", alias: "connected", since: 257},
	{directive: "PrivateUsers", alias: "self", since: 257},
	{directive: "ProtectHostname", arg: true, since: 258, reset: 258},
}

func (d *Directive) spelling() spelling {
	for _, s := range spellings {
		if s.directive == d.Name {
			return s
		}
	}
	return spelling{}
}

// Value returns the row of one value of an ordered directive, as a systemd version reads it: booleans in all their
// spellings. ok is false if systemd ignores the assignment, with a warning.
func (d *Directive) Value(text string, version int) (v Value, ok bool) {
	name, ok := d.spelling().name(text, version)
	for _, v := range d.Values {
		if ok && v.Name == name && v.Since <= version {
			return v, true
		}
	}
	return Value{}, false
}

// name returns the name of the value that a text stands for; ok is false if it stands for none.
func (how spelling) name(text string, version int) (name string, ok bool) {
	name, arg, has := text, "", false
	if how.arg && version >= how.since {
		name, arg, has = strings.Cut(text, ":")
	}
	on, boolean := unit.Bool(name)
	switch {
	case has && !isHostname(arg), has && boolean && !on: // off, but with an argument
		return "", false
	case boolean && on, name == how.alias && name != "" && version >= how.since:
		return "yes", true
	case boolean:
		return "no", true
	}
	if _, err := unit.Words(text); how.other != "" && err == nil {
		return how.other, true
	}
	return name, true
}

// Resets reports whether an empty assignment resets an ordered directive. If not, systemd ignores it.
func (d *Directive) Resets(version int) bool {
	reset := d.spelling().reset
	return reset > 0 && version >= reset || d.Tristate(version)
}

// Tristate reports whether systemd makes a difference between an ordered directive that is off and one that is not set.
func (d *Directive) Tristate(version int) bool {
	since := d.spelling().tristate
	return since > 0 && version >= since
}

// TakesArgument reports whether ":" and an argument may follow a value of an ordered directive. Specifiers are expanded
// in the argument.
func (d *Directive) TakesArgument() bool { return d.spelling().arg }

// isHostname reports whether systemd accepts a name as a host name; see hostname(7).
func isHostname(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, hostLetters) != "" {
			return false
		}
	}
	return len(name) <= 64
}

const hostLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

// Read returns the value of an ordered directive after a sequence of assignments, as a systemd version reads them: the
// last valid one. set is false if none is valid, or if an empty one reset it; the value is then the default.
func (d *Directive) Read(lines []string, version int) (v Value, set bool) {
	def := d.Values[0]
	if d.Default != "" {
		def, _ = d.Value(d.Default, version)
	}
	v = def
	for _, text := range lines {
		if w, ok := d.Value(text, version); ok {
			v, set = w, true
		} else if text == "" && d.Resets(version) {
			v, set = def, false
		}
	}
	return v, set
}

// ordered is the kind of a directive that has one of a fixed list of values: the last valid assignment wins.
type ordered struct{}

func (ordered) check(d *Directive, lines []string) error {
	if len(lines) != 1 {
		return fmt.Errorf("%s= takes one value, has %d", d.Name, len(lines))
	}
	if _, ok := d.Value(lines[0], values.Newest); !ok {
		names := valueNames(d)
		if near := hint.Nearest(lines[0], names); near != "" {
			return fmt.Errorf("%s=%s is not a value of it, did you mean %q?", d.Name, lines[0], near)
		}
		return fmt.Errorf("%s=%s is not a value of it, want one of %s", d.Name, lines[0], strings.Join(names, ", "))
	}
	return nil
}

// effective is the value that an ordered directive has in a unit: the assigned value, or a stronger one that another
// directive of the unit implies.
type effective struct {
	Value
	by string // the name of the directive that sets or implies the value
}

// effectiveValues returns the effective value of each ordered directive.
func (c Context) effectiveValues() map[*Directive]effective {
	all := make(map[*Directive]effective, len(table))
	for _, d := range table {
		if d.Ordered() {
			v, _ := d.Read(c.lines[d.Name], c.version)
			all[d] = effective{v, d.Name}
		}
	}
	for _, d := range table { // an implied directive implies no other
		if all[d].Rank == 0 {
			continue
		}
		for _, e := range d.Implies {
			implied := byName()[e.Directive]
			have, ordered := all[implied]
			if !ordered || !e.in(c.version) || e.WhenOff && have.Rank > 0 {
				continue
			}
			if v, ok := implied.Value(e.Value, c.version); ok && v.Rank > have.Rank {
				all[implied] = effective{v, d.Name}
			}
		}
	}
	return all
}

func (o ordered) merge(d *Directive, c Context, want []string) Merged {
	wanted, _ := d.Value(want[len(want)-1], values.Newest)
	target := o.known(d, wanted, c.version)
	note := ""
	if target.Name != wanted.Name {
		note = fmt.Sprintf("%s needs systemd %d, this one is %d", wanted.Name, wanted.Since, c.version)
	}
	have := c.values[d]
	switch {
	case target.Rank == 0 && note != "":
		return Merged{Note: note}
	case have.Rank >= target.Rank && have.by != d.Name:
		return Merged{Note: fmt.Sprintf("the unit already has %s through %s=", have.Name, have.by)}
	case have.Rank >= target.Rank && len(c.lines[d.Name]) == 0:
		return Merged{Note: fmt.Sprintf("%s is already so by default", have.Name)}
	case have.Rank >= target.Rank:
		return Merged{Note: fmt.Sprintf("the unit already sets %s", have.Name)}
	}
	if reason := o.uncovers(d, c, have.Value, target); reason != "" {
		return Merged{Note: reason}
	}
	if note != "" {
		note += ": " + target.Name + " instead"
	}
	return Merged{Lines: []string{target.Name}, Note: note}
}

func (ordered) rule() string { return "the stronger value holds" }

// uncovers returns why a stronger value would give something back, "" if it would not. If two assignments name one
// path, systemd keeps only one of them. If the stronger value no longer names a path itself, the unit's exceptions at
// that path begin to count.
func (o ordered) uncovers(d *Directive, c Context, have, target Value) string {
	for _, e := range d.Paths {
		from := d.rank(e.Value)
		if e.Mode == ReadOnly && from <= target.Rank && c.covers(e.Path) {
			return fmt.Sprintf("would uncover %s, which the unit covers with a file system of its own", e.Path)
		}
		if have.Rank == 0 || from > have.Rank {
			continue
		}
		if by := c.excepted(d, e.Path); by != "" {
			return fmt.Sprintf("the unit's own %s= would then open %s", by, e.Path)
		}
	}
	for _, m := range d.mounts(target, c.version) {
		if reason := c.gives(m); reason != "" && !c.mounts(m.Path) {
			return reason
		}
	}
	return ""
}

// excepted returns the list in which the unit names a path, or a directory above it, as an exception from a directive;
// "" if none.
func (c Context) excepted(d *Directive, p string) string {
	for _, row := range table {
		if _, opens := row.kind.(openPathList); !opens || row.With != d.Name {
			continue
		}
		if slices.ContainsFunc(c.paths.lists[row], func(open string) bool { return host.Below(open, p) }) {
			return row.Name
		}
	}
	return ""
}

// known is the strongest value that a systemd version has and that is not stronger than want.
func (o ordered) known(d *Directive, want Value, version int) Value {
	if want.Since <= version {
		return want
	}
	best := d.Values[0]
	for _, v := range d.Values {
		if v.Since <= version && v.Rank <= want.Rank && v.Rank > best.Rank {
			best = v
		}
	}
	return best
}

func (o ordered) weaker(d *Directive, want []string, version int) [][]string {
	top, _ := d.Value(want[len(want)-1], values.Newest)
	top = o.known(d, top, version)
	var lines [][]string
	for _, v := range slices.Backward(d.Values) {
		if v.Rank > 0 && v.Rank < top.Rank && v.Since <= version {
			lines = append(lines, []string{v.Name})
		}
	}
	return lines
}

func valueNames(d *Directive) []string {
	names := make([]string, len(d.Values))
	for i, v := range d.Values {
		names[i] = v.Name
	}
	return names
}

// umask is the kind of UMask=: every bit that is set takes a permission away.
type umask struct{}

func (umask) parse(text string) (uint32, bool) {
	var m uint32
	for _, r := range text {
		if r < '0' || r > '7' || m > 0o7777>>3 {
			return 0, false
		}
		m = m<<3 | uint32(r-'0')
	}
	return m, text != ""
}

func (k umask) check(d *Directive, lines []string) error {
	if len(lines) != 1 {
		return fmt.Errorf("%s= takes one value, has %d", d.Name, len(lines))
	}
	if _, ok := k.parse(lines[0]); !ok {
		return fmt.Errorf("%s=%s is not an octal mask, want one such as 0077", d.Name, lines[0])
	}
	return nil
}

func (umask) rule() string { return "every permission that either takes away is taken away" }

func (k umask) merge(d *Directive, c Context, want []string) Merged {
	have := uint32(defaultUMask)
	for _, text := range c.lines[d.Name] {
		if m, ok := k.parse(text); ok {
			have = m
		}
	}
	m, _ := k.parse(want[0])
	if m|have == have {
		return Merged{Note: fmt.Sprintf("%04o is already so", have)}
	}
	return Merged{Lines: []string{fmt.Sprintf("%04o", m|have)}}
}

func (k umask) weaker(_ *Directive, want []string, _ int) [][]string {
	top, _ := k.parse(want[0])
	var lines [][]string
	for _, m := range []uint32{0o077, 0o027} {
		if weaker := top & m; weaker != top && weaker|defaultUMask != defaultUMask {
			lines = append(lines, []string{fmt.Sprintf("%04o", weaker)})
		}
	}
	return lines
}

const defaultUMask = 0o022

// errno is the kind of SystemCallErrorNumber=, the error that a refused call returns. If the unit has a filter, its own
// error stays.
type errno struct{}

func (errno) check(d *Directive, lines []string) error {
	if len(lines) != 1 {
		return fmt.Errorf("%s= takes one value, has %d", d.Name, len(lines))
	}
	if _, ok := values.ParseErrno(lines[0]); !ok && lines[0] != values.ErrnoName(values.ErrnoKill) {
		return fmt.Errorf("%s=%s is not an error, want one such as EPERM, or kill", d.Name, lines[0])
	}
	return nil
}

func (errno) rule() string { return "only where the unit has no filter and no error of its own" }

func (errno) merge(d *Directive, c Context, want []string) Merged {
	for _, name := range []string{d.Name, d.With} {
		if len(c.lines[name]) > 0 {
			return Merged{Note: fmt.Sprintf("the unit's own %s= decides", name)}
		}
	}
	return Merged{Lines: want}
}
