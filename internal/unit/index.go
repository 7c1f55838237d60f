package unit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
)

// DefaultPath is the unit load path of the system manager, highest priority first (systemd.unit(5), "Unit File Load
// Path"). If /lib is a link to /usr/lib, the two count once.
var DefaultPath = []string{
	"/etc/systemd/system.control",
	"/run/systemd/system.control",
	"/run/systemd/transient",
	"/run/systemd/generator.early",
	"/etc/systemd/system",
	"/etc/systemd/system.attached",
	"/run/systemd/system",
	"/run/systemd/system.attached",
	"/run/systemd/generator",
	"/usr/local/lib/systemd/system",
	"/lib/systemd/system",
	"/usr/lib/systemd/system",
	"/run/systemd/generator.late",
}

// maxHops is the most links from a name to its fragment (FOLLOW_MAX in systemd).
const maxHops = 8

// entry is what a name in the load path stands for: a file, or the name of another unit.
type entry struct {
	file  string
	alias string
}

// index has all names of the load path, as systemd's unit name map does.
type index struct {
	tree     *tree
	version  int
	only     string // the only unit type that is read; "" is every type
	dirs     []string
	inside   []string                // dirs, and what they resolve to
	units    map[string]entry        // unit name -> highest entry
	others   map[string][]string     // main name -> names that are links to it
	dropins  map[string][]place      // name of a .d directory -> where it exists, highest first
	skipped  map[string][]Problem    // name of a unit or a .d directory -> entries of this name that were passed over
	problems []Problem               // directories that could not be read
	confs    map[string]listingNames // drop-in directory -> files in it
	contents map[string]content      // drop-ins of more than one unit
}

type place struct {
	rank int // of its directory in the load path
	dir  string
}

type listingNames struct {
	names []string
	err   error
}

func newIndex(t *tree, version int, only string, dirs []string) *index {
	x := &index{
		tree: t, version: version, only: only,
		units: map[string]entry{}, others: map[string][]string{}, dropins: map[string][]place{},
		skipped: map[string][]Problem{}, confs: map[string]listingNames{}, contents: map[string]content{},
	}
	for _, dir := range dirs {
		x.addDir(path.Clean("/" + dir))
	}
	for rank, dir := range x.dirs {
		x.read(rank, dir)
	}
	for name, e := range x.units {
		x.reverse(name, e)
	}
	for _, names := range x.others {
		slices.Sort(names)
	}
	return x
}

// addDir appends a directory to the load path. If the directory is there already under another name, only the name
// without links is kept, at the position of the first.
func (x *index) addDir(dir string) {
	real := x.tree.real(dir)
	for i, have := range x.dirs {
		if x.tree.real(have) == real {
			if dir == real {
				x.dirs[i] = dir
			}
			x.inside = append(x.inside, dir)
			return
		}
	}
	x.dirs = append(x.dirs, dir)
	x.inside = append(x.inside, dir, real)
}

// wants reports whether units of a type are read. Slices always are, for what services inherit from them.
func (x *index) wants(kind string) bool { return x.only == "" || kind == x.only || kind == "slice" }

// read reads the names of all units and drop-in directories in one directory of the load path.
func (x *index) read(rank int, dir string) {
	entries, err := x.tree.list(dir)
	if err != nil {
		x.problems = append(x.problems, unread(dir, err, "units and drop-ins in it are not seen"))
	}
	for _, e := range entries {
		name := e.Name()
		of, isDropinDir := strings.CutSuffix(name, ".d")
		if !x.wants(Type(of)) {
			continue
		}
		if isDropinDir {
			if _, isType := kindOf(of); isType || ValidName(of) {
				x.readDropinDir(rank, dir, e)
			}
			continue
		}
		if _, have := x.units[name]; have || !ValidName(name) {
			continue
		}
		x.readUnit(dir, e)
	}
}

// since reports whether the systemd of the machine is of this version or newer.
func (x *index) since(version int) bool { return x.version == 0 || x.version >= version }

// has reports whether the load path has an entry of the name.
func (x *index) has(name string) bool {
	_, ok := x.units[name]
	return ok
}

func (x *index) readUnit(dir string, e fs.DirEntry) {
	name, full := e.Name(), path.Join(dir, e.Name())
	switch {
	case e.Type().IsRegular():
		x.units[name] = entry{file: full}
	case e.Type()&fs.ModeSymlink != 0:
		found, err := x.link(dir, name)
		if p, ok := errors.AsType[Problem](err); ok {
			x.skipped[name] = append(x.skipped[name], p)
		} else if err != nil {
			x.skip(name, full, err.Error())
		} else if found != (entry{}) {
			x.units[name] = found
		}
	default:
		x.skip(name, full, "is a "+host.Kind(e.Type())+", want a regular file or a link to one: it is passed over")
	}
}

func (x *index) skip(name, file, message string) {
	x.skipped[name] = append(x.skipped[name], Problem{Pos: Position{Path: file}, Message: message})
}

// link returns the meaning of a link in the load path. If the target is inside the load path, the link is an alias,
// whatever file is there. If the target is outside, the link is a unit file that is elsewhere, or a mask. A link to its
// own name means nothing and gives a zero entry.
func (x *index) link(dir, name string) (entry, error) {
	full := path.Join(dir, name)
	target, err := x.tree.root.Readlink(full)
	if err != nil {
		return entry{}, unread(full, err, "it is passed over")
	}
	if !path.IsAbs(target) {
		target = dir + "/" + target
	}
	target = path.Join(x.tree.real(dirOf(target)), path.Base(target))
	if !slices.ContainsFunc(
		x.inside,
		func(d string) bool { return strings.HasPrefix(target, strings.TrimRight(d, "/")+"/") },
	) {
		if !x.since(248) { // older versions use the name of the target
			return entry{file: target}, nil
		}
		return entry{file: full}, nil
	}
	other := path.Base(target)
	if other == name {
		return entry{}, nil
	}
	if err := checkAlias(name, other); err != nil {
		return entry{}, err
	}
	return entry{alias: other}, nil
}

// dirOf returns the directory of a path. It keeps every "..", which has to be resolved after the links before it.
func dirOf(name string) string {
	dir, _ := path.Split(strings.TrimRight(name, "/"))
	if dir = strings.TrimRight(dir, "/"); dir == "" {
		return "/"
	}
	return dir
}

// checkAlias returns an error if a link cannot make name an alias of other.
func checkAlias(name, other string) error {
	k, _ := kindOf(Type(name))
	switch {
	case !k.alias:
		return errors.New(
			"a " + Type(name) + " unit cannot have an alias, want a regular file: the link is passed over",
		)
	case strings.Contains(name, "@") && !k.template:
		return errors.New(
			"a " + Type(name) + " unit cannot be a template, want a name without \"@\": the link is passed over",
		)
	case !ValidName(other):
		return errors.New("the link leads to " + other + ", which is no unit name: it is passed over")
	case Type(other) != Type(name):
		return errors.New("the link leads to " + other + ", want a ." + Type(name) + " unit: it is passed over")
	case IsTemplate(name) && !IsTemplate(other), IsInstance(name) && !strings.Contains(other, "@"),
		!strings.Contains(name, "@") && strings.Contains(other, "@"):
		return errors.New(
			"the link leads to " + other +
				", want the same sort of name, plain, template or instance: it is passed over",
		)
	case IsInstance(other) && Instance(other) != Instance(name):
		return errors.New("the link leads to " + other + ", want the same instance: it is passed over")
	}
	return nil
}

// errAbsent says that the load path does not have a name. A chain of links that leads nowhere is another error.
var errAbsent = errors.New("no entry in the load path")

// errLoop says that links lead in a circle, or that there are more than systemd follows.
var errLoop = errors.New("the links form a loop or are too many, want at most 8")

// find follows aliases by name to a file. If an alias leads to an instance without an entry, the entry of the template
// counts.
func (x *index) find(name string) (string, error) {
	trail := []string{name}
	for range maxHops {
		e, have := x.units[name]
		if !have && len(trail) > 1 {
			e, have = x.units[Template(name)]
		}
		switch {
		case !have && len(trail) == 1:
			return "", errAbsent
		case !have:
			return "", errors.New(strings.Join(trail, " -> ") + ": there is no such unit")
		case e.file != "":
			return e.file, nil
		}
		name = e.alias
		trail = append(trail, name)
	}
	return "", fmt.Errorf("%s: %w", strings.Join(trail, " -> "), errLoop)
}

// reverse records an alias under the main name to which it leads, unless the main name is masked.
func (x *index) reverse(name string, e entry) {
	if e.file != "" && path.Base(e.file) == name {
		return
	}
	file, err := x.find(name)
	if err != nil || x.hidesOthers(file) {
		return
	}
	main := path.Base(file)
	if IsTemplate(main) && IsInstance(name) {
		if !x.since(249) {
			return
		}
		if main = Instantiate(main, Instance(name)); main == "" {
			return
		}
	}
	x.others[main] = append(x.others[main], name)
}

// hidesOthers reports whether a fragment is a mask or missing.
func (x *index) hidesOthers(file string) bool {
	info, err := x.tree.root.Stat(file)
	return err != nil || info.Mode()&fs.ModeCharDevice != 0 || info.Mode().IsRegular() && info.Size() == 0
}
