package directive

import (
	"fmt"
	"slices"
	"strings"

	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/unit"
)

// in reports whether the unit of c has the assignment.
func (x Clash) in(c Context) bool {
	lines := c.lines[x.Directive]
	if d, ok := byName()[x.Directive]; ok && d.Ordered() {
		v, _ := d.Read(lines, c.version)
		return v.Name == x.Value
	}
	return len(lines) > 0 && lines[len(lines)-1] != "" && (x.Value == "" || lines[len(lines)-1] == x.Value)
}

// kind says how the directives of one kind are validated and merged. See merge_*.go.
type kind interface {
	// check validates the assignments of a profile.
	check(d *Directive, lines []string) error
	// merge computes what to assign so that the unit forbids what it forbade and what is wanted.
	merge(d *Directive, c Context, want []string) Merged
	// rule says in a few words how the kind merges.
	rule() string
}

// Context is the unit into which directives are merged. See [NewContext].
type Context struct {
	version int                 // of systemd
	lines   map[string][]string // the unit's own assignments, in order
	values  map[*Directive]effective
	paths   unitPaths
}

// NewContext reads the assignments of a unit. lines has them by the current name of the directive (see [Canonical]), in
// order, with empty ones.
func NewContext(version int, lines map[string][]string) Context {
	c := Context{version: version, lines: lines}
	c.values = c.effectiveValues()
	c.paths = c.readPaths()
	return c
}

// last returns the last assignment of a directive, which is the one that counts; "" if there is none.
func (c Context) last(name string) string {
	lines := c.lines[name]
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

// boolean returns the value of a boolean directive; set is false if the unit does not set it, or resets it.
func (c Context) boolean(name string) (on, set bool) {
	for _, text := range slices.Backward(c.lines[name]) {
		if on, set = unit.Bool(text); set || text == "" {
			return on, set
		}
	}
	return false, false
}

// pathWords splits a list of the unit into words; an empty assignment resets the list.
func (c Context) pathWords(name string) []string {
	var words []string
	for _, v := range c.lines[name] {
		if v == "" {
			words = nil
			continue
		}
		words = append(words, pathWords([]string{v})...)
	}
	return words
}

// Merged is the result of a merge. If there are no Lines, nothing has to be or can be assigned, and Note says why.
type Merged struct {
	Lines []string // values to assign, in order; "" is the empty assignment
	Note  string   // how Lines differ from what was wanted, and why; "" if they do not
	Adds  bool     // Lines only add to what the unit sets and replace none of it
}

// Merge returns the assignments that, read after the unit's own, make it forbid everything that it forbade before and,
// as far as systemd allows, everything that want forbids.
func (d *Directive) Merge(c Context, want []string) Merged {
	if d.Since > c.version {
		return Merged{Note: fmt.Sprintf("needs systemd %d, this one is %d", d.Since, c.version)}
	}
	for _, w := range d.Widens {
		if w.in(c.version) && c.closes(w) {
			return Merged{Note: fmt.Sprintf("would open %s=%s, which the unit keeps closed", w.Directive, w.Value)}
		}
	}
	for _, x := range d.Clashes {
		if (x.With == "" || slices.Contains(want, x.With)) && x.in(c) {
			return Merged{
				Note: fmt.Sprintf("systemd does not load a unit that has both it and %s=%s", x.Directive, x.Value),
			}
		}
	}
	return d.kind.merge(d, c, want)
}

// A besider is a kind whose assignments depend on the others of a plan.
type besider interface {
	// beside returns want as it holds beside the others.
	beside(want []string, o others) []string
}

// others is what the other assignments of a plan do to paths.
type others struct {
	mountsRoot bool     // one of them mounts at /
	writable   []string // the lines that show paths writable
	binds      []string // the paths that they show
	covers     []string // the paths that they cover
	closed     []string // the paths of which they take something away, covers among them
}

func (o *others) add(d *Directive, lines []string) {
	o.mountsRoot = o.mountsRoot || d.mountsRoot(lines)
	if b, binds := d.kind.(bindPathList); binds {
		o.binds = append(o.binds, b.refusedPaths(lines)...)
		if b.writable {
			o.writable = append(o.writable, lines...)
		}
	}
	_, covers := d.kind.(coverPathList)
	for _, e := range d.PathsOf(lines) {
		o.closed = append(o.closed, realPath(e.Path))
		if covers {
			o.covers = append(o.covers, realPath(e.Path))
		}
	}
}

// opens reports whether a path is another name of a directory in which the others close something.
func (o others) opens(p string) bool {
	return isOtherName(p) && slices.ContainsFunc(o.closed, func(x string) bool { return host.Below(realPath(p), x) })
}

// Beside returns the assignments want as they hold beside the rest of a plan, which is by name.
func (d *Directive) Beside(want []string, rest map[string][]string) []string {
	k, ok := d.kind.(besider)
	if !ok || want == nil {
		return want
	}
	var o others
	for name, lines := range rest {
		if other, known := Lookup(name); known && len(lines) > 0 {
			o.add(other, lines)
		}
	}
	return k.beside(want, o)
}

// Rule says in a few words how the directive merges with what a unit sets.
func (d *Directive) Rule() string { return d.kind.rule() }

// doesNotKnow is the note about the words that a systemd version does not know; "" if there are none.
func doesNotKnow(version int, words []string) string {
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf("systemd %d does not know %s", version, strings.Join(words, " "))
}

// reset puts an empty assignment before the others if it is needed.
func reset(needed bool, lines []string) []string {
	if needed {
		return append([]string{""}, lines...)
	}
	return lines
}

// checkWords checks a list of names, and returns an error for the first one that is not known.
func checkWords(d *Directive, lines []string, isName func(string) bool, names []string) error {
	for _, v := range lines {
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
