package host

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// MakePrivate lets only the owner of a directory enter it and read the files in it. The directory must belong to root,
// to the user who runs temper or to the owner of the root directory: else the error is an [Untrusted], as for a link
// that somebody else can have made. What is in a directory that is private already is left as it is.
func (r Root) MakePrivate(name string) error {
	name = clean(name)
	dir, err := r.openOwn(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	info, err := dir.Stat()
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	if err := dir.Chmod(0o700); err != nil {
		return &fs.PathError{Op: "chmod", Path: name, Err: cause(err)}
	}
	names, err := dir.Readdirnames(-1)
	for _, base := range names { // nobody else can replace them any more
		err = errors.Join(err, r.makeFilePrivate(int(dir.Fd()), base))
	}
	return err
}

// openOwn opens a directory of an owner who is trusted, by its descriptor and not by its name: that can mean another
// one a moment later.
func (r Root) openOwn(name string) (*os.File, error) {
	fd, base, err := r.parent("open", name)
	if err != nil {
		return nil, err
	}
	parent := os.NewFile(uintptr(fd), name)
	defer parent.Close()
	flags := unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NONBLOCK | unix.O_CLOEXEC
	info, err := parent.Stat()
	if err != nil {
		return nil, err
	}
	if !r.IsHost() || r.Trusts(name, info) != nil { // the kernel would follow a link of a tree out of it
		flags |= unix.O_NOFOLLOW
	}
	opened, err := unix.Openat(fd, base, flags, 0)
	if err == unix.ENOTDIR || err == unix.ELOOP {
		return nil, Untrusted{name, "is a link or no directory", "want the directory itself", ""}
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	dir := os.NewFile(uintptr(opened), name)
	if info, err = dir.Stat(); err == nil {
		err = r.trustsOwner(name, info)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// makeFilePrivate lets only the owner of a regular file read it. One of an owner who is not trusted is not temper's.
func (r Root) makeFilePrivate(dir int, base string) error {
	fd, err := unix.Openat(dir, base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: base, Err: err}
	}
	file := os.NewFile(uintptr(fd), base)
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || r.trustsOwner(base, info) != nil {
		return err
	}
	if err := os.Chmod(Descriptor(file), 0o600); err != nil {
		return &fs.PathError{Op: "chmod", Path: base, Err: cause(err)}
	}
	return nil
}
