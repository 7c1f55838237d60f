package host

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// open opens a file of a root other than this machine for reading, without waiting for the other end of a FIFO. The kernel
// resolves the links, where it can (since Linux 5.6) and may: that is one call in place of one for every part of the path.
func (r Root) open(name string) (fd int, err error) {
	fd, err = r.openBeneath(name)
	if !errors.Is(err, errors.ErrUnsupported) {
		return fd, err
	}
	path, err := r.Path(name)
	if err != nil {
		return -1, err
	}
	return retry(name, func() (int, error) { return unix.Open(path, unix.O_RDONLY|nonblock, 0) })
}

// openBeneath resolves with openat2(2). The error wraps [errors.ErrUnsupported] where that cannot tell.
func (r Root) openBeneath(name string) (fd int, err error) {
	dir, err := retry(name, func() (int, error) { return unix.Open(string(r), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_RDONLY | nonblock, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err = retry(name, func() (int, error) { return unix.Openat2(dir, name, &how) })
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EAGAIN) {
		// An old kernel, a seccomp filter that refuses what it does not know, or a tree that is being moved.
		return -1, errors.ErrUnsupported
	}
	return fd, err
}

// retry repeats a system call that a signal interrupts.
func retry(name string, open func() (int, error)) (int, error) {
	for {
		fd, err := open()
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return fd, nil
	}
}
