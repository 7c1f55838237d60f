package hostcopy_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place/hostcopy"
	"temper/internal/testroot"
)

// TestMadeDirectoryIsRemoved: a directory that was made for a copy is removed from the original, also where the copy is
// unmounted early, as systemd does before another service starts, and another process waits to cover what is above it.
func TestMadeDirectoryIsRemoved(t *testing.T) {
	testroot.NeedFor(t, "mount copies")
	data, err := os.MkdirTemp("/var/lib", "temper-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(data)
	sub := data + "/sub"
	below := cover(t, t.Context(), sub)
	if err := unix.Unmount(sub, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	early, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	above, err := hostcopy.Cover(early, os.Getpid(), hostcopy.Directories{Over: []string{data}})
	if err == nil {
		defer remove(t, above)
	}
	if err == nil || !strings.Contains(err.Error(), "another proof") {
		t.Errorf("%s does not wait for what was made in it: %v", data, err)
	}
	remove(t, below)
	remove(t, cover(t, t.Context(), data))
	if _, err := os.Lstat(sub); err == nil {
		t.Errorf("%s was made and is left", sub)
	}
}

func cover(t *testing.T, ctx context.Context, dir string) *hostcopy.Copies {
	t.Helper()
	dirs := []string{dir}
	copies, err := hostcopy.Cover(ctx, os.Getpid(), hostcopy.Directories{Over: dirs, Make: dirs})
	if err != nil {
		t.Fatal(err)
	}
	return copies
}

func remove(t *testing.T, copies *hostcopy.Copies) {
	t.Helper()
	if err := copies.Remove(); err != nil {
		t.Error(err)
	}
}
