// Package host reads and writes the files of a machine. It starts no process and opens no socket, so that the generator
// can use it while PID 1 waits.
//
// Start with [At], which returns this machine, or a tree such as an image that is read as if it were a machine.
package host

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/ready"
	"temper/internal/rootdir"
)

// Root is a file tree that is read as a machine. The zero value is this machine. Any other root is a directory: every
// symbolic link, also an absolute one, is resolved inside it. Nobody who changes the tree meanwhile can make a name
// lead out of it.
type Root struct {
	dir    string // "" is this machine
	inputs *Inputs
}

// At returns the root for a directory of this machine; "" and "/" are this machine itself.
func At(dir string) Root {
	if dir == "/" {
		dir = ""
	}
	return Root{dir: dir}
}

// Dir returns the directory of the root: "" for this machine.
func (r Root) Dir() string { return r.dir }

// String returns a name of the root for messages.
func (r Root) String() string {
	if r.IsHost() {
		return "/"
	}
	return r.dir
}

// IsHost reports whether r is this machine itself.
func (r Root) IsHost() bool { return r.dir == "" }

// Stat is os.Stat of name inside the root.
func (r Root) Stat(name string) (fs.FileInfo, error) {
	name = clean(name)
	r.note(ready.Stat, name)
	if r.IsHost() {
		return os.Stat(name)
	}
	return r.describe(name, 0)
}

// Lstat is os.Lstat of name inside the root: a link is not followed.
func (r Root) Lstat(name string) (fs.FileInfo, error) {
	name = clean(name)
	r.note(ready.Lstat, name)
	if r.IsHost() {
		return os.Lstat(name)
	}
	return r.describe(name, unix.O_NOFOLLOW)
}

func (r Root) describe(name string, flags int) (fs.FileInfo, error) {
	file, err := r.open("stat", name, unix.O_PATH|flags)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Stat()
}

// open opens the file that name leads to. operation is the Op of an error.
func (r Root) open(operation, name string, flags int) (*os.File, error) {
	d, err := rootdir.Open(r.dir)
	if err != nil {
		return nil, &fs.PathError{Op: operation, Path: name, Err: err}
	}
	defer d.Close()
	fd, err := d.Open(name, flags)
	if err != nil {
		return nil, &fs.PathError{Op: operation, Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Readlink returns the text of the link name inside the root.
func (r Root) Readlink(name string) (string, error) {
	name = clean(name)
	r.note(ready.Link, name)
	d, err := rootdir.Open(r.dir)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	defer d.Close()
	buf := make([]byte, unix.PathMax)
	n, err := d.Readlink(name, buf)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return string(buf[:n]), nil
}

// ReadDir lists a directory inside the root, sorted by name.
func (r Root) ReadDir(name string) ([]fs.DirEntry, error) {
	name = clean(name)
	r.note(ready.Names, name)
	dir, err := r.open("open", name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	found, err := dir.ReadDir(-1)
	entries := make([]fs.DirEntry, len(found))
	for i, e := range found {
		entries[i] = dirEntry{r, path.Join(name, e.Name()), e.Type()}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// dirEntry is an entry of a directory. Its Info resolves the name inside the root, since the name may have become a
// link.
type dirEntry struct {
	root Root
	path string
	kind fs.FileMode
}

func (e dirEntry) Name() string               { return path.Base(e.path) }
func (e dirEntry) IsDir() bool                { return e.kind.IsDir() }
func (e dirEntry) Type() fs.FileMode          { return e.kind }
func (e dirEntry) Info() (fs.FileInfo, error) { return e.root.Lstat(e.path) }
func (e dirEntry) String() string             { return fs.FormatDirEntry(e) }

// maxLinks is the most links that are followed for one name, as in the kernel.
const maxLinks = 40

// Real resolves the links in that part of a name that exists, and returns a name inside the root without links. Use it
// only to compare names: the result may have become a link by the time that it is opened.
func (r Root) Real(name string) (string, error) {
	real, rest := "/", strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == "" || part == "." || part == ".." {
			real = path.Join(real, part)
			continue
		}
		target, err := r.Readlink(path.Join(real, part))
		switch {
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTDIR), errors.Is(err, fs.ErrNotExist): // no link
			real = path.Join(real, part)
			continue
		case err != nil:
			return "", err
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "resolve", Path: name, Err: unix.ELOOP}
		}
		if path.IsAbs(target) {
			real = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return real, nil
}

// clean makes a name absolute. It keeps "..", which has to be resolved after the links before it.
func clean(name string) string {
	if strings.Contains(name, "..") {
		return "/" + strings.TrimLeft(name, "/")
	}
	return path.Clean("/" + name)
}
