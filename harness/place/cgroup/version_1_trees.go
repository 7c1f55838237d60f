package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/internal/host"
)

// Where a controller belongs to a version 1 tree that the machine has mounted nowhere, temper mounts that at ownTrees,
// and unmounts it when no container is in it any more. Each process that does either holds treeLock.
const (
	ownTrees = "/run/temper/cgroup-"
	treeLock = "/run/temper/cgroups.lock"
)

// joinTree makes a cgroup for the container to join in the version 1 tree of a controller. It returns the directory, or
// an empty one if the tree is mounted nowhere and is not to be mounted.
func (g *Group) joinTree(controller, path string, mount bool) (dir string, err error) {
	unlock, err := lockTrees()
	if err != nil {
		return "", err
	}
	defer unlock()
	tree, err := mountedTree(controller)
	if err == nil && tree == "" && mount {
		tree, err = mountTree(controller)
	}
	if err != nil || tree == "" {
		return "", err
	}
	dir = filepath.Join(tree, path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	g.Join = append(g.Join, filepath.Join(dir, "cgroup.procs"))
	return dir, nil
}

// lockTrees waits for the lock. Only root can hold it.
func lockTrees() (unlock func(), err error) {
	var machine host.Root
	if err := machine.MkdirAll(filepath.Dir(treeLock), 0o755); err != nil {
		return nil, err
	}
	return machine.Lock(context.Background(), treeLock)
}

// mountedTree is where the version 1 tree of a controller is mounted; empty if it is not.
func mountedTree(controller string) (string, error) {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return m.FSType != "cgroup" || !slices.Contains(strings.Split(m.VFSOptions, ","), controller), false
	})
	if err != nil || len(mounts) == 0 {
		return "", err
	}
	return mounts[0].Mountpoint, nil
}

// mountTree mounts the version 1 tree of a controller: a container may have its own part of one mounted nowhere.
func mountTree(controller string) (string, error) {
	dir := ownTrees + controller
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("temper", dir, "cgroup", flags, controller); err != nil {
		err = fmt.Errorf("no cgroup tree has the controller %s: %w", controller, err)
		return "", errors.Join(err, os.Remove(dir))
	}
	return dir, nil
}

// UnmountTrees unmounts the trees that temper has mounted and in which there is no cgroup.
func UnmountTrees() error {
	if own, err := mountinfo.GetMounts(isOwnTree); err != nil || len(own) == 0 {
		return err
	}
	unlock, err := lockTrees()
	if err != nil {
		return err
	}
	defer unlock()
	own, err := mountinfo.GetMounts(isOwnTree)
	errs := []error{err}
	for _, m := range own {
		if hasGroups(m.Mountpoint) {
			continue
		}
		if err := unix.Unmount(m.Mountpoint, 0); err == nil {
			errs = append(errs, os.Remove(m.Mountpoint))
		} else if !errors.Is(err, unix.EBUSY) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", m.Mountpoint, err))
		}
	}
	return errors.Join(errs...)
}

// isOwnTree selects the trees that temper has mounted.
func isOwnTree(m *mountinfo.Info) (skip, stop bool) {
	return m.FSType != "cgroup" || !strings.HasPrefix(m.Mountpoint, ownTrees), false
}

// hasGroups reports whether there is a cgroup in a tree, or whether that cannot be read.
func hasGroups(tree string) bool {
	entries, err := os.ReadDir(tree)
	return err != nil || slices.ContainsFunc(entries, os.DirEntry.IsDir)
}
