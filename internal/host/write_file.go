package host

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"temper/internal/rootdir"
)

// parent opens the directory of name inside the root and returns its descriptor, and the last part of the name.
func (r Root) parent(operation, name string) (dir int, base string, err error) {
	d, err := rootdir.Open(r.dir)
	if err == nil {
		defer d.Close()
		dir, base, err = d.Parent(name)
	}
	if err != nil {
		return -1, "", &fs.PathError{Op: operation, Path: name, Err: err}
	}
	return dir, base, nil
}

// MkdirAll is os.MkdirAll inside the root.
func (r Root) MkdirAll(name string, mode fs.FileMode) error {
	name = path.Clean("/" + name)
	dir, err := r.open("mkdir", name, unix.O_PATH|unix.O_DIRECTORY)
	if err == nil {
		return dir.Close()
	}
	if name == "/" || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.MkdirAll(path.Dir(name), mode); err != nil {
		return err
	}
	parent, base, err := r.parent("mkdir", name)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	if err := unix.Mkdirat(parent, base, uint32(mode.Perm())); err != nil && err != unix.EEXIST {
		return &fs.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return nil
}

// WriteFile replaces a file in one step: a reader finds the old or the new content. A link of this name is replaced,
// not followed.
func (r Root) WriteFile(name string, data []byte, mode fs.FileMode) error {
	staged, err := r.Stage(name, data, mode)
	if err != nil {
		return err
	}
	defer staged.Discard()
	return staged.Commit()
}

// Staged is a completely written file that has a temporary name until [Staged.Commit].
type Staged struct {
	dir             int // -1 once it is committed or discarded
	temporary, base string
	name            string
}

// Stage writes the new content of the file name under a temporary name in the same directory. The caller has to call
// [Staged.Discard] in any case.
func (r Root) Stage(name string, data []byte, mode fs.FileMode) (*Staged, error) {
	name = path.Clean("/" + name)
	dir, base, err := r.parent("write", name)
	if err != nil {
		return nil, err
	}
	s := &Staged{dir: dir, temporary: TemporaryPrefix(base) + rand.Text(), base: base, name: name}
	fd, err := unix.Openat(
		dir,
		s.temporary,
		unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC,
		0o600,
	)
	if err == nil {
		err = fill(os.NewFile(uintptr(fd), name), data, mode)
	}
	if err != nil {
		s.Discard()
		return nil, &fs.PathError{Op: "write", Path: name, Err: cause(err)}
	}
	return s, nil
}

// TemporaryPrefix is the beginning of the temporary names that [Root.Stage] uses for a file of this name.
func TemporaryPrefix(base string) string { return "." + base + "." }

// fill writes a new file and syncs it, so that a full disk is an error before the file takes its place.
func fill(file *os.File, data []byte, mode fs.FileMode) error {
	_, err := file.Write(data)
	return errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
}

// cause returns the error without the name of a file.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// Commit gives the file its name.
func (s *Staged) Commit() error {
	if err := unix.Renameat(s.dir, s.temporary, s.dir, s.base); err != nil {
		return &fs.PathError{Op: "write", Path: s.name, Err: err}
	}
	_ = unix.Close(s.dir)
	s.dir = -1
	return nil
}

// Discard removes the file if it was not committed.
func (s *Staged) Discard() {
	if s.dir < 0 {
		return
	}
	_ = unix.Unlinkat(s.dir, s.temporary, 0)
	_ = unix.Close(s.dir)
	s.dir = -1
}
