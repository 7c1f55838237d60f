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

// PathsOf returns what the directive does to paths when it is set to lines. For a list of paths, these are the paths
// that it lists.
func (d *Directive) PathsOf(lines []string) []PathEffect {
	if k, ok := d.kind.(closedPathList); ok {
		return effects(lines, k.mode)
	}
	switch d.kind.(type) {
	case coverPathList:
		return effects(lines, Hidden)
	case rootPath:
		if len(lines) > 0 {
			return []PathEffect{{Path: "/", Mode: Hidden}}
		}
	}
	if len(d.Paths) == 0 || len(lines) == 0 {
		return nil
	}
	set, _ := d.Value(lines[len(lines)-1], values.Newest)
	var effects []PathEffect
	for _, e := range d.Paths {
		if d.rank(e.Value) <= set.Rank && !(e.Mode == ReadOnly && d.hides(e.Path, set.Rank)) {
			effects = append(effects, e)
		}
	}
	return effects
}

// NamedPaths is [Directive.PathsOf] without the paths at which systemd does not mount: another mount there stays open.
func (d *Directive) NamedPaths(lines []string) []PathEffect {
	effects := d.PathsOf(lines)
	if len(effects) == 0 {
		return nil
	}
	set, _ := d.Value(lines[len(lines)-1], values.Newest)
	return slices.DeleteFunc(effects, func(e PathEffect) bool { return !d.names(e, set.Rank) })
}

// names reports whether systemd mounts at the path of an effect itself if a value of this rank is set.
func (d *Directive) names(e PathEffect, rank int) bool {
	return e.Upto == "" || rank <= d.rank(e.Upto)
}

// MountPoints lists the paths at which systemd mounts something because of the assignments lines.
func (d *Directive) MountPoints(lines []string, version int) []string {
	var points []string
	for _, e := range d.NamedPaths(lines) {
		points = append(points, realPath(e.Path))
	}
	switch d.kind.(type) {
	case openPathList, bindPathList:
		for _, w := range pathWords(lines) {
			points = append(points, realPath(barePath(w)))
		}
	case rootPath:
		for _, m := range d.Mounts {
			if version >= m.Since && len(lines) > 0 {
				points = append(points, m.Path)
			}
		}
	}
	if d.Ordered() && len(lines) > 0 {
		v, _ := d.Value(lines[len(lines)-1], version)
		for _, m := range d.mounts(v, version) {
			points = append(points, m.Path)
		}
	}
	return points
}

// ListsPaths reports whether the directive is a list of paths that have to exist when the service starts.
func (d *Directive) ListsPaths() bool {
	switch d.kind.(type) {
	case closedPathList, openPathList, bindPathList:
		return true
	}
	return false
}

// Named lists the paths of a list that a service does not find where something hides what is above them. Without those
// that are required it does not start.
func (d *Directive) Named(lines []string) (required, optional []string) {
	k, closes := d.kind.(closedPathList)
	if _, opens := d.kind.(openPathList); !opens && !closes {
		return nil, nil
	}
	for _, w := range pathWords(lines) {
		p := path.Clean(knownPart(barePath(w)))
		switch {
		case !strings.HasPrefix(w, "-"):
			required = append(required, p)
		case !closes || k.mode != Hidden: // what it is not to see may be hidden
			optional = append(optional, p)
		}
	}
	return required, optional
}

// Remounts reports whether systemd mounts each path of the list writable, even if the directory above is read-only.
// Seen with systemd 252 and 257.
func (d *Directive) Remounts() bool {
	k, ok := d.kind.(closedPathList)
	return ok && k.mode == NoExec || d.ListsPaths() && !ok && d.lifts() == NoExec
}

// effects lists what a list of paths does to each path.
func effects(lines []string, mode PathMode) []PathEffect {
	var effects []PathEffect
	for _, w := range pathWords(lines) {
		p, _, _ := strings.Cut(barePath(w), ":")
		effects = append(effects, PathEffect{Path: p, Mode: mode})
	}
	return effects
}

// hides reports whether a value of this rank hides a path.
func (d *Directive) hides(path string, rank int) bool {
	return slices.ContainsFunc(d.Paths, func(e PathEffect) bool {
		return e.Path == path && e.Mode == Hidden && d.rank(e.Value) <= rank
	})
}

// openPathList is the kind of a list of exceptions below paths that something else takes away.
type openPathList struct{}

func (openPathList) grants(want []string, _ int) []string { return closedPathList{}.refused(want, 0) }

func (openPathList) without(want, names []string, _ int) []string {
	return closedPathList{}.except(want, names, 0)
}

// gives assumes that a relative path can be anywhere.
func (openPathList) gives(name, subject string, _ int) bool {
	return !path.IsAbs(subject) || host.Below(realPath(name), realPath(subject))
}

func (openPathList) check(d *Directive, lines []string) error {
	return closedPathList{}.check(d, lines)
}

func (openPathList) rule() string {
	return "only exceptions from what the unit leaves open itself are added"
}

// merge keeps only the exceptions for paths that the unit leaves open: any other would open what the unit closes.
func (openPathList) merge(d *Directive, c Context, want []string) Merged {
	closed, open := c.paths.reopened[d.lifts()], c.paths.lists[d]
	var lines, refused []string
	for _, w := range pathWords(want) {
		p := realPath(barePath(w))
		if slices.Contains(open, p) {
			continue
		}
		by := refuses(closed, open, p)
		if rooted(w) && len(closed) == 1 && closed[0].plus {
			by = "" // "+" makes it one path, and the unit closes nothing there
		}
		if by == "" && d.lifts() == NoExec {
			by = c.wouldOpen(p)
		} else if by == "" {
			by = c.noExecAbove(p)
		}
		if by != "" {
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

// closedPathList is the kind of a list of paths that takes something away below each of them: adding a path only
// restricts.
type closedPathList struct{ mode PathMode }

// Hiding returns the directive that lists paths which a service cannot see.
func Hiding() *Directive {
	i := slices.IndexFunc(table, func(d *Directive) bool { return d.kind == closedPathList{Hidden} })
	return table[i]
}

func (closedPathList) check(d *Directive, lines []string) error {
	for _, v := range lines {
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

func (k closedPathList) merge(d *Directive, c Context, want []string) Merged {
	have := c.paths.lists[d]
	var lines, refused []string
	for _, w := range pathWords(want) {
		p := realPath(barePath(w))
		writable, executable := "", ""
		if k.mode == NoExec {
			writable = c.wouldOpen(p)
		} else if k.mode == ReadOnly {
			executable = c.noExecAbove(p)
		}
		switch {
		case slices.Contains(have, p), c.hides(p):
		case k.mode != Hidden && c.covers(p):
			refused = append(refused, "uncover what the unit covers with a file system of its own: "+p)
		case writable != "":
			refused = append(refused, "make writable what the unit keeps closed by "+writable+": "+p)
		case executable != "":
			refused = append(refused, "make executable what the unit forbids by "+executable+": "+p)
		default:
			lines = append(lines, optional(w))
		}
	}
	switch {
	case refused != nil:
		return Merged{Lines: lines, Adds: true, Note: "would " + strings.Join(refused, ", and ")}
	case lines == nil:
		return Merged{Note: "the unit already has these"}
	}
	return Merged{Lines: lines, Adds: true}
}

// refused lists the paths; each of them can be left out.
func (closedPathList) refused(want []string, _ int) []string {
	var paths []string
	for _, w := range pathWords(want) {
		paths = append(paths, barePath(w))
	}
	return paths
}

// except returns want without the paths names; nil if none remains.
func (closedPathList) except(want, names []string, _ int) []string {
	var lines []string
	for _, w := range pathWords(want) {
		if !slices.Contains(names, barePath(w)) {
			lines = append(lines, quoted(w))
		}
	}
	return lines
}

// beside adds the real name of a path that is named through a link which the plan takes away.
func (closedPathList) beside(want []string, o others) []string {
	lines := slices.Clone(want)
	for _, w := range pathWords(want) {
		gone := func(link string) bool {
			return slices.ContainsFunc(o.covers, func(dir string) bool { return host.Below(dir, link) })
		}
		if p := barePath(w); !rooted(w) && slices.ContainsFunc(linksIn(p), gone) {
			lines = append(lines, optional(realPath(p)))
		}
	}
	return lines
}

func (closedPathList) rule() string { return "lines are added" }

// pathWords splits assignments into words; quoted words keep their blanks. A line that cannot be split is ignored, as
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

// usrMerge are the links that every current system has at the top of its file tree; see file-hierarchy(7).
var usrMerge = []struct{ link, path string }{
	{"/bin", "/usr/bin"},
	{"/sbin", "/usr/sbin"},
	{"/lib", "/usr/lib"},
	{"/lib32", "/usr/lib32"},
	{"/lib64", "/usr/lib64"},
	{"/libx32", "/usr/libx32"},
	{"/var/run", "/run"},
	{"/var/lock", "/run/lock"},
}

// realPath returns a clean path with these links resolved, so that two names of one file are equal.
func realPath(p string) string {
	p = path.Clean(p)
	for _, m := range usrMerge {
		if host.Below(m.link, p) {
			return m.path + p[len(m.link):]
		}
	}
	return p
}

// linksIn lists those of these links through which a path of a unit leads, or could lead for some value of its
// specifiers.
func linksIn(p string) []string {
	known := path.Clean(knownPart(p))
	var links []string
	for _, m := range usrMerge {
		if host.Below(m.link, known) || strings.Contains(p, "%") && host.Below(known, m.link) {
			links = append(links, m.link)
		}
	}
	return links
}

// barePath strips the prefixes "-" (may be missing) and "+" (inside the root directory of the unit).
func barePath(word string) string { return strings.TrimLeft(word, "-+") }

// rooted reports whether a word is a path inside the root directory of the unit.
func rooted(word string) bool { return strings.HasPrefix(strings.TrimLeft(word, "-"), "+") }

// optional marks a path as one that may be missing: a unit must never fail to start because temper names a path that
// does not exist.
func optional(word string) string { return quoted("-" + strings.TrimPrefix(word, "-")) }

// quoted quotes a word that systemd would split otherwise.
func quoted(word string) string {
	if strings.ContainsAny(word, " \t\"'\\") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
	}
	return word
}

func quotedWords(words []string) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = quoted(w)
	}
	return all
}
