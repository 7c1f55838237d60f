package renew

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBusy(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if busy([]string{name, "/nowhere"}) {
		t.Error("an unlocked file counts as locked")
	}
	// An open file description has its lock whoever asks; that of a process is not in the way of the process itself.
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		t.Fatal(err)
	}
	if !busy([]string{name}) {
		t.Error("a locked file counts as unlocked")
	}
}
