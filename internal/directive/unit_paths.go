package directive

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
)

// mounts lists what a value of an ordered directive mounts, by what it implies too.
func (d *Directive) mounts(v Value, version int) []Mount {
	if v.Rank == 0 {
		return nil
	}
	var all []Mount
	for _, m := range d.Mounts {
		if version >= m.Since && (v.Rank > d.rank(m.Value) || v.Name == m.Value) {
			all = append(all, m)
		}
	}
	for _, e := range d.NamedPaths([]string{v.Name}) {
		if e.Mode == ReadOnly && !host.Below("/proc", e.Path) &&
			!host.Below("/sys", e.Path) { // which are noexec themselves
			all = append(all, Mount{Path: e.Path, Executable: true})
		}
		if e.Mode == Hidden && v.Name == d.Covers {
			all = append(all, Mount{Path: e.Path, Writable: true, Executable: true})
		}
	}
	for _, e := range d.Implies {
		implied := byName()[e.Directive]
		if implied.Ordered() && e.in(version) {
			value, _ := implied.Value(e.Value, version)
			all = append(all, implied.mounts(value, version)...)
		}
	}
	return all
}

// rank is that of a value of the table by its name there; 0 for any other.
func (d *Directive) rank(name string) int {
	for _, v := range d.Values {
		if v.Name == name {
			return v.Rank
		}
	}
	return 0
}

// unitPaths is what a unit does to paths itself.
type unitPaths struct {
	lists    map[*Directive][]string   // the paths that each list names
	covers   []cover                   // file systems that it puts over paths
	mounts   []string                  // where something is mounted because of directives that no profile sets
	writable []string                  // what it mounts writable by others
	closed   map[PathMode][]closedPath // what its lists close in one way
	shut     map[PathMode][]closedPath // what exceptions from one way of closing would open
	open     map[PathMode][]string     // its own exceptions
}

// readPaths reads what a unit does to paths.
func (c Context) readPaths() unitPaths {
	p := unitPaths{
		lists:  map[*Directive][]string{},
		closed: map[PathMode][]closedPath{}, shut: map[PathMode][]closedPath{}, open: map[PathMode][]string{},
	}
	for _, d := range table {
		switch k := d.kind.(type) {
		case openPaths:
			p.lists[d] = c.openPaths(d)
			p.open[d.lifts()] = append(p.open[d.lifts()], p.lists[d]...)
		case shutPaths:
			p.lists[d] = c.closedPaths(d)
			p.closed[k.mode] = append(p.closed[k.mode], closedBy(d.Name, p.lists[d])...)
		case coverPaths:
			p.covers = append(p.covers, c.coversOf(d)...)
		}
		if len(d.Mounts) == 0 {
			continue
		}
		for _, m := range d.mounts(c.values[d].Value, c.version) {
			if m.Writable {
				p.writable = append(p.writable, m.Path)
			}
		}
	}
	for _, d := range unitOnly {
		if !d.isMounted(c) {
			continue
		}
		for _, m := range d.mounts {
			p.mounts = append(p.mounts, m.Path)
		}
	}
	for _, d := range table {
		if _, ok := d.kind.(openPaths); ok {
			p.shut[d.lifts()] = c.shut(p, d)
		}
	}
	return p
}

// unitDirective is a directive that no profile sets and that decides, in a unit that sets it, what is at a path.
type unitDirective struct {
	name   string
	root   bool    // it gives the unit another root directory: a path then has two meanings
	plus   bool    // of a root: "+" before a path says that it is inside
	mounts []Mount // what systemd mounts with it
	unless string  // a boolean that decides about these mounts instead, where a unit sets it
	binds  bool    // it lists SOURCE[:DESTINATION[:OPTIONS]] and mounts at each destination
}

// isMounted reports whether a unit has what the directive mounts.
func (d unitDirective) isMounted(c Context) bool {
	if on, set := c.boolean(cmp.Or(d.unless, d.name)); set || !d.root {
		return on
	}
	root := c.last(d.name)
	return path.IsAbs(root) && root != "/"
}

// last returns the assignment of a directive that holds; "" if there is none.
func (c Context) last(name string) string {
	lines := c.lines[name]
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

// boolean returns the value of a boolean directive; set is false if the unit has none, or takes it back.
func (c Context) boolean(name string) (on, set bool) {
	for _, text := range slices.Backward(c.lines[name]) {
		if on, set = unit.Bool(text); set || text == "" {
			return on, set
		}
	}
	return false, false
}

// mounts reports whether the unit mounts something at a path itself, as one of the table's directives would.
func (c Context) mounts(p string) bool {
	return slices.Contains(c.paths.mounts, p) || slices.Contains(c.paths.writable, p)
}

// gives says what a mount would give back to a service of the unit; "" if nothing.
func (c Context) gives(m Mount) string {
	if by := c.readOnlyAbove(m.Path); m.Writable && by != "" {
		return fmt.Sprintf("would make %s writable, which the unit keeps closed by %s", m.Path, by)
	}
	if by := c.noExecAbove(m.Path); m.Executable && by != "" {
		return fmt.Sprintf("would make what is in %s executable, which the unit forbids by %s", m.Path, by)
	}
	return ""
}

// readOnlyAbove returns what makes p read-only, but not what is mounted at p; "" if nothing does.
func (c Context) readOnlyAbove(p string) string {
	if by := c.coveredWith(p, "ro"); by != "" {
		return by
	}
	return c.wouldOpen(p)
}

// noExecAbove returns what keeps files at p from being executed, but not those of what is mounted at p; "" if nothing
// does.
func (c Context) noExecAbove(p string) string {
	if by := c.coveredWith(p, "noexec"); by != "" {
		return by
	}
	closed := slices.Clone(c.paths.closed[NoExec])
	for _, x := range c.paths.covers {
		if slices.Contains(x.options, "noexec") {
			closed = append(closed, closedPath{path: x.path, by: x.by})
		}
	}
	return onlyAbove(closed, c.paths.open[NoExec], p)
}

// wouldOpen returns what makes p read-only only by a directory above it; "" if nothing does. systemd makes a mount of
// each path in NoExecPaths= and ExecPaths=, and makes what was read-only below others writable with it: seen on 252
// and 257, with ProtectSystem=strict and with ReadOnlyPaths=/. Where the unit names p itself, systemd makes also what
// is mounted there read-only.
func (c Context) wouldOpen(p string) string {
	isWritable := func(x closedPath) bool { return x.writable }
	closed := slices.DeleteFunc(slices.Clone(c.paths.shut[ReadOnly]), isWritable)
	return onlyAbove(closed, slices.Concat(c.paths.open[ReadOnly], c.paths.writable), p)
}

// onlyAbove returns what closes p by a directory above it alone; "" if nothing does.
func onlyAbove(closed []closedPath, open []string, p string) string {
	by := ""
	for _, x := range closed {
		between := func(o string) bool { return host.Below(x.path, o) && host.Below(o, p) }
		switch {
		case x.path == p:
			return ""
		case host.Below(x.path, p) && !slices.ContainsFunc(open, between):
			by = x.by
		}
	}
	return by
}

// covers reports whether a unit covers exactly this path with a file system of its own. Of two assignments for one
// path systemd keeps one, and drops the cover for most others: what lies below would show (drop_duplicates() in
// namespace.c).
func (c Context) covers(p string) bool {
	p = realPath(p)
	if slices.ContainsFunc(c.paths.covers, func(x cover) bool { return x.path == p }) {
		return true
	}
	return slices.ContainsFunc(table, func(d *Directive) bool {
		have := c.values[d]
		return d.Covers != "" && have.Name == d.Covers && d.hides(p, have.Rank)
	})
}

// coveredWith returns what covers exactly this path with a file system that has an option; "" if nothing does.
func (c Context) coveredWith(p, option string) string {
	for _, x := range c.paths.covers {
		if x.path == realPath(p) && slices.Contains(x.options, option) {
			return x.by
		}
	}
	return ""
}

// hides reports whether the unit makes p, or a directory above it, inaccessible by name.
func (c Context) hides(p string) bool {
	return slices.ContainsFunc(c.paths.closed[Hidden], func(x closedPath) bool { return host.Below(x.path, p) })
}

// cover is a file system that a unit puts over a path, with the options of mount(8).
type cover struct {
	path, by string
	options  []string
}

// coversOf lists the covers of a list, PATH[:OPTIONS].
func (c Context) coversOf(d *Directive) []cover {
	var all []cover
	for _, w := range c.pathWords(d.Name) {
		p, options, _ := strings.Cut(w, ":")
		all = append(all, cover{realPath(knownPart(p)), d.Name + "=", strings.Split(options, ",")})
	}
	return all
}

// closedPath is a path that a unit takes away, and the directive that does so.
type closedPath struct {
	path, by string
	replaced bool // by a directive whose value can be replaced: what lies below an exception would open
	writable bool // what the unit has there instead can be written
	plus     bool // a path with "+" before it means one place all the same
}

func closedBy(name string, paths []string) []closedPath {
	closed := make([]closedPath, len(paths))
	for i, p := range paths {
		closed[i] = closedPath{path: p, by: name + "="}
	}
	return closed
}

// refuses returns the directive that closes p, or something below p that would open with it; "" if none does. The most
// specific path decides, and for one path what closes it, as in systemd's own list of mounts.
func refuses(closed []closedPath, open []string, p string) string {
	for _, c := range closed {
		between := func(o string) bool { return o != c.path && host.Below(c.path, o) && host.Below(o, p) }
		if host.Below(c.path, p) && !slices.ContainsFunc(open, between) {
			return c.by
		}
		if c.replaced && host.Below(p, c.path) {
			return c.by
		}
	}
	return ""
}

// lifts is what a list of exceptions lifts: the mode of the list that it is an exception from.
func (d *Directive) lifts() PathMode {
	if k, ok := byName()[d.With].kind.(shutPaths); ok {
		return k.mode
	}
	return ReadOnly
}

// shut lists what a unit closes and exceptions of d would open.
func (c Context) shut(p unitPaths, d *Directive) []closedPath {
	var closed []closedPath
	for _, row := range unitOnly {
		if row.root && c.last(row.name) != "" {
			closed = append(closed, closedPath{
				path: "/", by: row.name + "=", replaced: true, writable: true,
				plus: row.plus,
			})
		}
	}
	for _, x := range p.covers {
		closed = append(closed, closedPath{path: x.path, by: x.by, writable: !slices.Contains(x.options, "ro")})
	}
	for _, row := range unitOnly {
		if row.binds {
			closed = append(closed, closedBy(row.name, c.destinations(row.name))...)
		}
	}
	for _, row := range table {
		k, lists := row.kind.(shutPaths)
		if lists && (k.mode == NoExec) == (d.With == row.Name) {
			closed = append(closed, closedBy(row.Name, p.lists[row])...)
		}
		if row.Ordered() && d.lifts() != NoExec {
			closed = append(closed, c.shutBy(row, d)...)
		}
	}
	return closed
}

// shutBy lists what the value of an ordered directive closes and exceptions of d would open.
func (c Context) shutBy(row, d *Directive) []closedPath {
	have := c.values[row].Value
	if have.Rank == 0 {
		return nil
	}
	var closed []closedPath
	for _, e := range row.Paths {
		if have.Rank >= row.rank(e.Value) && row.names(e, have.Rank) {
			by := row.Name + "=" + have.Name
			closed = append(closed, closedPath{path: realPath(e.Path), by: by, replaced: row.Name == d.With})
		}
	}
	return closed
}

// destinations lists where the unit's list of SOURCE[:DESTINATION[:OPTIONS]] mounts something.
func (c Context) destinations(name string) []string {
	var paths []string
	for _, w := range c.pathWords(name) {
		parts := strings.Split(barePath(w), ":")
		paths = append(paths, realPath(knownPart(parts[min(1, len(parts)-1)])))
	}
	return paths
}

// closedPaths returns the paths that a unit's list takes something away from, an empty assignment resets. Where a
// specifier that no file tells is part of a path, the directory above it counts.
func (c Context) closedPaths(d *Directive) []string {
	var paths []string
	for _, w := range c.pathWords(d.Name) {
		paths = append(paths, realPath(knownPart(barePath(w))))
	}
	return paths
}

// openPaths returns the exceptions of a unit's list, without those whose path cannot be told.
func (c Context) openPaths(d *Directive) []string {
	var paths []string
	for _, w := range c.pathWords(d.Name) {
		if p := barePath(w); !strings.Contains(p, "%") {
			paths = append(paths, realPath(p))
		}
	}
	return paths
}

// pathWords splits a unit's list of paths into words, an empty assignment resets.
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
