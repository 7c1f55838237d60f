package unit

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/host"
)

// tree reads directories of a root, each at most once.
type tree struct {
	root     host.Root
	listings map[string]listing
	reals    map[string]string
}

type listing struct {
	entries []fs.DirEntry
	err     error
}

func newTree(root host.Root) *tree {
	return &tree{root, map[string]listing{}, map[string]string{}}
}

// list returns the entries of a directory; none if it does not exist.
func (t *tree) list(dir string) ([]fs.DirEntry, error) {
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

// real resolves the links in that part of a directory's name that exists.
func (t *tree) real(dir string) string {
	if r, ok := t.reals[dir]; ok {
		return r
	}
	r, err := t.root.Real(dir)
	if err != nil {
		r = dir
	}
	t.reals[dir] = r
	return r
}

// realFile resolves every link in the name of a file that exists.
func (t *tree) realFile(name string) (string, error) {
	if _, err := t.root.Stat(name); err != nil {
		return "", err
	}
	return t.root.Real(name)
}

// isUnread reports whether an error of reading something leaves open what systemd has read. Where nothing is, and where
// links lead in a circle, it has read nothing.
func isUnread(err error) bool {
	none := []error{fs.ErrNotExist, unix.ENOTDIR, unix.ELOOP}
	return err != nil && !slices.ContainsFunc(none, func(e error) bool { return errors.Is(err, e) })
}

// isUnread is isUnread for a file. What is no file systemd does not read either.
func (t *tree) isUnread(name string, err error) bool {
	if !isUnread(err) {
		return false
	}
	info, err := t.root.Stat(name)
	return err != nil || info.Mode().IsRegular()
}

// unread is the problem of a directory or link of which an error says that it was not read.
func unread(name string, err error, message string) Problem {
	return Problem{Position{Path: name}, cause(name, err) + ": " + message, isUnread(err)}
}

// cause returns the text of an error about a file, without the name of the file.
func cause(name string, err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return strings.TrimPrefix(err.Error(), name+": ")
}
