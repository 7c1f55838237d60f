package profiles

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"temper/internal/host"
	"temper/internal/ready"
)

//go:embed library
var library embed.FS

// Builtin stands in the search path of [Load] for the profiles that are built into temper.
const Builtin = "builtin:"

// Library returns the profiles that temper ships, with the file names of a profile directory: "nginx.toml",
// "base/daemon.toml".
func Library() fs.FS {
	sub, err := fs.Sub(library, "library")
	if err != nil { // the directory is in the binary
		panic(err)
	}
	return sub
}

// SearchPath has the directories of profiles; the first one counts most.
var SearchPath = ready.ProfileDirs

// shippedDir is where packages ship profiles: most are about services that a machine does not have.
const shippedDir = "/usr/lib"

// Load reads the profiles of a root from dirs, or from [SearchPath] if dirs is nil. The first directory that has a file
// of a name decides: a link to /dev/null masks the profile, and a file that cannot be used hides those behind it as
// well. A profile that extends its own name extends the next file of that name in the search path. [Builtin] among dirs
// stands for [Library].
//
// Files and directories must belong to root, to the user or to whom the root directory belongs, and nobody else may be
// able to write them; a link must lead to a file of the same search path. What is wrong comes back as errors, each a
// [Finding] and all from all files, sorted; such files are left out of the set, and those that extend them too.
func Load(root host.Root, dirs []string) (*Set, []error) {
	return load(&loader{root: root, dirs: dirs})
}

// LoadAbout is [Load] for a boot of a machine that has units of these names. Of a profile that a package ships, that is
// about none of them and that hides nothing from them, it reads the head alone, and does not tell what is wrong below.
func LoadAbout(root host.Root, dirs, units []string) (*Set, []error) {
	about := func(patterns []string) bool { return mayFit(patterns, units) }
	return load(&loader{root: root, dirs: dirs, about: about})
}

func load(l *loader) (*Set, []error) {
	if l.dirs == nil {
		l.dirs = SearchPath
	}
	l.readers = map[string][]reading{}
	l.dirs = slices.Clone(l.dirs)
	for i, dir := range l.dirs {
		if dir != Builtin {
			l.dirs[i] = path.Clean("/" + dir)
		}
		l.directory(l.dirs[i])
	}
	s := &Set{files: l.read(), profiles: map[string]*Profile{}}
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		o := s.files[name]
		switch {
		case o.masked:
			continue
		case o.isHead() && !s.inheritsSecrets(o):
			s.unread = append(s.unread, o.Units...)
			continue
		}
		p, findings := resolve(s.whole(o), s.find)
		if l.findings = append(l.findings, findings...); len(findings) == 0 {
			s.profiles[name] = p
		}
	}
	s.index()
	return s, l.errors()
}

// LoadFile reads one profile by its path on this machine. What it extends is looked for in the same directory, as if
// this were a profile directory, then in base, which may be nil. The error joins every [Finding] of the file and of
// what it extends.
//
// The file may belong to any user, since the user who runs temper has named it.
func LoadFile(file string, base *Set) (*Profile, error) {
	dir, name := filepath.Dir(file), strings.TrimSuffix(filepath.Base(file), ".toml")
	if filepath.Base(dir) == "base" {
		dir, name = filepath.Dir(dir), "base/"+name
	}
	data, err := host.At("").ReadAtMost(absolutePath(file), MaxSize)
	if err != nil {
		return nil, unreadable(file, err)
	}
	f := &sameDirectory{dir: dir, base: base, files: map[string]*own{}}
	o := parse(name, file, data)
	f.files[name] = o
	p, findings := resolve(o, f.find)
	return p, join(findings)
}

// ParseText reads the text of a profile that is in no file yet. What it extends is looked for in base, which may be
// nil. The error joins every [Finding].
func ParseText(name, text string, base *Set) (*Profile, error) {
	if base == nil {
		base = &Set{}
	}
	p, findings := resolve(parse(name, name+".toml", []byte(text)), base.find)
	return p, join(findings)
}

// find is a [finder] over the files of the set. A profile that extends its own name extends the next file of that name.
// Where no profile asks, from is nil.
func (s *Set) find(from *own, name string) (*own, []string) {
	o := s.files[name]
	for file := o; file != nil && from != nil; file = file.behind {
		if file.Path == from.Path {
			o = file.behind
		}
	}
	if o == nil {
		o = builtinBase(name)
	}
	if o != nil && !o.masked {
		return s.whole(o), nil
	}
	return nil, slices.Sorted(maps.Keys(s.files))
}

// builtinBase returns a base that is built into temper, nil if there is none of the name. Everything that loads
// profiles knows these, so that what was proven with one is applied at boot, whatever directories there are.
func builtinBase(name string) *own {
	data, err := fs.ReadFile(Library(), name+".toml")
	if err != nil || !strings.HasPrefix(name, "base/") {
		return nil
	}
	return parse(name, Builtin+name+".toml", data)
}

// loader reads the directories of a search path.
type loader struct {
	root     host.Root
	dirs     []string
	about    func(patterns []string) bool // whether a profile with these Units is read to its end; nil: every one is
	readers  map[string][]reading         // by name, in the order of the search path
	findings []Finding
}

func (l *loader) errors() []error {
	SortFindings(l.findings)
	l.findings = slices.Compact(l.findings)
	errs := make([]error, len(l.findings))
	for i, f := range l.findings {
		errs[i] = f
	}
	return errs
}

// directory lists the files in one directory of the search path and in its subdirectory base.
func (l *loader) directory(dir string) {
	if dir == Builtin {
		l.builtin()
		return
	}
	if !l.list(dir, "") {
		return
	}
	base := path.Join(dir, "base")
	if info, err := l.root.Lstat(base); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		f := Finding{ID: IDUntrusted, Path: base, Message: "is a link", Fix: "make it a directory"}
		l.findings = append(l.findings, f)
		return
	}
	l.list(dir, "base")
}

// list lists the files in one directory, and reports whether the directory exists and can be trusted.
func (l *loader) list(dir, sub string) bool {
	at := path.Join(dir, sub)
	info, err := l.root.Stat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	var entries []fs.DirEntry
	if err == nil {
		if err := l.root.Trusts(at, info); err != nil {
			l.findings = append(l.findings, untrusted(at, err))
			return false
		}
		entries, err = l.root.ReadDir(at)
	}
	if err != nil {
		l.findings = append(l.findings, unreadable(at, err))
		return false
	}
	for _, e := range entries {
		if name, ok := nameOf(sub, e.Name()); ok {
			file := path.Join(at, e.Name())
			l.add(name, file, func() *own { return l.file(name, file) })
		}
	}
	return true
}

// nameOf returns the name of the profile in a file, and whether the file is a profile. A directory can have other
// files, such as a README, backups of an editor, or .dpkg-new.
func nameOf(sub, file string) (string, bool) {
	name, ok := strings.CutSuffix(file, ".toml")
	return path.Join(sub, name), ok && name != "" && name[0] != '.'
}

// read reads the first file of each name, and the next ones if it extends its own name. It reads names in parallel,
// since they are independent of each other.
func (l *loader) read() map[string]*own {
	names := slices.Sorted(maps.Keys(l.readers))
	files := make([]*own, len(names))
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(names)) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(names)); i = next.Add(1) - 1 {
				files[i] = firstOf(names[i], l.readers[names[i]])
			}
		})
	}
	group.Wait()
	byName := make(map[string]*own, len(names))
	for i, name := range names {
		byName[name] = files[i]
	}
	return byName
}

// reading is one file that is still to be read.
type reading struct {
	path string
	read func() *own
}

// firstOf reads the first of the files of one name, and the next ones that also count.
func firstOf(name string, files []reading) *own {
	o := safely(name, files[0])
	if len(files) > 1 && slices.Contains(o.Extends, name) {
		o.behind = firstOf(name, files[1:])
	}
	return o
}

// safely reads a file. If temper has a bug and panics, the file counts as bad: a boot must go on, and a panic in a
// goroutine can only be recovered there.
func safely(name string, file reading) (o *own) {
	defer func() {
		if fault := recover(); fault != nil {
			message := fmt.Sprintf("a fault of temper: %v", fault)
			o = refused(name, Finding{ID: IDUnreadable, Path: file.path, Message: message})
		}
	}()
	return file.read()
}

func (l *loader) add(name, at string, read func() *own) {
	l.readers[name] = append(l.readers[name], reading{at, read})
}

// file reads one file.
func (l *loader) file(name, at string) *own {
	target, f, bad := l.admit(name, at)
	switch {
	case bad:
		return refused(name, f)
	case target == null:
		return &own{masked: true}
	}
	data, err := l.root.ReadAtMost(target, MaxSize)
	if err != nil {
		return refused(name, unreadable(at, err))
	}
	if l.about != nil && host.Below(shippedDir, at) {
		if o, ok := parseHead(name, at, data); ok && !l.about(o.Units) {
			return o
		}
	}
	return parse(name, at, data)
}

// admit returns the path of the file of a profile after links, or the finding why it must not be read.
func (l *loader) admit(name, at string) (target string, f Finding, bad bool) {
	if id, message, fix := profileName(name); id != "" {
		return "", Finding{ID: id, Path: at, Message: message, Fix: fix}, true
	}
	target, info, err := l.follow(at)
	switch {
	case err != nil:
		return "", unreadable(at, err), true
	case target == null:
		return target, f, false
	case target == "":
		f = Finding{ID: IDUntrusted, Path: at, Message: "is a link out of the search path", Fix: "copy the file"}
		return "", f, true
	}
	err = l.root.Trusts(target, info)
	if dir := path.Dir(target); err == nil && target != at { // a link may lead to a directory that was refused
		if info, err = l.root.Stat(dir); err != nil {
			return "", unreadable(at, err), true
		}
		err = l.root.Trusts(dir, info)
	}
	if err != nil {
		return "", untrusted(at, err), true
	}
	return target, Finding{}, false
}

// null is the target of a link that masks a profile.
const null = "/dev/null"

// refused stands for a file that was not parsed.
func refused(name string, f Finding) *own {
	return &own{Profile: Profile{Name: name, Path: f.Path}, findings: []Finding{f}}
}

// maxLinks is the most links that are followed from a profile to its file.
const maxLinks = 8

// follow returns where a file is after at most a few links, and what it is: [null], or a path in the search path, or ""
// if a link leads out of it.
func (l *loader) follow(at string) (string, fs.FileInfo, error) {
	for hop := range maxLinks {
		info, err := l.root.Lstat(at)
		if hop > 0 && errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("is a link to %s, which does not exist", at)
		}
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return at, info, err
		}
		target, err := l.root.Readlink(at)
		if err != nil {
			return "", nil, err
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(at), target)
		}
		if at = path.Clean(target); at == null {
			return at, nil, nil
		}
		inside := func(dir string) bool { return path.Dir(at) == dir || path.Dir(at) == dir+"/base" }
		if !slices.ContainsFunc(l.dirs, inside) {
			return "", nil, nil
		}
	}
	return "", nil, fmt.Errorf("leads over more than %d links", maxLinks)
}

func (l *loader) builtin() {
	lib := Library()
	for _, sub := range []string{".", "base"} {
		entries, _ := fs.ReadDir(lib, sub) // reading embedded files does not fail
		for _, e := range entries {
			if name, ok := nameOf(sub, e.Name()); ok {
				l.add(name, Builtin+name+".toml", func() *own {
					data, _ := fs.ReadFile(lib, path.Join(sub, e.Name()))
					return parse(name, Builtin+name+".toml", data)
				})
			}
		}
	}
}

// untrusted is the finding for a file that must not count, by an error of [host.Root.Trusts].
func untrusted(at string, err error) Finding {
	why, _ := errors.AsType[host.Untrusted](err)
	return Finding{ID: IDUntrusted, Path: at, Message: why.Why, Fix: why.Fix}
}

// unreadable is the finding for a file that cannot be read.
func unreadable(at string, err error) Finding {
	message := err.Error()
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		message = pe.Op + ": " + pe.Err.Error()
	}
	return Finding{ID: IDUnreadable, Path: at, Message: strings.TrimPrefix(message, at+": ")}
}
