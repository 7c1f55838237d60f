package namespace_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"temper/harness/place/namespace"
	"temper/internal/testroot"
)

// TestAsUser: what is made belongs to the other user, a directory that is closed to him is open, and the thread is
// root again.
func TestAsUser(t *testing.T) {
	testroot.NeedFor(t, "become another user")
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	err := namespace.AsUser(1_000_000_007, func() error { return os.WriteFile(file, nil, 0o600) })
	if err != nil {
		t.Fatal(err)
	}
	if got := owner(t, file); got != [2]uint32{1_000_000_007, 1_000_000_007} {
		t.Errorf("the file belongs to %v", got)
	}
	for range 100 { // on whatever thread
		if err := os.WriteFile(file+"2", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := owner(t, file+"2"); got != [2]uint32{} {
			t.Fatalf("a later file belongs to %v", got)
		}
		_ = os.Remove(file + "2")
	}
}

func owner(t *testing.T, name string) [2]uint32 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return [2]uint32{st.Uid, st.Gid}
}
