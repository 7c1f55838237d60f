package guard

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"temper/internal/host"
)

// notes are what the guard remembers across boots: for each unit, the hardening that had a good run, and the hardening
// that a proof has found not to be at fault. Only root can write to their directory.
type notes struct{ dir string }

// NotesDir is the directory of the guard's notes.
const NotesDir = "/var/lib/temper"

// The kinds of notes. Each kind has its own directory.
const (
	started = "started" // the hardening had a good run
	cleared = "cleared" // a proof has found that the hardening is not at fault
)

func (n notes) file(what string, h hardening) string { return filepath.Join(n.dir, what, h.unit.ID) }

// has reports whether there is a note of a kind about exactly this hardening. The error says that this is not known.
func (n notes) has(what string, h hardening) (bool, error) {
	data, err := os.ReadFile(n.file(what, h))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && string(data) == h.key(), err
}

// put writes a note about a hardening. It replaces one that cannot be read.
func (n notes) put(what string, h hardening) error {
	if noted, _ := n.has(what, h); noted {
		return nil
	}
	file := n.file(what, h)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(file, []byte(h.key()), 0o644)
}

// lock waits until no other guard runs a proof: after a bad upgrade many units fail at once, and too many places at the
// same time would overload the machine.
func (n notes) lock(ctx context.Context) (release func(), err error) {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return nil, err
	}
	return host.Root{}.Lock(ctx, filepath.Join(n.dir, "guard.lock"))
}

// sleep waits for a duration, or until ctx ends, which is an error.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
