package cgroup_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"temper/harness/place/cgroup"
	"temper/internal/testroot"
)

// TestHierarchiesAreDirectories: systemd mounts the file memory.pressure alone into the sandbox of a service, and what
// runs there must not take it for a hierarchy.
func TestHierarchiesAreDirectories(t *testing.T) {
	testroot.NeedFor(t, "mount a file of a cgroup")
	unified, _, err := cgroup.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "memory.pressure")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	type result struct {
		all []string
		err error
	}
	got := make(chan result)
	go func() { // the thread ends with the goroutine: nothing else sees its mount
		runtime.LockOSThread()
		var r result
		defer func() { got <- r }()
		if r.err = unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); r.err != nil {
			return
		}
		if r.err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); r.err != nil {
			return
		}
		if r.err = unix.Mount(filepath.Join(unified, "cgroup.procs"), file, "", unix.MS_BIND, ""); r.err != nil {
			return
		}
		_, r.all, r.err = cgroup.Hierarchies()
	}()
	r := <-got
	if r.err != nil {
		t.Fatal(r.err)
	}
	if slices.Contains(r.all, file) {
		t.Errorf("the file %s counts as a hierarchy: %q", file, r.all)
	}
}
