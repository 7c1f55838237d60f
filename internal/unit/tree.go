package unit

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"temper/internal/host"
	"temper/internal/ready"
)

// tree reads directories of a root, each at most once.
type tree struct {
	root     host.Root
	listings map[string]listing
	reals    map[string]string
	looks    map[ready.Look]struct{} // what the tree was asked, for [Loader.Looks]
}

type listing struct {
	entries []fs.DirEntry
	err     error
}

func newTree(root host.Root) *tree {
	return &tree{root, map[string]listing{}, map[string]string{}, map[ready.Look]struct{}{}}
}

func (t *tree) look(kind ready.Kind, name string) {
	t.looks[ready.Look{Kind: kind, Path: name}] = struct{}{}
}

// readlink is [host.Root.Readlink].
func (t *tree) readlink(name string) (string, error) {
	t.look(ready.Link, name)
	return t.root.Readlink(name)
}

// stat is [host.Root.Stat].
func (t *tree) stat(name string) (fs.FileInfo, error) {
	t.look(ready.Stat, name)
	return t.root.Stat(name)
}

// list returns the entries of a directory; one that does not exist is empty. Part is what the names that count have in
// common.
func (t *tree) list(dir string, part string) ([]fs.DirEntry, error) {
	t.looks[ready.InDir(dir, part)] = struct{}{}
	l, ok := t.listings[dir]
	if !ok {
		l.entries, l.err = t.root.ReadDir(dir)
		if errors.Is(l.err, fs.ErrNotExist) {
			l = listing{}
		}
		t.listings[dir] = l
	}
	return l.entries, l.err
}

// real resolves the links in the name of a directory as far as it exists.
func (t *tree) real(dir string) string {
	if r, ok := t.reals[dir]; ok {
		return r
	}
	r := t.resolve(dir)
	t.reals[dir] = r
	t.lookAlong(dir, maxHops)
	return r
}

// lookAlong looks at each part of a path: whether it is a link decides where the path leads.
func (t *tree) lookAlong(name string, hops int) {
	for name = path.Clean("/" + name); name != "/"; name = path.Dir(name) {
		t.look(ready.Link, name)
		if target, err := t.root.Readlink(name); err == nil && hops > 0 {
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(name), target)
			}
			t.lookAlong(target, hops-1)
		}
	}
}

func (t *tree) resolve(dir string) string {
	if dir == "/" || dir == "." {
		return "/"
	}
	if t.root.IsHost() {
		if r, err := filepath.EvalSymlinks(dir); err == nil {
			return r
		}
		return path.Join(t.real(dirOf(dir)), path.Base(dir))
	}
	r, err := t.root.Path(dir)
	if err != nil {
		return dir
	}
	return path.Join("/", strings.TrimPrefix(r, filepath.Clean(string(t.root))))
}

// realFile resolves every link in the name of a file that exists.
func (t *tree) realFile(name string) (string, error) {
	if t.root.IsHost() {
		return filepath.EvalSymlinks(name)
	}
	if _, err := t.root.Stat(name); err != nil {
		return "", err
	}
	return t.resolve(name), nil
}

// cause is what went wrong with a file, without its name.
func cause(name string, err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return strings.TrimPrefix(err.Error(), name+": ")
}
