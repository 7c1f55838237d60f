package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"temper/internal/ready"
)

// Walk calls f for every entry below the directory at, for each directory before its entries, and follows no link.
// Entries that vanish meanwhile are left out. A directory for which f returns [fs.SkipDir] is not entered; any other
// error of f ends the walk.
//
// A recording root records the names in each directory, but not what f reads of the entries.
func (r Root) Walk(at string, f func(name string, entry fs.DirEntry) error) error {
	at = clean(at)
	dir, err := r.open("walk", at, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	w := walk{root: r, f: f, left: maxEntries}
	return w.directory(dir, at, maxDepth)
}

type walk struct {
	root Root
	f    func(name string, entry fs.DirEntry) error
	left int
}

// directory walks through an open directory, and closes it.
func (w *walk) directory(dir *os.File, at string, depth int) error {
	defer dir.Close()
	w.root.note(ready.Names, at)
	for {
		entries, err := dir.ReadDir(100)
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return &fs.PathError{Op: "walk", Path: at, Err: cause(err)}
		}
		for _, e := range entries {
			if err := w.entry(dir, path.Join(at, e.Name()), e.Type(), depth); err != nil {
				return err
			}
		}
	}
}

func (w *walk) entry(dir *os.File, name string, kind fs.FileMode, depth int) error {
	if w.left--; w.left < 0 {
		return &fs.PathError{Op: "walk", Path: name, Err: errTooMany}
	}
	err := w.f(name, dirEntry{w.root, name, kind})
	if errors.Is(err, fs.SkipDir) {
		return nil
	}
	if err != nil || !kind.IsDir() {
		return err
	}
	if depth == 0 {
		return &fs.PathError{Op: "walk", Path: name, Err: errTooMany}
	}
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := unix.Openat(int(dir.Fd()), path.Base(name), flags, 0)
	switch err {
	case nil:
		return w.directory(os.NewFile(uintptr(fd), name), name, depth-1)
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP: // the entry is gone or is something else by now
		return nil
	}
	return &fs.PathError{Op: "walk", Path: name, Err: err}
}
