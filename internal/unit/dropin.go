package unit

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// dropinFiles lists the drop-ins that count. Of several with the same base name, the first in this order wins: those of
// the main name, those of the other names, those of the unit type. For each name the order is that of the load path,
// then from the name itself to shorter and shorter prefixes.
func (x *index) dropinFiles(id string, aliases []string) ([]string, []Problem) {
	groups := [][]string{dropinNames(id)}
	for _, name := range aliases {
		groups = append(groups, dropinNames(name))
	}
	groups = append(groups, []string{Type(id) + ".d"})
	var (
		dirs, files []string
		problems    []Problem
	)
	for _, names := range groups {
		dirs = append(dirs, x.dropinDirs(names)...)
		for _, name := range names {
			problems = append(problems, x.skipped[name]...)
		}
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		names, err := x.conf(dir)
		if err != nil {
			problems = append(problems, unread(dir, err, "drop-ins in it are not seen"))
		}
		for _, name := range names {
			if !seen[name] {
				seen[name] = true
				files = append(files, path.Join(dir, name))
			}
		}
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(path.Base(a), path.Base(b)) })
	return files, problems
}

// dropinDirs returns the existing directories with these names, sorted by the load path first, then in the order of the
// names.
func (x *index) dropinDirs(names []string) []string {
	var found []place
	for _, name := range names {
		found = append(found, x.dropins[name]...)
	}
	slices.SortStableFunc(found, func(a, b place) int { return a.rank - b.rank })
	dirs := make([]string, len(found))
	for i, f := range found {
		dirs[i] = f.dir
	}
	return dirs
}

// dropinNames returns the names of the drop-in directories of one unit name, the most specific first:
// foo-bar@x.service has foo-bar@x.service.d, foo-bar@.service.d, foo-.service.d, foo-@x.service.d and
// foo-@.service.d.
func dropinNames(name string) []string {
	var names []string
	var walk func(string)
	walk = func(n string) {
		if slices.Contains(names, n+".d") {
			return // and so are its own
		}
		names = append(names, n+".d")
		if IsInstance(n) {
			walk(Template(n))
		}
		prefix := shorter(Prefix(n))
		if prefix == "" {
			return
		}
		if i := Instance(n); i != "" {
			prefix += "@" + i
		}
		walk(prefix + "." + Type(n))
	}
	walk(name)
	return names
}

// shorter cuts the last part off a name and keeps the "-" before it; "" if there is no "-" except at the beginning.
func shorter(prefix string) string {
	dash := strings.LastIndexByte(prefix, '-')
	if dash >= 0 && dash == len(prefix)-1 { // skip a "-" at the end
		if dash = strings.LastIndexByte(prefix[:dash], '-'); dash < 0 {
			return ""
		}
	}
	if dash <= 0 {
		return ""
	}
	return prefix[:dash+1]
}

func (x *index) readDropinDir(rank int, dir string, e fs.DirEntry) {
	full := path.Join(dir, e.Name())
	switch {
	case e.IsDir():
	case e.Type()&fs.ModeSymlink != 0:
		if dead := x.deadDir(full); dead != nil {
			x.skipped[e.Name()] = append(x.skipped[e.Name()], *dead)
			return
		}
		full = x.tree.real(full)
	default:
		return
	}
	x.dropins[e.Name()] = append(x.dropins[e.Name()], place{rank, full})
}

// deadDir says why systemd does not follow a link to a drop-in directory. It resolves a relative link from the root
// directory, and does not find the target there (is_dir() in unit_file_build_name_map(), since 250).
func (x *index) deadDir(link string) *Problem {
	target, err := x.tree.root.Readlink(link)
	if err != nil {
		p := unread(link, err, "it is passed over")
		return &p
	}
	dead := Problem{Pos: Position{Path: link}}
	if info, err := x.tree.root.Stat(link); err != nil || !info.IsDir() {
		dead.Message, dead.Unread = "leads to "+target+", want a directory: it is passed over", isUnread(err)
		return &dead
	}
	if info, err := x.tree.root.Stat("/" + target); x.since(250) && (err != nil || !info.IsDir()) {
		dead.Message = "leads to " + target + ", want an absolute path: systemd passes over a relative link to a " +
			"drop-in directory"
		dead.Unread = isUnread(err)
		return &dead
	}
	return nil
}

// conf returns the drop-ins in one directory, sorted.
func (x *index) conf(dir string) ([]string, error) {
	c, ok := x.confs[dir]
	if ok {
		return c.names, c.err
	}
	entries, err := x.tree.list(dir)
	c.err = err
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".conf") && !hidden(name) {
			c.names = append(c.names, name)
		}
	}
	x.confs[dir] = c
	return c.names, c.err
}

// hidden reports whether systemd ignores a drop-in of this name. Names of backups do not end in .conf, so they need no
// check.
func hidden(name string) bool { return strings.HasPrefix(name, ".") }
