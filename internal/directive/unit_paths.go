package directive

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/values"
)

// mounts lists what a value of an ordered directive mounts, by what it implies too.
func (d *Directive) mounts(v Value, version int) []Mount {
	if v.Rank == 0 {
		return nil
	}
	all := slices.DeleteFunc(slices.Clone(d.Mounts), func(m Mount) bool {
		from, _ := d.Value(m.Value, values.Newest)
		return version < m.Since || v.Rank < from.Rank
	})
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

// mounts reports whether the unit mounts something at a path itself, as one of the table's directives would.
func (c Context) mounts(p string) bool {
	for _, name := range append([]string{"MountAPIVFS"}, roots...) {
		v := c.Have(name)
		off := []string{"", "/", "no", "false", "off", "0"}
		isHere := func(m Mount) bool { return m.Path == p }
		if len(v) > 0 && !slices.Contains(off, v[len(v)-1]) && slices.ContainsFunc(apiMounts, isHere) {
			return true
		}
	}
	return slices.Contains(c.mounted(), p)
}

// mounted lists what the unit mounts writable.
func (c Context) mounted() []string {
	var paths []string
	for _, d := range table {
		if len(d.Mounts) == 0 {
			continue
		}
		have, _ := ordered{}.effective(d, c)
		for _, m := range d.mounts(have, c.Version) {
			if m.Writable {
				paths = append(paths, m.Path)
			}
		}
	}
	return paths
}

// gives says what a mount would give back to a service of the unit; "" if nothing.
func (m Mount) gives(c Context) string {
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
	closed := c.closedBy(NoExec)
	for _, x := range c.covered() {
		if slices.Contains(x.options, "noexec") {
			closed = append(closed, closedPath{path: x.path, by: x.by})
		}
	}
	return onlyAbove(closed, c.exceptions(NoExec), p)
}

// wouldOpen returns what makes p read-only only by a directory above it; "" if nothing does. systemd makes a mount of
// each path in NoExecPaths= and ExecPaths=, and makes what was read-only below others writable with it: seen on 252
// and 257, with ProtectSystem=strict and with ReadOnlyPaths=/. Where the unit names p itself, systemd makes also what
// is mounted there read-only.
func (c Context) wouldOpen(p string) string {
	closed := slices.DeleteFunc(c.shut(exceptionsFrom(ReadOnly)), func(x closedPath) bool { return x.writable })
	return onlyAbove(closed, append(c.exceptions(ReadOnly), c.mounted()...), p)
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
	if slices.ContainsFunc(c.covered(), func(x cover) bool { return x.path == p }) {
		return true
	}
	return slices.ContainsFunc(table, func(d *Directive) bool {
		if d.Covers == "" {
			return false
		}
		have, _ := ordered{}.effective(d, c)
		return have.Name == d.Covers && d.hides(p, have)
	})
}

// coveredWith returns what covers exactly this path with a file system that has an option; "" if nothing does.
func (c Context) coveredWith(p, option string) string {
	for _, x := range c.covered() {
		if x.path == realPath(p) && slices.Contains(x.options, option) {
			return x.by
		}
	}
	return ""
}

// closedBy lists what the unit's lists of paths close in one way.
func (c Context) closedBy(mode PathMode) []closedPath {
	var closed []closedPath
	for _, row := range table {
		if k, ok := row.kind.(shutPaths); ok && k.mode == mode {
			for _, p := range c.closedPaths(row.Name) {
				closed = append(closed, closedPath{path: p, by: row.Name + "="})
			}
		}
	}
	return closed
}

// hides reports whether the unit makes p, or a directory above it, inaccessible by name.
func (c Context) hides(p string) bool {
	return slices.ContainsFunc(c.closedBy(Hidden), func(x closedPath) bool { return host.Below(x.path, p) })
}

// cover is a file system that a unit puts over a path, with the options of mount(8).
type cover struct {
	path, by string
	options  []string
}

// covered lists the covers of a unit, PATH[:OPTIONS].
func (c Context) covered() []cover {
	var all []cover
	for _, row := range table {
		if _, ok := row.kind.(coverPaths); !ok {
			continue
		}
		for _, w := range c.pathWords(row.Name) {
			p, options, _ := strings.Cut(w, ":")
			all = append(all, cover{realPath(knownPart(p)), row.Name + "=", strings.Split(options, ",")})
		}
	}
	return all
}

// bound lists the destinations of BindPaths= and BindReadOnlyPaths=, SOURCE[:DESTINATION[:OPTIONS]].
func (c Context) bound() []string {
	var paths []string
	for _, name := range []string{"BindPaths", "BindReadOnlyPaths"} {
		for _, w := range c.pathWords(name) {
			parts := strings.Split(barePath(w), ":")
			paths = append(paths, realPath(knownPart(parts[min(1, len(parts)-1)])))
		}
	}
	return paths
}

// closedPath is a path that a unit takes away, and the directive that does so.
type closedPath struct {
	path, by string
	replaced bool // by a directive whose value can be replaced: what lies below an exception would open
	writable bool // what the unit has there instead can be written
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

// roots are the directives that give a unit another root directory.
var roots = []string{"RootDirectory", "RootImage", "RootMStack"}

// lifts is what a list of exceptions lifts: the mode of the list that it is an exception from.
func (d *Directive) lifts() PathMode {
	if k, ok := byName()[d.With].kind.(shutPaths); ok {
		return k.mode
	}
	return ReadOnly
}

// exceptionsFrom returns the list of exceptions from what is closed in one way.
func exceptionsFrom(mode PathMode) *Directive {
	i := slices.IndexFunc(table, func(row *Directive) bool {
		_, ok := row.kind.(openPaths)
		return ok && row.lifts() == mode
	})
	return table[i]
}

// exceptions lists the paths of a unit that are exceptions from what is read-only or noexec.
func (c Context) exceptions(from PathMode) []string {
	var paths []string
	for _, row := range table {
		if _, ok := row.kind.(openPaths); ok && row.lifts() == from {
			paths = append(paths, c.openPaths(row.Name)...)
		}
	}
	return paths
}

// shut lists what a unit closes and exceptions of d would open.
func (c Context) shut(d *Directive) []closedPath {
	var closed []closedPath
	for _, name := range roots { // paths then have two meanings
		if v := c.Have(name); len(v) > 0 && v[len(v)-1] != "" {
			closed = append(closed, closedPath{path: "/", by: name + "=", replaced: true, writable: true})
		}
	}
	for _, x := range c.covered() {
		closed = append(closed, closedPath{path: x.path, by: x.by, writable: !slices.Contains(x.options, "ro")})
	}
	for _, p := range c.bound() {
		closed = append(closed, closedPath{path: p, by: "BindPaths= or BindReadOnlyPaths="})
	}
	for _, row := range table {
		k, lists := row.kind.(shutPaths)
		if lists && (k.mode == NoExec) == (d.With == row.Name) {
			for _, p := range c.closedPaths(row.Name) {
				closed = append(closed, closedPath{path: p, by: row.Name + "="})
			}
		}
		if row.Ordered() && d.lifts() != NoExec {
			closed = append(closed, c.shutBy(row, d)...)
		}
	}
	return closed
}

// shutBy lists what the value of an ordered directive closes and exceptions of d would open.
func (c Context) shutBy(row, d *Directive) []closedPath {
	var closed []closedPath
	have, _ := ordered{}.effective(row, c)
	for _, e := range row.Paths {
		v, _ := row.Value(e.Value, values.Newest)
		if have.Rank >= v.Rank && have.Rank > 0 && row.names(e, have) {
			by := row.Name + "=" + have.Name
			closed = append(closed, closedPath{path: realPath(e.Path), by: by, replaced: row.Name == d.With})
		}
	}
	return closed
}

// closedPaths returns the paths that a unit's list takes something away from, an empty assignment resets. Where a
// specifier that no file tells is part of a path, the directory above it counts.
func (c Context) closedPaths(name string) []string {
	var paths []string
	for _, w := range c.pathWords(name) {
		paths = append(paths, realPath(knownPart(barePath(w))))
	}
	return paths
}

// openPaths returns the exceptions of a unit's list, without those whose path cannot be told.
func (c Context) openPaths(name string) []string {
	var paths []string
	for _, w := range c.pathWords(name) {
		if p := barePath(w); !strings.Contains(p, "%") {
			paths = append(paths, realPath(p))
		}
	}
	return paths
}

// pathWords splits a unit's list of paths into words, an empty assignment resets.
func (c Context) pathWords(name string) []string {
	var words []string
	for _, v := range c.Have(name) {
		if v == "" {
			words = nil
			continue
		}
		words = append(words, pathWords([]string{v})...)
	}
	return words
}

// pathWords splits assignments into words; quoted words keep their blanks. A line that cannot be split is passed
// over, as systemd does.
func pathWords(lines []string) []string {
	var words []string
	for _, v := range lines {
		if w, err := unit.Words(v); err == nil {
			words = append(words, w...)
		}
	}
	return words
}

// knownPart cuts a path before the first part that holds a specifier.
func knownPart(p string) string {
	if i := strings.Index(p, "%"); i >= 0 {
		return "/" + p[:max(strings.LastIndex(p[:i], "/"), 0)]
	}
	return p
}

// merged are the links that every current system has at the top of its file tree; see file-hierarchy(7).
var merged = []struct{ link, path string }{
	{"/bin", "/usr/bin"},
	{"/sbin", "/usr/sbin"},
	{"/lib", "/usr/lib"},
	{"/lib32", "/usr/lib32"},
	{"/lib64", "/usr/lib64"},
	{"/libx32", "/usr/libx32"},
	{"/var/run", "/run"},
	{"/var/lock", "/run/lock"},
}

// realPath returns a clean path with those links resolved: two names of one place must not look like two places.
func realPath(p string) string {
	p = path.Clean(p)
	for _, m := range merged {
		if host.Below(m.link, p) {
			return m.path + p[len(m.link):]
		}
	}
	return p
}

// barePath strips the prefixes "-" (may be missing) and "+" (inside the root directory of the unit).
func barePath(word string) string { return strings.TrimLeft(word, "-+") }

// rooted reports whether a word is a path inside the root directory of the unit.
func rooted(word string) bool { return strings.HasPrefix(strings.TrimLeft(word, "-"), "+") }

// optional marks a path as one that may be missing: a unit must never fail to start because a path that temper names is
// not there.
func optional(word string) string { return quoted("-" + strings.TrimPrefix(word, "-")) }

// quoted quotes a word where systemd would split it.
func quoted(word string) string {
	if strings.ContainsAny(word, " \t\"'\\") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
	}
	return word
}
