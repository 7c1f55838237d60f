// Package lock keeps proofs of this machine's units apart, in whatever process they are.
//
// [Manager] keeps reloads of the machine's manager and trials on it apart. [Proof] keeps two proofs of one unit apart.
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

// managerLock keeps reloads of this machine's manager and trials on it apart: at boot several units are proven at the
// same time, each in a process of its own, and a manager that reads its units again in the middle of a trial disturbs
// it.
const managerLock = "/run/temper/trials.lock"

// A Use is what the manager is locked for.
type Use int

const (
	Trial  Use = unix.LOCK_SH // there can be several at a time
	Reload Use = unix.LOCK_EX
)

// Manager locks the manager of a place and returns how to give it back. A container belongs to one process and needs no
// lock.
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

// pause waits until it is time to try again; the error is that of ctx, if it ends first.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}
