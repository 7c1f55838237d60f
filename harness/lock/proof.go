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

// proofLocks is the beginning of the names of the locks of proofs. Only root can take such a lock and block proofs.
const proofLocks = "/run/temper-prove-"

// Proof locks the proof of a unit of a root until release is called, and waits while another process proves that unit,
// on the host or in a container. Otherwise a check could reach the trial of the other proof, and the stored verdict and
// trials could come from different proofs. It calls waits once, if it must wait.
func Proof(ctx context.Context, root host.Root, name string, waits func()) (release func(), err error) {
	if real, err := filepath.EvalSymlinks(cmp.Or(root.Dir(), "/")); err == nil {
		root = host.At(real)
	}
	if u, err := (&unit.Loader{Root: root}).Load(name); err == nil {
		name = u.ID
	}
	return proof(ctx, proofLocks, root.Dir()+"\x00"+name, waits)
}

// proof locks a file whose name is a prefix and the hash of a text.
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

// unlock releases a lock, and removes the lock files that killed processes have left.
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

// lock locks a file that unlock removes. If the file was removed between open and lock, the lock is worth nothing, and
// the error is fs.ErrNotExist.
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
