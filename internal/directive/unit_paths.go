package directive

import (
	"path"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/values"
)

// mountsRun reports whether a value brings a mount of /run.
func (d *Directive) mountsRun(v Value) bool {
	return v.Rank > 0 && (d.MountsRun == "any" || d.MountsRun == v.Name)
}

// wouldOpen returns what makes p read-only only by a directory above it; "" if nothing does. systemd makes a mount of each path in
// NoExecPaths= and ExecPaths=, and makes what was read-only below others writable with it: seen on 252 and 257, with
// ProtectSystem=strict and with ReadOnlyPaths=/.
func (c Context) wouldOpen(p string) string {
	closed, open := c.shut(byName()["ReadWritePaths"]), c.openPaths("ReadWritePaths")
	by := ""
	for _, x := range closed {
		if x.path == p {
			return ""
		}
		if host.Below(x.path, p) && !slices.ContainsFunc(open, func(o string) bool { return host.Below(x.path, o) && host.Below(o, p) }) {
			by = x.by
		}
	}
	return by
}

// mountsRun reports whether the unit has a mount of /run already, see [Directive.MountsRun].
func (c Context) mountsRun() bool {
	for _, name := range []string{"MountAPIVFS", "RootDirectory", "RootImage", "RootMStack"} {
		if v := c.Have(name); len(v) > 0 && !slices.Contains([]string{"", "/", "no", "false", "off", "0"}, v[len(v)-1]) {
			return true
		}
	}
	return slices.ContainsFunc(table, func(d *Directive) bool {
		if d.MountsRun == "" {
			return false
		}
		have, _ := ordered{}.effective(d, c)
		return d.mountsRun(have)
	})
}

// covers reports whether a unit covers exactly this path with a file system of its own. Of two assignments for one path
// systemd keeps one, and drops the cover for most others: what lies below would show (drop_duplicates() in namespace.c).
func (c Context) covers(p string) bool {
	p = realPath(p)
	if home, _ := (ordered{}).effective(byName()["ProtectHome"], c); home.Name == "tmpfs" && slices.Contains(homes, p) {
		return true
	}
	return slices.Contains(c.covered(), p)
}

// homes are what ProtectHome= covers.
var homes = []string{"/home", "/root", "/run/user"}

// readOnly lists what a unit makes read-only by name.
func (c Context) readOnly() []string { return c.closedPaths("ReadOnlyPaths") }

// covered lists the paths of TemporaryFileSystem=.
func (c Context) covered() []string {
	var paths []string
	for _, w := range c.pathWords("TemporaryFileSystem") {
		p, _, _ := strings.Cut(w, ":")
		paths = append(paths, realPath(knownPart(p)))
	}
	return paths
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
}

// refuses returns the directive that closes p, or something below p that would open with it; "" if none does. The most
// specific path decides, and for one path what closes it, as in systemd's own list of mounts.
func refuses(closed []closedPath, open []string, p string) string {
	for _, c := range closed {
		if host.Below(c.path, p) && !slices.ContainsFunc(open, func(o string) bool { return o != c.path && host.Below(c.path, o) && host.Below(o, p) }) {
			return c.by
		}
		if c.replaced && host.Below(p, c.path) {
			return c.by
		}
	}
	return ""
}

// shut lists what a unit closes and exceptions of d would open.
func (c Context) shut(d *Directive) []closedPath {
	var closed []closedPath
	for _, name := range []string{"RootDirectory", "RootImage", "RootMStack"} { // paths then have two meanings
		if v := c.Have(name); len(v) > 0 && v[len(v)-1] != "" {
			closed = append(closed, closedPath{"/", name + "=", true})
		}
	}
	for _, p := range c.covered() {
		closed = append(closed, closedPath{p, "TemporaryFileSystem=", false})
	}
	for _, p := range c.bound() {
		closed = append(closed, closedPath{p, "BindPaths= or BindReadOnlyPaths=", false})
	}
	for _, row := range table {
		k, lists := row.kind.(shutPaths)
		if lists && (k.mode == NoExec) == (d.With == row.Name) {
			for _, p := range c.closedPaths(row.Name) {
				closed = append(closed, closedPath{p, row.Name + "=", false})
			}
		}
		if o, ok := row.kind.(ordered); ok && d.With == "ProtectSystem" {
			have, _ := o.effective(row, c)
			for _, e := range row.Paths {
				if v, _ := row.Value(e.Value, values.Newest); have.Rank >= v.Rank && have.Rank > 0 {
					closed = append(closed, closedPath{realPath(e.Path), row.Name + "=" + have.Name, row.Name == d.With})
				}
			}
		}
	}
	return closed
}

// closedPaths returns the paths that a unit's list takes something away from, an empty assignment resets. Where a specifier
// that no file tells is part of a path, the directory above it counts.
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

// pathWords splits assignments into words; quoted words keep their blanks. A line that cannot be split is passed over, as
// systemd does.
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
