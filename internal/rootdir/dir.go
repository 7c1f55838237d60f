// Package rootdir opens files inside a directory that is used as the root of a machine: of an image, of a place, or of
// a process. No name and no symbolic link leads out of it, even if somebody changes the tree meanwhile.
//
// Start with [Open]. Every call resolves its name again and works on the resulting descriptor, so there is no time
// between a check and a use in which a directory could be replaced by a link.
//
// The package imports almost nothing, since temper-generator runs it at every boot; its errors are errnos. All other
// programs use package host.
package rootdir

import (
	"strings"

	"golang.org/x/sys/unix"
)

// A Dir is an open directory in which all names are resolved. The zero value is not usable: see [Open].
type Dir struct {
	fd int // unix.AT_FDCWD for this machine, where the kernel resolves names as usual
}

// Open opens a directory as a root; "" and "/" are this machine.
func Open(dir string) (Dir, error) {
	if dir == "" || dir == "/" {
		return Dir{unix.AT_FDCWD}, nil
	}
	fd, err := retryEINTR(func() (int, error) { return unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	return Dir{fd}, err
}

// Close closes the root.
func (d Dir) Close() {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
	}
}

func (d Dir) isHost() bool { return d.fd == unix.AT_FDCWD }

// Open opens the file that name leads to, and returns a descriptor that the caller closes. Flags are those of open(2)
// without O_CREAT.
func (d Dir) Open(name string, flags int) (int, error) {
	flags |= unix.O_CLOEXEC
	if flags&unix.O_PATH == 0 { // openat2(2) refuses flags that have no effect
		flags |= unix.O_NOCTTY
	}
	if d.isHost() {
		return retryEINTR(func() (int, error) { return unix.Open(name, flags, 0) })
	}
	how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := retryEINTR(func() (int, error) { return unix.Openat2(d.fd, name, &how) })
	if err == unix.ENOSYS || err == unix.EPERM || err == unix.EAGAIN {
		// The kernel is older than 5.6, a seccomp filter does not know the call, or the tree is being moved.
		return d.walk(name, flags)
	}
	return fd, err
}

// Parent opens the directory that has the last part of name, and returns its descriptor and that part. The part may be
// a link, or may not exist.
func (d Dir) Parent(name string) (fd int, base string, err error) {
	name = strings.TrimRight(name, "/")
	dir, base := name[:strings.LastIndexByte(name, '/')+1], name[strings.LastIndexByte(name, '/')+1:]
	if base == "" || base == "." || base == ".." { // the root, or a last part that is not an entry of a directory
		return -1, "", unix.EINVAL
	}
	if dir == "" && d.isHost() {
		dir = "."
	} else if dir == "" {
		dir = "/"
	}
	fd, err = d.Open(dir, unix.O_PATH|unix.O_DIRECTORY)
	return fd, base, err
}

// Stat describes the file that name leads to; with AT_SYMLINK_NOFOLLOW, the last link itself.
func (d Dir) Stat(name string, st *unix.Stat_t, flags int) error {
	if d.isHost() {
		return unix.Fstatat(unix.AT_FDCWD, name, st, flags)
	}
	open := unix.O_PATH
	if flags&unix.AT_SYMLINK_NOFOLLOW != 0 {
		open |= unix.O_NOFOLLOW
	}
	fd, err := d.Open(name, open)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Fstat(fd, st)
}

// Readlink writes the target of the link name into buf, and returns its length.
func (d Dir) Readlink(name string, buf []byte) (int, error) {
	fd, of := unix.AT_FDCWD, name
	if !d.isHost() {
		var err error
		if fd, err = d.Open(name, unix.O_PATH|unix.O_NOFOLLOW); err != nil {
			return 0, err
		}
		defer unix.Close(fd)
		of = ""
	}
	n, err := unix.Readlinkat(fd, of, buf)
	if of == "" && err == unix.ENOENT { // the open file is not a link; with a name, the error is EINVAL
		err = unix.EINVAL
	}
	return max(n, 0), err
}

// Statfs describes the file system of the file that name leads to.
func (d Dir) Statfs(name string, st *unix.Statfs_t) error {
	if d.isHost() {
		return unix.Statfs(name, st)
	}
	fd, err := d.Open(name, unix.O_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Fstatfs(fd, st)
}

// retryEINTR repeats a system call that a signal interrupts.
func retryEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
