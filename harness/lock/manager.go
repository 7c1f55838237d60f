// Package lock prevents that proofs in several processes disturb each other.
//
// [Manager] prevents reloads of the machine's manager during trials on the host. [Proof] prevents two proofs of one
// unit at the same time.
package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place"
)

// managerLock is locked during reloads of this machine's manager and during trials on the host: at boot several
// processes prove units at the same time, and a reload in the middle of a trial disturbs it.
const managerLock = "/run/temper/trials.lock"

// A Use says for what the manager is locked.
type Use int

const (
	Trial  Use = unix.LOCK_SH // several at a time
	Reload Use = unix.LOCK_EX
)

// Manager locks the manager of a place until release is called. A container belongs to one process and needs no lock.
func Manager(ctx context.Context, where *place.Place, use Use) (release func(), err error) {
	if where.Kind() != "host" {
		return func() {}, nil
	}
	return lockFile(ctx, managerLock, use)
}

func lockFile(ctx context.Context, file string, use Use) (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), int(use)|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("lock %s: %w", file, err)
		} else {
			err = pause(ctx)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
}

// pause waits before the next attempt, or until ctx ends, which is an error.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}
