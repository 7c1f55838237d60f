package unit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"temper/internal/host"
)

// ErrNotFound says that the load path has no unit of this name.
var ErrNotFound = errors.New("unit not found")

// Loader loads units from a root. The zero value reads this machine.
//
// A Loader lists each directory once and keeps the listing: it sees the load path as it was when it was first used.
// It may be used by several goroutines at once; its fields must not change after the first use.
type Loader struct {
	Root    host.Root
	Path    []string // the load path, highest priority first; nil is DefaultPath
	Version int      // systemd's major version, since a few rules have changed; 0 is the newest
	Only    string   // the only unit type to load, such as "service", and slices; "" is every type

	Context context.Context // loading ends with it; nil has no end

	mu    sync.Mutex
	tree  *tree
	index *index
}

// Load loads the unit of this name, which can be an alias: its fragment and its drop-ins. An instance without a file of
// its own is loaded from its template. A masked unit is loaded too, with Masked set. The error wraps [ErrNotFound] if
// there is no fragment, unless the unit is of a type that exists without one (slice, scope, device). An unreadable or
// malformed fragment is an error; an unreadable drop-in is one of the unit's Problems.
func (l *Loader) Load(name string) (*Unit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.load(l.whole(), name)
}

// LoadFile loads the unit whose fragment is the file at this path inside the root. Its directory is put in front of the
// load path, as systemd-analyze does. A relative path starts from the working directory.
func (l *Loader) LoadFile(name string) (*Unit, error) {
	if l.Root.IsHost() {
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		name = abs
	}
	name = path.Clean("/" + name)
	info, err := l.Root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", name, ErrNotFound)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() && info.Mode()&fs.ModeCharDevice == 0:
		return nil, fmt.Errorf("%s: is a %s, want a regular file", name, host.Kind(info.Mode()))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.whole() // lists the directories, which the next lines use
	dirs := append([]string{path.Dir(name)}, l.dirs()...)
	return l.load(newIndex(l.tree, l.Version, l.Only, dirs), path.Base(name))
}

// List returns the names of all units in the load path that end in suffix, such as ".service", sorted: fragments,
// masks, aliases, and templates as foo@.service. It can list a name that does not load, since a link may lead nowhere.
// The error joins the problems of unreadable directories; the names are then those in the readable ones.
func (l *Loader) List(suffix string) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.whole()
	var names []string
	for name := range x.units {
		if strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var errs []error
	for _, p := range x.problems {
		errs = append(errs, p)
	}
	return names, errors.Join(errs...)
}

// Ignored returns the unit names that end in suffix and for which the load path has only entries that systemd ignores.
// [Loader.Load] says why.
func (l *Loader) Ignored(suffix string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.whole()
	var names []string
	for name := range x.skipped {
		if !x.has(name) && strings.HasSuffix(name, suffix) && ValidName(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Has reports whether the load path has a unit of this name that is not masked. It does not load the unit.
func (l *Loader) Has(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.whole()
	file, err := x.find(name)
	return err == nil && !x.hidesOthers(file)
}

func (l *Loader) dirs() []string {
	if l.Path == nil {
		return DefaultPath
	}
	return l.Path
}

// whole returns the index of the load path, which is made at the first call.
func (l *Loader) whole() *index {
	if l.index == nil {
		l.tree = newTree(l.Root)
		l.index = newIndex(l.tree, l.Version, l.Only, l.dirs())
	}
	return l.index
}

func (l *Loader) load(x *index, name string) (*Unit, error) {
	if !ValidName(name) {
		return nil, fmt.Errorf("%q is no unit name, want NAME.TYPE such as %s: %w", name, example(name), ErrNotFound)
	}
	u := &Unit{Name: name, ID: name, root: l.Root, version: l.Version}
	u.Problems = append(slices.Clone(x.problems), x.skipped[name]...)
	file, err := x.fragment(name)
	if k, _ := kindOf(Type(name)); err != nil && (!k.free || errors.Is(err, errLoop)) {
		return nil, notFound(name, err, u.Problems)
	}
	u.Fragment = file
	u.ID, u.Aliases = x.names(name, file)
	if err := u.readFragment(x.tree); err != nil {
		return nil, err
	}
	if !u.Masked {
		left := limits{ctx: l.Context, dropins: maxDropins, bytes: maxBytes}
		u.readDropins(x, &left)
		u.readSlices(x, &left)
	}
	if l.Context != nil && l.Context.Err() != nil {
		return nil, fmt.Errorf("%s: %w", name, context.Cause(l.Context))
	}
	return u, nil
}

// notFound returns the error that says why there is no such unit, with the entries of this name that were ignored.
func notFound(name string, why error, problems []Problem) error {
	err := fmt.Errorf("%s: %w", name, ErrNotFound)
	if !errors.Is(why, errAbsent) {
		err = fmt.Errorf("%w: %w", err, why)
	}
	for _, p := range problems {
		err = fmt.Errorf("%w; %w", err, p)
	}
	return err
}

func example(name string) string {
	if _, ok := kindOf(Type(name)); !ok && allIn(name, true) && name != "" && name[0] != '@' {
		return name + ".service"
	}
	return "nginx.service"
}

// fragment returns the file of a unit: its own or, without one, that of its template.
func (x *index) fragment(name string) (string, error) {
	file, err := x.find(name)
	if err == nil || errors.Is(err, errLoop) || !IsInstance(name) {
		return file, err
	}
	if file, terr := x.find(Template(name)); !errors.Is(terr, errAbsent) {
		return file, terr
	}
	return "", err
}

// names returns the main name and all other names of a unit that has this fragment.
func (x *index) names(name, file string) (string, []string) {
	id, all := name, append([]string{name}, x.others[name]...)
	if main := path.Base(file); file != "" && main != name {
		if other := x.sameInstance(name, main, main); x.has(main) && other != "" {
			id = other
		} else if IsTemplate(main) && x.since(249) { // an instance with its own file is still another name
			all = append(all, Instantiate(main, Instance(name)))
		}
		for _, other := range x.others[main] {
			if other = x.sameInstance(name, other, main); other != "" {
				all = append(all, other)
			}
		}
	}
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(n string) bool { return n == id || n == "" })
	return id, all
}

// sameInstance turns an alias of a template into an alias of the instance; "" if that name has another fragment.
func (x *index) sameInstance(name, alias, main string) string {
	if !IsInstance(name) || !IsTemplate(alias) {
		return alias
	}
	inst := Instantiate(alias, Instance(name))
	if inst == "" {
		return ""
	}
	if file, err := x.find(inst); err == nil && path.Base(file) != main {
		return ""
	}
	return inst
}

// readFragment reads the fragment, or sets Masked.
func (u *Unit) readFragment(t *tree) error {
	if u.Fragment == "" {
		return nil
	}
	text, masked, err := t.read(u.Fragment)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w: %s leads to a file that does not exist", u.Name, ErrNotFound, u.Fragment)
	case err != nil:
		if pe, ok := errors.AsType[*fs.PathError](err); ok { // its path may be outside of the root
			err = fmt.Errorf("%s: %w", u.Fragment, pe.Err)
		}
		return fmt.Errorf("%s: %w", u.Name, err)
	case masked:
		u.Masked = true
		return nil
	}
	assignments, problems, err := parse(u.Fragment, text)
	if err != nil {
		return fmt.Errorf("%s does not load: %w", u.Name, err)
	}
	u.Assignments = assignments
	u.Problems = append(append(u.Problems, problems...), u.unknownSections(assignments)...)
	return nil
}

// read returns the content of a file. masked says that the file is empty or is a device such as /dev/null. In a root, a
// link to /dev/null also masks, even if the root has no devices.
func (t *tree) read(name string) (text string, masked bool, err error) {
	root := t.root
	data, err := root.ReadFile(name)
	if err == nil {
		return string(data), len(data) == 0, nil
	}
	if info, serr := root.Stat(name); serr == nil && info.Mode()&fs.ModeCharDevice != 0 {
		return "", true, nil
	}
	if real, rerr := root.Real(name); rerr == nil && real == "/dev/null" {
		return "", true, nil
	}
	return "", false, err
}

// The most drop-ins that are read of a unit and its slices, and the most bytes of them. systemd has no limit.
const (
	maxDropins = 1000
	maxBytes   = 16 << 20
)

// limits are what may still be read of a unit.
type limits struct {
	ctx            context.Context // nil has no end
	dropins, bytes int
}

// readDropins reads the drop-ins of every name of the unit, as far as the limits allow.
func (u *Unit) readDropins(x *index, left *limits) {
	files, problems := x.dropinFiles(u.ID, u.Aliases)
	u.Dropins = files
	u.Problems = append(u.Problems, problems...)
	for _, file := range files {
		if left.ctx != nil && left.ctx.Err() != nil {
			return // which is an error of Load
		}
		if left.dropins == 0 || left.bytes <= 0 {
			u.Problems = append(u.Problems, Problem{Position{Path: file}, fmt.Sprintf("is not read: want at most %d "+
				"drop-ins, of less than %d bytes together", maxDropins, maxBytes), true})
			return
		}
		d := x.dropin(u, file)
		left.dropins--
		left.bytes -= d.size
		if d.masked {
			u.Masks = append(u.Masks, file)
		}
		u.Assignments = append(u.Assignments, d.assignments...)
		u.Problems = append(u.Problems, d.problems...)
	}
}

// content is the content of a drop-in.
type content struct {
	size        int
	masked      bool
	assignments []Assignment
	problems    []Problem
}

// dropin reads a drop-in. It caches one that other units can have too, such as those in service.d.
func (x *index) dropin(u *Unit, file string) content {
	shared := path.Base(path.Dir(file)) != u.ID+".d"
	if d, ok := x.contents[file]; ok && shared {
		return d
	}
	text, masked, err := x.tree.read(file)
	if err != nil {
		p := Problem{Position{Path: file}, cause(file, err) + ": the drop-in is ignored", x.tree.isUnread(file, err)}
		return content{problems: []Problem{p}}
	}
	d := content{size: len(text), masked: masked}
	d.assignments, d.problems, err = parse(file, text)
	d.problems = append(d.problems, u.unknownSections(d.assignments)...)
	if p, ok := errors.AsType[Problem](err); ok {
		d.problems = append(d.problems, p)
	}
	if shared {
		x.contents[file] = d
	}
	return d
}

// unknownSections returns a problem for each section that systemd ignores in a unit of this type.
func (u *Unit) unknownSections(assignments []Assignment) []Problem {
	var problems []Problem
	k, _ := kindOf(Type(u.ID))
	own := k.sections
	for i, a := range assignments {
		s := a.Section
		if i > 0 && s == assignments[i-1].Section || s == own && own != "" || s == "Unit" || s == "Install" ||
			strings.HasPrefix(s, "X-") {
			continue
		}
		want := "[Unit] or [Install]"
		if own != "" {
			want = "[Unit], [" + own + "] or [Install]"
		}
		problems = append(
			problems,
			Problem{
				Pos:     a.Pos,
				Message: fmt.Sprintf("section [%s] means nothing in a %s unit, want %s", s, Type(u.ID), want),
			},
		)
	}
	return problems
}

// inherited are the lists of a slice that systemd adds to those of every service in it; systemd.resource-control(5).
var inherited = []string{"IPAddressAllow", "IPAddressDeny"}

// readSlices reads what a service inherits from the slice that it is in, and from those above that.
func (u *Unit) readSlices(x *index, left *limits) {
	if Type(u.Name) != "service" {
		return
	}
	for _, name := range u.Slices() {
		s := &Unit{Name: name, ID: name, root: u.root, version: u.version}
		s.Fragment, _ = x.fragment(name)
		s.Problems = slices.Clone(x.skipped[name])
		err := s.readFragment(x.tree)
		if err == nil && !s.Masked { // else systemd has none of its settings
			s.readDropins(x, left)
			for _, list := range inherited {
				u.Inherited = append(u.Inherited, sinceReset(s.All("Slice", list))...)
			}
		}
		if _, isText := errors.AsType[Problem](err); !isText && x.tree.isUnread(s.Fragment, err) {
			s.Problems = append(s.Problems, Problem{Position{Path: s.Fragment}, cause(s.Fragment, err), true})
		}
		u.Problems = append(u.Problems, slices.DeleteFunc(s.Problems, func(p Problem) bool { return !p.Unread })...)
	}
}

// sinceReset returns the assignments of a list after the last that is empty.
func sinceReset(list []Assignment) []Assignment {
	for i, a := range slices.Backward(list) {
		if a.Value == "" {
			return list[i+1:]
		}
	}
	return list
}

// Slices returns the names of the slices that a service is in, the innermost first; systemd.resource-control(5).
func (u *Unit) Slices() []string {
	var names []string
	for name := u.slice(); name != ""; name = sliceAbove(name) {
		names = append(names, name)
	}
	return names
}

// slice returns the innermost slice of a service. Instances are in the slice of their template if the unit names none.
func (u *Unit) slice() string {
	a, _ := u.Last("Service", "Slice")
	if name, err := u.Expand(a.Value); err == nil && ValidName(name) && Type(name) == "slice" {
		return name
	}
	if IsTemplate(u.ID) || IsInstance(u.ID) {
		return "system-" + Escape(Prefix(u.ID)) + ".slice"
	}
	return "system.slice"
}

// sliceAbove returns the slice in which a slice is; "" if it is the topmost one.
func sliceAbove(name string) string {
	stem := strings.TrimSuffix(name, ".slice")
	if i := strings.LastIndexByte(stem, '-'); i > 0 {
		return stem[:i] + ".slice"
	}
	if stem == "-" {
		return ""
	}
	return "-.slice"
}
