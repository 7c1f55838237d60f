package lock

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// applyLocks is the beginning of the names of the locks of temper apply.
const applyLocks = "/run/temper-apply-"

// Apply locks the restart of a unit of this machine by temper apply until release is called, and waits while another
// process restarts that unit.
func Apply(ctx context.Context, unit string) (release func(), err error) {
	return proof(ctx, applyLocks, unit, func() {})
}

// AwaitApply waits while a process restarts a unit with temper apply, which goes back by itself where the unit fails.
// If that process is killed, the wait ends. It needs no right to write.
func AwaitApply(ctx context.Context, unit string) error {
	file := fmt.Sprintf("%s%x.lock", applyLocks, sha256.Sum256([]byte(unit)))
	for {
		f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}
