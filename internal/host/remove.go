package host

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// The most that one call removes or lists, so that nobody who adds files meanwhile can keep it busy for ever.
const (
	maxEntries = 1 << 20
	maxDepth   = 256
)

// errTooMany says that a tree is larger or deeper than any that a normal service makes.
var errTooMany = errors.New("has too many files or too deep directories")

// Remove removes a file, a link or an empty directory.
func (r Root) Remove(name string) error {
	name = clean(name)
	dir, base, err := r.parent("remove", name)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err = unlink(dir, base); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

// RemoveAll removes the file or directory at name with everything below it, and follows no link. It is no error if
// nothing is there.
func (r Root) RemoveAll(name string) error {
	name = clean(name)
	dir, base, err := r.parent("remove", name)
	if err == nil {
		defer unix.Close(dir)
		left := maxEntries
		err = removeAll(dir, base, maxDepth, &left)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return &fs.PathError{Op: "remove", Path: name, Err: cause(err)}
}

// removeAll removes an entry of a directory. The error is the one of the first entry that could not be removed.
func removeAll(dir int, base string, depth int, left *int) error {
	err := unlink(dir, base)
	if err != unix.ENOTEMPTY && err != unix.EEXIST {
		return err
	}
	if depth == 0 {
		return errTooMany
	}
	fd, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	sub := os.NewFile(uintptr(fd), base)
	defer sub.Close()
	var first error
	for names, err := sub.Readdirnames(100); len(names) > 0; names, err = sub.Readdirnames(100) {
		for _, name := range names {
			if *left--; *left < 0 {
				return errTooMany
			}
			if err := removeAll(fd, name, depth-1, left); err != nil && !errors.Is(err, fs.ErrNotExist) &&
				first == nil {
				first = err
			}
		}
		if err != nil {
			break
		}
	}
	if err := unlink(dir, base); err != nil && first == nil {
		first = err
	}
	return first
}

// unlink removes an entry of a directory: a file, a link or an empty directory.
func unlink(dir int, base string) error {
	err := unix.Unlinkat(dir, base, 0)
	if err == unix.EISDIR || err == unix.EPERM {
		if asDir := unix.Unlinkat(dir, base, unix.AT_REMOVEDIR); asDir != unix.ENOTDIR {
			err = asDir
		}
	}
	return err
}
