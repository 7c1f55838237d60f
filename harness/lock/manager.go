// Package lock prevents that proofs in several processes disturb each other.
//
// [Manager] prevents reloads of the machine's manager during trials on the host. [Proof] prevents two proofs of one
// unit at the same time.
package lock

import (
	"context"
	"path"
	"time"

	"temper/harness/place"
	"temper/internal/host"
)

// managerLock is locked during reloads of this machine's manager and during trials on the host: at boot several
// processes prove units at the same time, and a reload in the middle of a trial disturbs it.
const managerLock = "/run/temper/trials.lock"

// A Use says for what the manager is locked.
type Use int

const (
	Trial  Use = iota // several at a time
	Reload            // alone
)

// Manager locks the manager of a place until release is called. A container belongs to one process and needs no lock.
func Manager(ctx context.Context, where *place.Place, use Use) (release func(), err error) {
	if where.Kind() != "host" {
		return func() {}, nil
	}
	return lockFile(ctx, managerLock, use)
}

func lockFile(ctx context.Context, file string, use Use) (release func(), err error) {
	var machine host.Root
	if err := machine.MkdirAll(path.Dir(file), 0o755); err != nil {
		return nil, err
	}
	if use == Trial {
		return machine.LockShared(ctx, file)
	}
	return machine.Lock(ctx, file)
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
