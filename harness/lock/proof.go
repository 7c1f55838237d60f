package lock

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"temper/internal/host"
	"temper/internal/unit"
)

// proofLocks begins the names of the locks of proofs. Only root can take one, and so hold up others.
const proofLocks = "/run/temper-prove-"

// Proof waits until no other process proves the unit of a root, on the host or in a container, and keeps others from it
// until release is called: on one host trials of two proofs would answer for each other, and of what both store some
// would be of one, some of the other. It calls waits, once, if there is something to wait for.
func Proof(ctx context.Context, root host.Root, name string, waits func()) (release func(), err error) {
	if real, err := filepath.EvalSymlinks(cmp.Or(root.Dir(), "/")); err == nil {
		root = host.At(real)
	}
	if u, err := (&unit.Loader{Root: root}).Load(name); err == nil {
		name = u.ID
	}
	return proof(ctx, proofLocks, root.Dir()+"\x00"+name, waits)
}

// proof locks what a text stands for, by a file whose name begins with a prefix.
func proof(ctx context.Context, prefix, what string, waits func()) (release func(), err error) {
	file := fmt.Sprintf("%s%x.lock", prefix, sha256.Sum256([]byte(what)))
	for waiting := false; ; {
		f, err := lock(file)
		switch {
		case err == nil:
			return func() { unlock(prefix, file, f) }, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			if !waiting {
				waits()
			}
			waiting = true
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("lock %s: %w", file, err)
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// unlock gives a lock back, and takes away what killed proofs have left of theirs.
func unlock(prefix, file string, f *os.File) {
	os.Remove(file)
	f.Close()
	left, _ := filepath.Glob(prefix + "*.lock")
	for _, file := range left {
		if f, err := lock(file); err == nil {
			os.Remove(file)
			f.Close()
		}
	}
}

// lock takes a lock that is taken away with its file. Whoever opened the file before that has a lock of nothing, and
// gets fs.ErrNotExist.
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
