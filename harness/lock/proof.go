package lock

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
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
		unlock, err := (host.Root{}).TryLock(file)
		if err == nil {
			return func() { unlockProof(prefix, file, unlock) }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, err
		}
		if !waiting {
			waits()
		}
		waiting = true
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// unlockProof releases a lock, and removes the lock files that killed processes have left.
func unlockProof(prefix, file string, unlock func()) {
	os.Remove(file)
	unlock()
	left, _ := filepath.Glob(prefix + "*.lock")
	for _, file := range left {
		if unlock, err := (host.Root{}).TryLock(file); err == nil {
			os.Remove(file)
			unlock()
		}
	}
}
