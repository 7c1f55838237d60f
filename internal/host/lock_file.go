package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Lock waits until nobody else holds the lock in a file, which it makes where there is none, and takes it. Where ctx
// ends before, that is an error.
func (r Root) Lock(ctx context.Context, name string) (unlock func(), err error) {
	return r.lock(ctx, name, unix.LOCK_EX)
}

// LockShared is [Root.Lock] beside others that share the lock.
func (r Root) LockShared(ctx context.Context, name string) (unlock func(), err error) {
	return r.lock(ctx, name, unix.LOCK_SH)
}

// TryLock is [Root.Lock] that never waits. Where somebody else holds the lock, the error wraps [unix.EWOULDBLOCK].
func (r Root) TryLock(name string) (unlock func(), err error) { return r.tryLock(name, unix.LOCK_EX) }

// lock tries again and again: a call that waits in the kernel does not see that ctx ends.
func (r Root) lock(ctx context.Context, name string, how int) (unlock func(), err error) {
	for {
		unlock, err := r.tryLock(name, how)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (r Root) tryLock(name string, how int) (unlock func(), err error) {
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
	err = unix.Flock(fd, how|unix.LOCK_NB)
	if err == nil && !isNow(fd, dir, base) { // whoever held it has removed the file: the lock is worth nothing
		err = unix.EWOULDBLOCK
	}
	if err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: name, Err: err}, f.Close())
	}
	return func() { f.Close() }, nil
}

// isNow reports whether an entry of a directory is the file that a descriptor refers to.
func isNow(fd, dir int, base string) bool {
	var own, now unix.Stat_t
	err := errors.Join(unix.Fstat(fd, &own), unix.Fstatat(dir, base, &now, unix.AT_SYMLINK_NOFOLLOW))
	return err == nil && own.Dev == now.Dev && own.Ino == now.Ino
}
