package harness

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/unit"
)

// lockFile keeps reloads of this machine's manager and trials on it apart: at boot several units are proven at the same
// time, each in a process of its own, and a manager that reads its units again in the middle of a trial disturbs it.
const lockFile = "/run/temper/trials.lock"

// hold takes the lock of the host, shared for a trial or exclusive for a reload, and returns how to give it back. A container
// belongs to one process and needs none.
func hold(ctx context.Context, where *place.Place, how int) (release func(), err error) {
	if where.Kind() != "host" {
		return func() {}, nil
	}
	if err := os.MkdirAll("/run/temper", 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(lockFile, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != unix.EWOULDBLOCK {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", lockFile, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// proofLocks begins the names of the locks of proofs. Only root can take one, and so hold up others.
const proofLocks = "/run/temper-prove-"

// Alone waits until no other process proves the unit of a root, on the host or in a container, and keeps others from it until release is
// called: on one host trials of two proofs would answer for each other, and of what both keep some would be the one's, some
// the other's. It calls waits, once, if there is something to wait for.
func Alone(ctx context.Context, root host.Root, name string, waits func()) (release func(), err error) {
	if real, err := filepath.EvalSymlinks(cmp.Or(root.Dir(), "/")); err == nil {
		root = host.At(real)
	}
	if u, err := (&unit.Loader{Root: root}).Load(name); err == nil {
		name = u.ID
	}
	file := fmt.Sprintf("%s%x.lock", proofLocks, sha256.Sum256([]byte(root.Dir()+"\x00"+name)))
	for told := false; ; {
		f, err := lock(file)
		switch {
		case err == nil:
			return func() { unlock(file, f) }, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			if !told {
				waits()
			}
			told = true
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("lock %s: %w", file, err)
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// unlock gives a lock back, and takes away what killed proofs have left of theirs.
func unlock(file string, f *os.File) {
	os.Remove(file)
	f.Close()
	left, _ := filepath.Glob(proofLocks + "*.lock")
	for _, file := range left {
		if f, err := lock(file); err == nil {
			os.Remove(file)
			f.Close()
		}
	}
}

// lock takes a lock that is taken away with its file. Whoever opened the file before that has a lock of nothing, and gets
// fs.ErrNotExist.
func lock(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		own, ownErr := f.Stat()
		now, nowErr := os.Stat(file)
		if err = errors.Join(ownErr, nowErr); err == nil && !os.SameFile(own, now) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
