package host

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// open opens a file inside the root for reading, without waiting for the other end of a FIFO. Below another directory the
// kernel resolves the links, where it can (since Linux 5.6) and may: that is one call in place of one for every part.
func (r Root) open(name string) (*os.File, error) {
	if !r.IsHost() {
		f, err := r.openBeneath(name)
		if !errors.Is(err, errors.ErrUnsupported) {
			return f, err
		}
	}
	path, err := r.Path(name)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDONLY|nonblock, 0)
}

// openBeneath resolves with openat2(2). The error wraps [errors.ErrUnsupported] where that cannot tell.
func (r Root) openBeneath(name string) (*os.File, error) {
	dir, err := unix.Open(string(r), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | nonblock,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	switch {
	case err == nil:
		return os.NewFile(uintptr(fd), name), nil
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM), errors.Is(err, unix.EAGAIN):
		// An old kernel, a seccomp filter that refuses what it does not know, or a tree that is being moved.
		return nil, errors.ErrUnsupported
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: err}
}
