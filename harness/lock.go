package harness

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place"
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
