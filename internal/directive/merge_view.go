package directive

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/unit"
	"temper/internal/values"
)

// coverPathList is the kind of TemporaryFileSystem=: each path is covered by an empty file system, PATH[:OPTIONS].
type coverPathList struct{}

func (coverPathList) check(d *Directive, lines []string) error {
	for _, v := range lines {
		words, err := unit.Words(v)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", d.Name, v, err)
		}
		for _, w := range words {
			if p, _, _ := strings.Cut(w, ":"); !path.IsAbs(p) || path.Clean(p) != p {
				return fmt.Errorf("%s= has the path %q, want a clean absolute path", d.Name, w)
			}
		}
	}
	return nil
}

// merge leaves out what would make something writable or executable. What is read-only and empty gives nothing that
// could be executed, so it becomes noexec where the unit wants that.
func (k coverPathList) merge(_ *Directive, c Context, want []string) Merged {
	var lines, notes []string
	words := pathWords(want)
	if why := c.keepsRoot(); why != "" && slices.ContainsFunc(words, coversAll) {
		words = k.split(words)
		notes = append(notes, why+": at the directories below it instead")
	}
	for _, w := range words {
		p, text, _ := strings.Cut(w, ":")
		options := strings.Split(text, ",")
		m := Mount{
			Path:       realPath(p),
			Writable:   !slices.Contains(options, "ro"),
			Executable: !slices.Contains(options, "noexec"),
		}
		if !m.Writable && m.Executable && c.noExecAbove(m.Path) != "" {
			w, m.Executable = w+",noexec", false
		}
		switch reason := cmp.Or(c.bound(m.Path), c.gives(m), c.removesLink(m.Path)); {
		case c.covers(m.Path), c.hides(m.Path):
		case reason != "":
			notes = append(notes, reason)
		default:
			lines = append(lines, quoted(w))
		}
	}
	if lines == nil && notes == nil {
		return Merged{Note: "the unit already has these"}
	}
	return Merged{Lines: lines, Adds: true, Note: strings.Join(notes, ", and ")}
}

// keepsRoot says why a file system over / does not go together with the unit; "" if it does.
func (c Context) keepsRoot() string {
	if by := c.mountsRoot(); by != "" {
		return "systemd does not mount at / beside " + by
	}
	if why := c.removesLink("/"); why != "" {
		return why
	}
	for _, m := range usrMerge {
		if by := c.closesBelow(m.path); by != "" && path.Dir(m.link) == "/" {
			return "what the unit closes in " + m.path + " by " + by + " would be open in " + m.link
		}
	}
	return ""
}

// bound says that the unit shows something else at a path; "" if it does not.
func (c Context) bound(p string) string {
	for _, x := range c.paths.binds {
		if x.path == p {
			return "would hide what the unit shows at " + p + " by " + x.by
		}
	}
	return ""
}

func (coverPathList) rule() string {
	return "paths that the unit does not cover itself are added, but none in which a link is through which the unit " +
		"names what it closes; instead of / the directories below it where the unit has a root directory of its own " +
		"or ProtectSystem=full or strict, beside which systemd does not mount there"
}

// beside splits an empty file system over / where another directive of the plan mounts there too, or shows by the name
// of a link what the plan closes by its real name.
func (k coverPathList) beside(want []string, o others) []string {
	words := pathWords(want)
	if (o.mountsRoot || slices.ContainsFunc(o.binds, o.opens)) && slices.ContainsFunc(words, coversAll) {
		return quotedWords(k.split(words))
	}
	return want
}

// topDirectories are the directories below / that systems have and that hold files of services and people; see
// file-hierarchy(7). /usr is what programs run from, /tmp is for PrivateTmp=, and the kernel makes the others.
var topDirectories = []string{"/boot", "/etc", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/var"}

// IsCovered reports whether a path lies where an empty file system would hide it from a service that is to see only
// what it needs.
func IsCovered(p string) bool {
	return slices.ContainsFunc(topDirectories, func(dir string) bool {
		return p != dir && host.Below(dir, realPath(p))
	})
}

func coversAll(word string) bool { return word == "/" || strings.HasPrefix(word, "/:") }

// split replaces an empty file system over / by one over each of the top directories.
func (coverPathList) split(words []string) []string {
	var list []string
	for _, w := range words {
		if !coversAll(w) {
			list = append(list, w)
			continue
		}
		for _, dir := range topDirectories {
			list = append(list, dir+strings.TrimPrefix(w, "/"))
		}
	}
	return list
}

// weaker covers the directories below / instead of it.
func (k coverPathList) weaker(_ *Directive, want []string, _ int) [][]string {
	if words := pathWords(want); slices.ContainsFunc(words, coversAll) {
		return [][]string{quotedWords(k.split(words))}
	}
	return nil
}

// refused lists the covered paths; each of them can be left out.
func (coverPathList) refused(want []string, _ int) []string {
	var paths []string
	for _, w := range pathWords(want) {
		p, _, _ := strings.Cut(w, ":")
		paths = append(paths, p)
	}
	return paths
}

func (coverPathList) except(want, names []string, _ int) []string {
	var lines []string
	for _, w := range pathWords(want) {
		if p, _, _ := strings.Cut(w, ":"); !slices.Contains(names, p) {
			lines = append(lines, quoted(w))
		}
	}
	return lines
}

// bindPathList is the kind of a list of paths that the service sees where something else hides what is above them.
type bindPathList struct {
	openPathList
	writable bool
}

// kernelFiles are directories that systemd fills itself, as PrivateDevices= and ProtectProc= say.
var kernelFiles = []string{"/dev", "/proc", "/sys"}

func (k bindPathList) check(d *Directive, lines []string) error {
	if err := k.openPathList.check(d, lines); err != nil {
		return err
	}
	for _, w := range pathWords(lines) {
		p := strings.TrimPrefix(w, "-")
		made := slices.ContainsFunc(kernelFiles, func(dir string) bool { return host.Below(dir, p) })
		if made || p == "/" || strings.ContainsAny(p, ":+") {
			return fmt.Errorf("%s= has %q, want a path outside of /dev, /proc and /sys, at which it is shown",
				d.Name, w)
		}
	}
	return nil
}

func (k bindPathList) rule() string {
	return "paths are added, but none that the unit hides, or whose mount would allow what the unit forbids there"
}

func (k bindPathList) merge(d *Directive, c Context, want []string) Merged {
	var lines, refused []string
	for _, w := range pathWords(want) {
		p := realPath(barePath(w))
		if slices.Contains(c.paths.lists[d], p) {
			continue
		}
		by := c.bindOpens(p, k.writable)
		if by == "" && isOtherName(w) {
			by = c.closesBelow(p)
		}
		if by != "" {
			refused = append(refused, p+" ("+by+")")
			continue
		}
		lines = append(lines, optional(w))
	}
	switch {
	case refused != nil:
		return Merged{Lines: lines, Adds: true, Note: "the unit keeps closed " + strings.Join(refused, ", ")}
	case lines == nil:
		return Merged{Note: "the unit already has these"}
	}
	return Merged{Lines: lines, Adds: true}
}

// isOtherName reports whether a path leads through a link. A file system over the directory of the link takes that
// away, and what is mounted at the path is mounted there alone: what is closed below the real path is open in it.
func isOtherName(word string) bool { return realPath(barePath(word)) != path.Clean(barePath(word)) }

// beside leaves out a path by whose other name something would be open that the plan closes, and of the read-only list
// what the plan shows writable: of two assignments for one path systemd takes the stronger one.
func (k bindPathList) beside(want []string, o others) []string {
	open := k.refusedPaths(o.writable)
	var names []string
	for _, p := range k.refusedPaths(want) {
		if o.opens(p) || !k.writable && slices.Contains(open, p) {
			names = append(names, p)
		}
	}
	if names == nil {
		return want
	}
	return k.without(want, names, 0)
}

func (bindPathList) refusedPaths(lines []string) []string { return closedPathList{}.refused(lines, 0) }

// bindOpens returns the directive of the unit that closes something at a path which another mount at the path would
// open; "" if there is none. systemd mounts binds before all else that is about the same path.
func (c Context) bindOpens(p string, writable bool) string {
	if by := c.hidesFromBind(p); by != "" {
		return by
	}
	if by := refuses(closedBy("NoExecPaths", c.pathsOf(NoExec)), c.paths.open[NoExec], p); by != "" {
		return by
	}
	if !writable {
		return ""
	}
	return refuses(c.paths.reopened[ReadOnly], c.paths.open[ReadOnly], p)
}

// pathsOf lists the paths that lists of the unit close in a way.
func (c Context) pathsOf(mode PathMode) []string {
	var paths []string
	for _, x := range c.paths.closed[mode] {
		paths = append(paths, x.path)
	}
	return paths
}

// hidesFromBind returns the directive of the unit by which it sees something else at a path, or nothing, and a bind
// would show what the machine has there; "" if there is none.
func (c Context) hidesFromBind(p string) string {
	if by := c.ownRoot(); by != "" {
		return by
	}
	for _, x := range slices.Concat(c.paths.closed[Hidden], c.paths.binds) {
		if host.Below(x.path, p) {
			return x.by
		}
	}
	for _, x := range c.paths.covers {
		if host.Below(x.path, p) {
			return x.by
		}
	}
	for _, d := range table {
		have := c.values[d]
		if !d.Ordered() || have.Rank == 0 {
			continue
		}
		for _, e := range d.Paths {
			if e.Mode == Hidden && d.rank(e.Value) <= have.Rank && host.Below(realPath(e.Path), p) {
				return d.Name + "=" + have.Name
			}
		}
	}
	return ""
}

// ownRoot returns the directive by which the unit has a root directory of its own; "" if there is none.
func (c Context) ownRoot() string {
	for _, row := range unitOnly {
		if row.root && c.last(row.name) != "" {
			return row.name + "="
		}
	}
	return ""
}

// mountsRoot returns the directive of the unit with which an empty file system over / does not go together; "" if there
// is none. Beside a mount at / systemd drops it; and it does not find the directories that ProtectSystem=full names
// there. Seen with systemd 252, 257 and 262.
func (c Context) mountsRoot() string {
	if by := c.ownRoot(); by != "" {
		return by
	}
	for _, d := range table {
		lines := c.pathWords(d.Name)
		if d.Ordered() {
			lines = []string{c.values[d].Name}
		}
		if d.mountsRoot(lines) {
			return d.Name + "=" + strings.Join(lines, " ")
		}
	}
	return ""
}

// mountsRoot reports whether an empty file system over / does not go together with the assignments of a directive.
func (d *Directive) mountsRoot(lines []string) bool {
	if _, covers := d.kind.(coverPathList); covers {
		return false
	}
	namesEtc := func(e PathEffect) bool { return e.Path == "/etc" }
	return slices.Contains(d.MountPoints(lines, values.Newest), "/") ||
		d.Ordered() && slices.ContainsFunc(d.NamedPaths(lines), namesEtc)
}

// Showing returns the directive that lists the exceptions by which a service sees something again that this one hides,
// to write there or only to read; nil if there is none.
func (d *Directive) Showing(kind refusal.Kind) *Directive {
	switch d.kind.(type) {
	case coverPathList, rootPath:
	default:
		return nil
	}
	writes := kind == refusal.PathReadOnly || kind == refusal.PathAbsent
	for _, other := range table {
		if k, binds := other.kind.(bindPathList); binds && k.writable == writes {
			return other
		}
	}
	return nil
}

// HidesNamed lists the paths of lines that hide a path from a service by the name that it uses, in spite of the paths
// shown.
func (d *Directive) HidesNamed(lines, shown []string, p string) []string {
	var dirs []string
	for _, name := range slices.Compact([]string{path.Clean(p), realPath(p)}) {
		if slices.ContainsFunc(shown, func(dir string) bool { return host.Below(dir, name) }) {
			continue
		}
		for _, e := range d.PathsOf(lines) {
			if e.Mode == Hidden && host.Below(realPath(e.Path), name) && !slices.Contains(dirs, e.Path) {
				dirs = append(dirs, e.Path)
			}
		}
	}
	return dirs
}

// IsRoot reports whether the directive gives a service another root directory.
func (d *Directive) IsRoot() bool {
	_, is := d.kind.(rootPath)
	return is
}

// rootPath is the kind of RootDirectory=: the service sees only what is below a directory.
type rootPath struct{}

func (rootPath) check(d *Directive, lines []string) error {
	if len(lines) != 1 {
		return fmt.Errorf("%s= takes one path, has %d", d.Name, len(lines))
	}
	if p := lines[0]; !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
		return fmt.Errorf("%s=%s is not a root directory, want a clean absolute path below /", d.Name, p)
	}
	return nil
}

func (rootPath) rule() string {
	return "only where the unit has no root directory of its own, and no list that closes or opens paths: these would " +
		"mean other files"
}

// merge sets the root directory only if the paths that the unit names mean the same files after that.
func (rootPath) merge(d *Directive, c Context, want []string) Merged {
	if by := c.ownRoot(); by != "" {
		return Merged{Note: "the unit's own " + by + " decides"}
	}
	for _, row := range table {
		switch row.kind.(type) {
		case openPathList, closedPathList, coverPathList, bindPathList:
			if len(c.pathWords(row.Name)) > 0 {
				return Merged{Note: "the paths of the unit's own " + row.Name + "= would mean other files"}
			}
		}
	}
	for _, m := range d.Mounts {
		if reason := c.gives(m); c.version >= m.Since && reason != "" && !c.mounts(m.Path) {
			return Merged{Note: reason}
		}
	}
	if by := c.bindOpens(realPath(want[0]), true); by != "" {
		return Merged{Note: "would open what the unit keeps closed by " + by}
	}
	return Merged{Lines: want}
}
