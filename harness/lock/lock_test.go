package lock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// soon is a context that ends before a held lock is released.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// TestManager: trials run side by side, and no reload beside a trial or another reload.
func TestManager(t *testing.T) {
	file := filepath.Join(t.TempDir(), "below", "lock")
	first, err := lockFile(t.Context(), file, Trial)
	if err != nil {
		t.Fatal(err)
	}
	second, err := lockFile(soon(t), file, Trial)
	if err != nil {
		t.Fatalf("a second trial: %v", err)
	}
	second()
	if _, err := lockFile(soon(t), file, Reload); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a reload beside a trial: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, first)
	release, err := lockFile(t.Context(), file, Reload)
	if err != nil {
		t.Fatalf("a reload after the trial: %v", err)
	}
	if _, err := lockFile(soon(t), file, Trial); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a trial beside a reload: %v", err)
	}
	release()
	if _, err := lockFile(t.Context(), filepath.Dir(file), Trial); err == nil {
		t.Error("a directory is locked")
	}
}

// TestProof: two proofs of one unit wait for each other, and say so once; those of two units do not. A released lock
// leaves no file, nor does that of a process that was killed.
func TestProof(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "prove-")
	if err := os.WriteFile(prefix+"0123.lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	waited := 0
	waits := func() { waited++ }
	release, err := proof(t.Context(), prefix, "a", waits)
	if err != nil {
		t.Fatal(err)
	}
	other, err := proof(soon(t), prefix, "b", waits)
	if err != nil || waited > 0 {
		t.Fatalf("the proof of another unit: %v, waited %d times", err, waited)
	}
	other()
	if _, err := proof(soon(t), prefix, "a", waits); !errors.Is(err, context.DeadlineExceeded) || waited != 1 {
		t.Fatalf("another proof of the unit: %v, waited %d times", err, waited)
	}
	time.AfterFunc(50*time.Millisecond, release)
	again, err := proof(t.Context(), prefix, "a", waits)
	if err != nil || waited != 2 {
		t.Fatalf("the next proof of the unit: %v, waited %d times", err, waited)
	}
	again()
	if left, _ := filepath.Glob(prefix + "*"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
