package guard

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// notes are what the guard remembers from boot to boot: for each unit the hardening under which it has started well,
// and the one that a proof has found not to be at fault. Only root writes there.
type notes struct{ dir string }

// NotesDir is where the guard keeps its notes.
const NotesDir = "/var/lib/temper"

// What is noted about a hardening, each in a directory of its own.
const (
	started = "started" // a run under it was good
	cleared = "cleared" // a proof has found that it is not at fault
)

func (n notes) file(what string, h hardening) string { return filepath.Join(n.dir, what, h.unit.ID) }

// has reports whether something is noted about just this hardening.
func (n notes) has(what string, h hardening) bool {
	data, err := os.ReadFile(n.file(what, h))
	return err == nil && string(data) == h.key()
}

// put notes something about a hardening.
func (n notes) put(what string, h hardening) error {
	if n.has(what, h) {
		return nil
	}
	file := n.file(what, h)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(file, []byte(h.key()), 0o644)
}

// lock waits until no other guard has a unit proven: after a bad upgrade many units fail at once, and a place for each
// would starve all.
func (n notes) lock(ctx context.Context) (release func(), err error) {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(n.dir, "guard.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err == unix.EWOULDBLOCK {
			err = sleep(ctx, 100*time.Millisecond)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
