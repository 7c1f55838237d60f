package cgroup

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"temper/internal/testroot"
)

// TestUnmountTrees: a tree that temper has mounted is unmounted with the last cgroup in it, and not before.
func TestUnmountTrees(t *testing.T) {
	testroot.NeedFor(t, "mount a cgroup tree")
	got := make(chan string)
	go func() { // the thread ends with the goroutine: nothing else sees its mounts
		runtime.LockOSThread()
		got <- unmountsLast()
	}()
	if wrong := <-got; wrong != "" {
		t.Error(wrong)
	}
}

func unmountsLast() (wrong string) {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return err.Error()
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err.Error()
	}
	name := fmt.Sprintf("name=temper-test-%d", os.Getpid())
	g := &Group{}
	if dir, err := g.joinTree(name, "a", false); dir != "" || err != nil {
		return fmt.Sprintf("a tree that is not mounted: %q, %v", dir, err)
	}
	if _, err := mountTree("none," + name); err != nil {
		return err.Error()
	}
	group, err := g.joinTree(name, "a", true)
	if err != nil || len(g.Join) != 1 {
		return fmt.Sprintf("%q, %v", g.Join, err)
	}
	if err := UnmountTrees(); err != nil {
		return err.Error()
	}
	if _, err := os.Stat(g.Join[0]); err != nil {
		return "unmounted with a cgroup in it: " + err.Error()
	}
	if err := unix.Rmdir(group); err != nil {
		return err.Error()
	}
	if err := UnmountTrees(); err != nil {
		return err.Error()
	}
	if tree, err := mountedTree(name); tree != "" || err != nil {
		return fmt.Sprintf("still mounted at %s: %v", tree, err)
	}
	if _, err := os.Lstat(ownTrees + "none," + name); err == nil {
		return "the mount point is left"
	}
	if err := setLimit(os.TempDir(), "temper-no-cgroup", "1", "", ""); err == nil {
		return "a limit was written to no cgroup"
	}
	return ""
}
