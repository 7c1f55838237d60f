package directive

import (
	"fmt"
	"slices"
	"strings"

	"temper/internal/hint"
)

// ordered is the kind of a directive with a fixed list of values, one of which holds: the last valid assignment wins.
type ordered struct{}

func (ordered) check(d *Directive, values []string) error {
	if len(values) != 1 {
		return fmt.Errorf("%s= takes one value, has %d", d.Name, len(values))
	}
	if _, ok := d.Value(values[0], newest); !ok {
		names := valueNames(d)
		if near := hint.Nearest(values[0], names); near != "" {
			return fmt.Errorf("%s=%s is not a value of it, did you mean %q?", d.Name, values[0], near)
		}
		return fmt.Errorf("%s=%s is not a value of it, want one of %s", d.Name, values[0], strings.Join(names, ", "))
	}
	return nil
}

// newest is a version that knows every value.
const newest = 1 << 20

func valueNames(d *Directive) []string {
	names := make([]string, len(d.Values))
	for i, v := range d.Values {
		names[i] = v.Name
	}
	return names
}

// effective is the assigned value, or a stronger one that another directive of the unit implies; by names that one.
func (ordered) effective(d *Directive, c Context) (v Value, by string) {
	v, _ = d.Read(c.Have(d.Name), c.Version)
	by = d.Name
	for _, other := range table {
		for _, e := range other.Implies {
			if e.Directive != d.Name || !e.in(c.Version) || !c.full(other) || e.WhenOff && v.Rank > 0 {
				continue
			}
			if w, ok := d.Value(e.Value, c.Version); ok && w.Rank > v.Rank {
				v, by = w, other.Name
			}
		}
	}
	return v, by
}

// full reports whether a unit sets an ordered directive to a value that implies what the table says.
func (c Context) full(d *Directive) bool {
	if _, ok := d.kind.(ordered); !ok {
		return false
	}
	v, _ := d.Read(c.Have(d.Name), c.Version)
	return v.Rank > 0
}

func (o ordered) merge(d *Directive, c Context, want []string) Merged {
	wanted, _ := d.Value(want[len(want)-1], newest)
	target := o.known(d, wanted, c.Version)
	note := ""
	if target.Name != wanted.Name {
		note = fmt.Sprintf("%s needs systemd %d, this one is %d", wanted.Name, wanted.Since, c.Version)
	}
	have, by := o.effective(d, c)
	switch {
	case target.Rank == 0 && note != "":
		return Merged{Note: note}
	case have.Rank >= target.Rank && by != d.Name:
		return Merged{Note: fmt.Sprintf("the unit already has %s through %s=", have.Name, by)}
	case have.Rank >= target.Rank && len(c.Have(d.Name)) == 0:
		return Merged{Note: fmt.Sprintf("%s is already so by default", have.Name)}
	case have.Rank >= target.Rank:
		return Merged{Note: fmt.Sprintf("the unit already sets %s", have.Name)}
	}
	if reason := o.uncovers(d, c, have, target); reason != "" {
		return Merged{Note: reason}
	}
	if note != "" {
		note += ": " + target.Name + " instead"
	}
	return Merged{Lines: []string{target.Name}, Note: note}
}

func (ordered) rule() string { return "the stronger value holds" }

// uncovers returns why a stronger value would give something back: where two assignments name one path, systemd keeps one,
// and where a value stops naming a path itself, the unit's exceptions from it begin to count.
func (o ordered) uncovers(d *Directive, c Context, have, target Value) string {
	if by := c.wouldOpen("/run"); by != "" && d.mountsRun(target) && !c.mountsRun() {
		return "would make /run writable, which the unit keeps closed by " + by
	}
	for _, e := range d.Opens {
		from, _ := d.Value(e.Value, newest)
		if from.Rank > target.Rank || from.Rank <= have.Rank {
			continue
		}
		for _, closed := range c.readOnly() {
			if closed != e.Path && below(closed, e.Path) {
				return fmt.Sprintf("would open %s, which the unit's ReadOnlyPaths=%s closes", e.Path, closed)
			}
		}
	}
	for _, e := range d.Paths {
		from, _ := d.Value(e.Value, newest)
		if e.Mode == ReadOnly && from.Rank <= target.Rank && c.covers(e.Path) {
			return fmt.Sprintf("would uncover %s, which the unit covers with a file system of its own", e.Path)
		}
		if have.Rank == 0 || from.Rank > have.Rank {
			continue
		}
		for _, row := range table {
			if _, opens := row.kind.(openPaths); !opens || row.With != d.Name {
				continue
			}
			if slices.ContainsFunc(c.openPaths(row.Name), func(open string) bool { return below(open, e.Path) }) {
				return fmt.Sprintf("the unit's own %s= would then open %s", row.Name, e.Path)
			}
		}
	}
	return ""
}

// known is the strongest value up to want that a systemd version has.
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

func (o ordered) rungs(d *Directive, want []string, version int) [][]string {
	top, _ := d.Value(want[len(want)-1], newest)
	top = o.known(d, top, version)
	var rungs [][]string
	for _, v := range slices.Backward(d.Values) {
		if v.Rank > 0 && v.Rank < top.Rank && v.Since <= version {
			rungs = append(rungs, []string{v.Name})
		}
	}
	return rungs
}

// mask is the kind of UMask=: every bit that is set takes a permission away.
type mask struct{}

const defaultUMask = 0o022

func (mask) parse(text string) (uint32, bool) {
	var m uint32
	for _, r := range text {
		if r < '0' || r > '7' || m > 0o7777>>3 {
			return 0, false
		}
		m = m<<3 | uint32(r-'0')
	}
	return m, text != ""
}

func (k mask) check(d *Directive, values []string) error {
	if len(values) != 1 {
		return fmt.Errorf("%s= takes one value, has %d", d.Name, len(values))
	}
	if _, ok := k.parse(values[0]); !ok {
		return fmt.Errorf("%s=%s is not an octal mask, want one such as 0077", d.Name, values[0])
	}
	return nil
}

func (mask) rule() string { return "every permission that either takes away is taken away" }

func (k mask) merge(d *Directive, c Context, want []string) Merged {
	have := uint32(defaultUMask)
	for _, text := range c.Have(d.Name) {
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

func (k mask) rungs(_ *Directive, want []string, _ int) [][]string {
	top, _ := k.parse(want[0])
	var rungs [][]string
	for _, m := range []uint32{0o077, 0o027} {
		if weaker := top & m; weaker != top && weaker|defaultUMask != defaultUMask {
			rungs = append(rungs, []string{fmt.Sprintf("%04o", weaker)})
		}
	}
	return rungs
}

// errno is the kind of SystemCallErrorNumber=, which says how a refusal looks: the unit's own filter keeps its own.
type errno struct{}

func (errno) check(d *Directive, values []string) error {
	if len(values) != 1 {
		return fmt.Errorf("%s= takes one value, has %d", d.Name, len(values))
	}
	if _, ok := ParseErrno(values[0]); !ok && values[0] != ErrnoName(ErrnoKill) {
		return fmt.Errorf("%s=%s is not an error, want one such as EPERM, or kill", d.Name, values[0])
	}
	return nil
}

func (errno) rule() string { return "only where the unit has no filter and no error of its own" }

func (errno) merge(d *Directive, c Context, want []string) Merged {
	for _, name := range []string{d.Name, d.With} {
		if len(c.Have(name)) > 0 {
			return Merged{Note: fmt.Sprintf("the unit's own %s= decides", name)}
		}
	}
	return Merged{Lines: want}
}
