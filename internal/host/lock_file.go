package host

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Lock waits until nobody else holds the lock in a file, which it makes where there is none, and takes it.
func (r Root) Lock(name string) (unlock func(), err error) {
	name = clean(name)
	dir, base, err := r.parent("lock", name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, base, unix.O_CREAT|unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	for {
		switch err := unix.Flock(fd, unix.LOCK_EX); {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, unix.EINTR):
			return nil, errors.Join(&fs.PathError{Op: "lock", Path: name, Err: err}, f.Close())
		}
	}
}
