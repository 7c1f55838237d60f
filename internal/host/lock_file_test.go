package host_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/host"
)

// TestLock: whoever waits for a lock stops waiting with his context, also where another process only shares it.
func TestLock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	var machine host.Root
	first, err := machine.LockShared(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	second, err := machine.LockShared(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	second()
	if _, err := machine.TryLock(file); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("what is shared is locked: %v", err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := machine.Lock(soon, file); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the wait ends with %v", err)
	}
	time.AfterFunc(50*time.Millisecond, first)
	unlock, err := machine.Lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can open the lock: %v, %v", info.Mode(), err)
	}
}

// TestLockFollowsNoLink: a link in the place of a lock makes no file elsewhere.
func TestLockFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	elsewhere, file := filepath.Join(dir, "elsewhere"), filepath.Join(dir, "lock")
	if err := os.Symlink(elsewhere, file); err != nil {
		t.Fatal(err)
	}
	if _, err := (host.Root{}).TryLock(file); !errors.Is(err, unix.ELOOP) {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Lstat(elsewhere); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what the link leads to: %v", err)
	}
}
