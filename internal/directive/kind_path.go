package directive

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/internal/unit"
)

// shutPaths is the kind of a list of paths that takes something away below each: adding to it only restricts.
type shutPaths struct{ mode PathMode }

func (shutPaths) check(d *Directive, values []string) error {
	for _, v := range values {
		words, err := unit.Words(v)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", d.Name, v, err)
		}
		for _, w := range words {
			if p := barePath(w); !path.IsAbs(p) || path.Clean(p) != p {
				return fmt.Errorf("%s= has the path %q, want a clean absolute path", d.Name, w)
			}
		}
	}
	return nil
}

func (k shutPaths) merge(d *Directive, c Context, want []string) Merged {
	have := c.paths(d.Name)
	var lines []string
	for _, w := range pathWords(want) {
		p := barePath(w)
		if !slices.Contains(have, p) && !slices.ContainsFunc(c.hidden(), func(h string) bool { return below(h, p) }) {
			lines = append(lines, optional(w))
		}
	}
	if lines == nil {
		return Merged{Note: "the unit already has these"}
	}
	return Merged{Lines: lines, Adds: true}
}

// openPaths is the kind of a list of exceptions below paths that something else takes away.
type openPaths struct{}

func (openPaths) check(d *Directive, values []string) error { return shutPaths{}.check(d, values) }

// merge lets through only the exceptions for paths that the unit leaves open: any other would open what it had closed.
func (openPaths) merge(d *Directive, c Context, want []string) Merged {
	closed, open := c.shut(d), c.paths(d.Name)
	var lines, refused []string
	for _, w := range pathWords(want) {
		p := barePath(w)
		if slices.Contains(open, p) {
			continue
		}
		if by := refuses(closed, open, p); by != "" {
			refused = append(refused, p+" ("+by+")")
			continue
		}
		lines = append(lines, optional(w))
	}
	if len(refused) > 0 {
		return Merged{Lines: lines, Adds: true, Note: "the unit keeps closed " + strings.Join(refused, ", ")}
	}
	if lines == nil {
		return Merged{Note: "the unit already has these"}
	}
	return Merged{Lines: lines, Adds: true}
}

// closedPath is a path that a unit takes away, and the directive that does so.
type closedPath struct {
	path, by string
	replaced bool // by a directive whose value can be replaced: what lies below an exception would open
}

// refuses returns the directive that closes p, or something below p that would open with it; "" if none does. The most
// specific path decides, as in systemd's own list of mounts.
func refuses(closed []closedPath, open []string, p string) string {
	for _, c := range closed {
		if below(c.path, p) && !slices.ContainsFunc(open, func(o string) bool { return below(c.path, o) && below(o, p) }) {
			return c.by
		}
		if c.replaced && below(p, c.path) {
			return c.by
		}
	}
	return ""
}

// shut lists what a unit closes and exceptions of d would open.
func (c Context) shut(d *Directive) []closedPath {
	var closed []closedPath
	for _, row := range table {
		k, lists := row.kind.(shutPaths)
		if lists && (k.mode == Writable) == (d.With == row.Name) {
			for _, p := range c.paths(row.Name) {
				closed = append(closed, closedPath{p, row.Name + "=", false})
			}
		}
		if o, ok := row.kind.(ordered); ok && d.With == "ProtectSystem" {
			have, _ := o.effective(row, c)
			for _, e := range row.Paths {
				if v, _ := row.Value(e.Value, newest); have.Rank >= v.Rank && have.Rank > 0 {
					closed = append(closed, closedPath{e.Path, row.Name + "=" + have.Name, row.Name == d.With})
				}
			}
		}
	}
	return closed
}

// paths returns what a unit's path list amounts to: clean paths without prefixes, an empty assignment resets.
func (c Context) paths(name string) []string {
	var paths []string
	for _, v := range c.Have(name) {
		if v == "" {
			paths = nil
			continue
		}
		for _, w := range pathWords([]string{v}) {
			paths = append(paths, path.Clean(barePath(w)))
		}
	}
	return paths
}

// hidden lists the paths below which the unit sees nothing.
func (c Context) hidden() []string { return c.paths("InaccessiblePaths") }

// pathWords splits assignments into words; quoted words keep their blanks. A line that cannot be split is passed over, as
// systemd does.
func pathWords(values []string) []string {
	var words []string
	for _, v := range values {
		if w, err := unit.Words(v); err == nil {
			words = append(words, w...)
		}
	}
	return words
}

// barePath strips the prefixes "-" (may be missing) and "+" (inside the root directory of the unit).
func barePath(word string) string { return strings.TrimLeft(word, "-+") }

// optional marks a path as one that may be missing: a unit must never fail to start because a path that temper names is
// not there. The word is quoted where systemd would split it.
func optional(word string) string {
	p := strings.TrimPrefix(word, "-")
	if strings.ContainsAny(p, " \t\"'\\") {
		return `"-` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p) + `"`
	}
	return "-" + p
}

// below reports whether p is dir or lies below it.
func below(dir, p string) bool {
	return dir == p || dir == "/" || strings.HasPrefix(p, dir+"/")
}
