package renew

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBusy: a lock for writing, which only those may take who may write the file, means that packages change. A lock
// for reading, which every user can hold for ever on a file that all may read, means nothing.
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
	reader, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	read := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(reader.Fd(), unix.F_OFD_SETLK, &read); err != nil {
		t.Fatal(err)
	}
	if busy([]string{name}) {
		t.Error("a reader holds up proofs")
	}
	reader.Close()
	// A lock of an open file description conflicts also within this process, a lock of the process would not.
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		t.Fatal(err)
	}
	if !busy([]string{name}) {
		t.Error("a locked file counts as unlocked")
	}
}
