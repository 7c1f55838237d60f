package directive

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
)

// unitPaths is what a unit does to paths without a profile.
type unitPaths struct {
	lists    map[*Directive][]string   // the paths that each list names
	covers   []cover                   // file systems that the unit puts over paths
	binds    []closedPath              // where the unit shows what is elsewhere, or what it hides
	links    []closedPath              // the links through which its lists lead
	mounts   []string                  // where a directive that no profile can set mounts something
	writable []string                  // where another directive mounts something writable
	closed   map[PathMode][]closedPath // the paths that its lists close, by what they forbid
	reopened map[PathMode][]closedPath // the paths that an exception would open, by what it lifts
	open     map[PathMode][]string     // the exceptions of the unit, by what they lift
}

// readPaths reads what the unit does to paths.
func (c Context) readPaths() unitPaths {
	p := unitPaths{
		lists:  map[*Directive][]string{},
		closed: map[PathMode][]closedPath{}, reopened: map[PathMode][]closedPath{}, open: map[PathMode][]string{},
	}
	for _, d := range table {
		switch k := d.kind.(type) {
		case openPathList:
			p.lists[d] = c.openPathWords(d)
			p.open[d.lifts()] = append(p.open[d.lifts()], p.lists[d]...)
		case closedPathList:
			p.lists[d] = c.closedPathWords(d)
			p.closed[k.mode] = append(p.closed[k.mode], closedBy(d.Name, p.lists[d])...)
		case coverPathList:
			p.covers = append(p.covers, c.coversOf(d)...)
		case bindPathList:
			p.lists[d] = c.destinations(d.Name)
			p.binds = append(p.binds, closedBy(d.Name, p.lists[d])...)
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
		p.binds = append(p.binds, closedBy(d.name, c.shown(d))...)
		if !d.isMounted(c) {
			continue
		}
		for _, m := range d.mounts {
			p.mounts = append(p.mounts, m.Path)
		}
	}
	p.links = c.namedLinks()
	for _, d := range table {
		if _, ok := d.kind.(openPathList); ok {
			p.reopened[d.lifts()] = c.reopened(p, d)
		}
	}
	return p
}

// unitDirective is a directive that decides what is at a path in a unit that sets it, in ways that the table does not
// tell.
type unitDirective struct {
	name   string
	root   bool    // it gives the unit another root directory, so that a path can mean two files
	plus   bool    // of a root: "+" before a path says that the path is inside it
	mounts []Mount // what systemd mounts because of it
	unless string  // a boolean that decides about these mounts if the unit sets it
	// makesIn is where it makes directories, by a list of NAME[:LINK[:FLAGS]].
	makesIn string
	images  bool     // it shows files of images, by a list of IMAGE:DESTINATION
	shows   []string // where it shows files of images, by a list of images
}

// isMounted reports whether the unit has the mounts of the directive.
func (d unitDirective) isMounted(c Context) bool {
	if on, set := c.boolean(cmp.Or(d.unless, d.name)); set || !d.root {
		return on
	}
	root := c.last(d.name)
	return path.IsAbs(root) && root != "/"
}

// mounts reports whether the unit already mounts something at a path.
func (c Context) mounts(p string) bool {
	return slices.Contains(c.paths.mounts, p) || slices.Contains(c.paths.writable, p)
}

// gives says what a mount would allow that the unit forbids; "" if nothing.
func (c Context) gives(m Mount) string {
	if by := c.readOnlyAbove(m.Path); m.Writable && by != "" {
		return fmt.Sprintf("would make %s writable, which the unit keeps closed by %s", m.Path, by)
	}
	if by := c.noExecAbove(m.Path); m.Executable && by != "" {
		return fmt.Sprintf("would make what is in %s executable, which the unit forbids by %s", m.Path, by)
	}
	return ""
}

// readOnlyAbove returns the directive that makes p read-only but does not apply to a new mount at p; "" if there is
// none.
func (c Context) readOnlyAbove(p string) string {
	if by := c.coveredWith(p, "ro"); by != "" {
		return by
	}
	return c.wouldOpen(p)
}

// noExecAbove returns the directive that makes p noexec but does not apply to a new mount at p; "" if there is none.
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

// wouldOpen returns the directive that makes p read-only through a directory above p only; "" if there is none. systemd
// mounts each path of NoExecPaths= and ExecPaths= anew, and such a mount is writable even if the directory above is
// read-only: seen on 252 and 257, with ProtectSystem=strict and with ReadOnlyPaths=/. If the unit names p itself,
// systemd makes the mount at p read-only too.
func (c Context) wouldOpen(p string) string {
	isWritable := func(x closedPath) bool { return x.writable }
	closed := slices.DeleteFunc(slices.Clone(c.paths.reopened[ReadOnly]), isWritable)
	return onlyAbove(closed, slices.Concat(c.paths.open[ReadOnly], c.paths.writable), p)
}

// onlyAbove returns the directive that closes p through a directory above p only; "" if there is none. A path that is
// both closed and open is closed, as in [refuses].
func onlyAbove(closed []closedPath, open []string, p string) string {
	by := ""
	for _, x := range closed {
		between := func(o string) bool { return o != x.path && host.Below(x.path, o) && host.Below(o, p) }
		switch {
		case x.path == p:
			return ""
		case host.Below(x.path, p) && !slices.ContainsFunc(open, between):
			by = x.by
		}
	}
	return by
}

// covers reports whether a unit covers exactly this path with a file system of its own. Of two assignments for one path
// systemd keeps one. In most cases it drops the file system, and the files below become visible (drop_duplicates() in
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

// coveredWith returns the directive that covers exactly this path with a file system that has an option; "" if there is
// none.
func (c Context) coveredWith(p, option string) string {
	for _, x := range c.paths.covers {
		if x.path == realPath(p) && slices.Contains(x.options, option) {
			return x.by
		}
	}
	return ""
}

// hides reports whether a list of the unit makes p, or a directory above it, inaccessible.
func (c Context) hides(p string) bool {
	return slices.ContainsFunc(c.paths.closed[Hidden], func(x closedPath) bool { return host.Below(x.path, p) })
}

// cover is a file system that a unit puts over a path, with the options of mount(8).
type cover struct {
	path, by string
	options  []string
}

// coversOf reads the covers from a list of PATH[:OPTIONS].
func (c Context) coversOf(d *Directive) []cover {
	var all []cover
	for _, w := range c.pathWords(d.Name) {
		p, options, _ := strings.Cut(w, ":")
		all = append(all, cover{realPath(knownPart(p)), d.Name + "=", strings.Split(options, ",")})
	}
	return all
}

// closedPath is a path of which a unit takes something away, and the directive that does so.
type closedPath struct {
	path, by string
	replaced bool // an exception would open also closed paths below it
	writable bool // what the unit mounts there is writable
	plus     bool // a path with "+" before it is still one file
}

func closedBy(name string, paths []string) []closedPath {
	closed := make([]closedPath, len(paths))
	for i, p := range paths {
		closed[i] = closedPath{path: p, by: name + "="}
	}
	return closed
}

// refuses returns the directive that closes p, or something below p that an exception for p would open; "" if there is
// none. The most specific path decides; if a path is both closed and open, it is closed, as in systemd's list of
// mounts.
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

// lifts says what a list of exceptions lifts: the mode of the list from which it makes exceptions.
func (d *Directive) lifts() PathMode {
	if k, ok := byName()[d.With].kind.(closedPathList); ok {
		return k.mode
	}
	return ReadOnly
}

// reopened lists the paths that the unit closes and that an exception of d would open.
func (c Context) reopened(p unitPaths, d *Directive) []closedPath {
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
		if row.makesIn != "" {
			closed = append(closed, closedBy(row.name, c.directories(row, "ro"))...)
		}
	}
	closed = append(closed, p.binds...)
	for _, row := range table {
		k, lists := row.kind.(closedPathList)
		if lists && (k.mode == NoExec) == (d.With == row.Name) {
			closed = append(closed, closedBy(row.Name, p.lists[row])...)
		}
		if row.Ordered() && d.lifts() != NoExec {
			closed = append(closed, c.reopenedBy(row, d)...)
		}
	}
	return closed
}

// reopenedBy lists the paths that an ordered directive of the unit closes and that an exception of d would open.
func (c Context) reopenedBy(row, d *Directive) []closedPath {
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

// destinations lists the destinations in the unit's list of SOURCE[:DESTINATION[:OPTIONS]].
func (c Context) destinations(name string) []string {
	var paths []string
	for _, w := range c.pathWords(name) {
		paths = append(paths, realPath(knownPart(destination(w))))
	}
	return paths
}

func destination(word string) string {
	parts := strings.Split(barePath(word), ":")
	return parts[min(1, len(parts)-1)]
}

// shown lists where a directive of the unit shows files of images.
func (c Context) shown(row unitDirective) []string {
	if row.images {
		return c.destinations(row.name)
	}
	if len(c.pathWords(row.name)) > 0 {
		return row.shows
	}
	return nil
}

// namedLinks lists the links of current systems through which the unit names what it closes, covers or shows. Where a
// link is gone, systemd finds nothing by such a name, or makes a directory of its own.
func (c Context) namedLinks() []closedPath {
	var links []closedPath
	for _, d := range table {
		switch d.kind.(type) {
		case closedPathList, coverPathList:
			for _, w := range c.pathWords(d.Name) {
				p, _, _ := strings.Cut(barePath(w), ":")
				links = append(links, closedBy(d.Name, linksIn(p))...)
			}
		case bindPathList:
			for _, w := range c.pathWords(d.Name) {
				links = append(links, closedBy(d.Name, linksIn(destination(w)))...)
			}
		}
	}
	return links
}

// removesLink says which link that the unit needs a file system over p would take away; "" if none.
func (c Context) removesLink(p string) string {
	for _, x := range c.paths.links {
		if host.Below(p, x.path) {
			return fmt.Sprintf("would take away the link %s, through which the unit names a path of %s", x.path, x.by)
		}
	}
	return ""
}

// closesBelow returns the directive of the unit that takes something away at p or below it, or shows something else
// there; "" if there is none.
func (c Context) closesBelow(p string) string {
	for _, x := range slices.Concat(c.paths.reopened[ReadOnly], c.paths.closed[NoExec]) {
		if host.Below(p, x.path) {
			return x.by
		}
	}
	return ""
}

// Shown lists what the unit shows itself, whatever hides what is above it.
func (c Context) Shown() []string {
	shown := slices.Concat(c.paths.mounts, c.paths.writable)
	for _, x := range c.paths.binds {
		shown = append(shown, x.path)
	}
	for _, row := range unitOnly {
		if row.makesIn != "" {
			shown = append(shown, c.directories(row, "")...)
		}
	}
	return shown
}

// directories lists the directories that a directive of the unit makes, and the links to them; with a flag, only those
// that have it.
func (c Context) directories(row unitDirective, flag string) []string {
	var paths []string
	for _, w := range c.pathWords(row.name) {
		parts := strings.Split(w, ":")
		if flag != "" && (len(parts) < 3 || !slices.Contains(strings.Split(parts[2], ","), flag)) {
			continue
		}
		for _, name := range parts[:min(2, len(parts))] {
			if name != "" {
				paths = append(paths, realPath(knownPart(path.Join(row.makesIn, name))))
			}
		}
	}
	return paths
}

// closedPathWords returns the paths of a list of the unit that closes paths. If a path has a specifier whose value is
// not known, the directory above the specifier counts.
func (c Context) closedPathWords(d *Directive) []string {
	var paths []string
	for _, w := range c.pathWords(d.Name) {
		paths = append(paths, realPath(knownPart(barePath(w))))
	}
	return paths
}

// openPathWords returns the exceptions of a list of the unit, without those whose path is not known.
func (c Context) openPathWords(d *Directive) []string {
	var paths []string
	for _, w := range c.pathWords(d.Name) {
		if p := barePath(w); !strings.Contains(p, "%") {
			paths = append(paths, realPath(p))
		}
	}
	return paths
}
