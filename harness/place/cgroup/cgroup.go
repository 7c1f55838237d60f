// Package cgroup makes the cgroup in which one container runs, and removes it with every process in it.
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/internal/hint"
	"temper/internal/systemd"
)

// Group is a cgroup.
type Group struct {
	dir  string       // in cgroup2
	fd   int          // of dir; -1 before it is open
	hold *placeholder // keeps a scope until the container is in it; nil without a scope

	// Join are files to which the id of the container's first process must be written, so that limits of version 1
	// trees hold.
	Join    []string
	limited []limited
}

// FD is open for the directory of the cgroup.
func (g *Group) FD() int { return g.fd }

// Hierarchies returns the mount points of every cgroup tree, and that of cgroup2, the first of them. A machine of the
// hybrid kind has version 1 trees too, in one of which systemd-nspawn makes the same directory again.
func Hierarchies() (unified string, all []string, err error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2", "cgroup"))
	if err != nil {
		return "", nil, err
	}
	for _, m := range mounts {
		// systemd mounts single files, such as memory.pressure, into the sandbox of a service.
		if info, err := os.Stat(m.Mountpoint); err != nil || !info.IsDir() {
			continue
		}
		if m.FSType == "cgroup2" && unified == "" {
			unified = m.Mountpoint
			continue
		}
		all = append(all, m.Mountpoint)
	}
	if unified == "" {
		return "", nil, hint.With(errors.New("no cgroup2 file system is mounted"),
			"mount -t cgroup2 none /sys/fs/cgroup/unified")
	}
	return unified, append([]string{unified}, all...), nil
}

// New makes the cgroup with limits: a scope of the machine's systemd, or a directory where another program is PID 1.
// Its error wraps [ErrNoLimits] where the limits cannot be set.
func New(ctx context.Context, name string, l Limits) (*Group, error) {
	unified, _, err := Hierarchies()
	if err != nil {
		return nil, err
	}
	g := &Group{dir: filepath.Join(unified, name), fd: -1}
	if systemd.Booted() {
		g.dir, g.hold, err = newScope(ctx, unified, name, l)
	} else {
		err = hint.IfUnprivileged(os.Mkdir(g.dir, 0o755))
	}
	if err != nil {
		return nil, err
	}
	g.fd, err = unix.Open(g.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = g.setLimits(l, unified)
	}
	if err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// Occupied tells the group that a process is in it, or that none will come.
func (g *Group) Occupied() {
	if g.hold != nil {
		g.hold.release()
		g.hold = nil
	}
}

// Remove clears the cgroup, which must have no processes but dying ones, from every hierarchy.
func (g *Group) Remove() error {
	g.Occupied()
	if g.fd >= 0 {
		_ = unix.Close(g.fd)
	}
	unified, all, err := Hierarchies()
	if err != nil {
		return err
	}
	path, err := filepath.Rel(unified, g.dir)
	for _, top := range all {
		err = errors.Join(err, RemoveDir(context.Background(), filepath.Join(top, path)))
	}
	return errors.Join(err, UnmountTrees())
}

const (
	removeWithin = 5 * time.Second
	retryEvery   = 5 * time.Millisecond
)

// RemoveDir kills what is left in the cgroup at dir and removes it with all below it. A cgroup that does not exist is
// no error.
func RemoveDir(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, removeWithin)
	defer cancel()
	if strings.HasSuffix(dir, ".scope") {
		if err := stopScope(ctx, dir); err != nil {
			return err
		}
	}
	for {
		err := removeTree(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		killGroup(dir)
		select {
		case <-ctx.Done():
			return fmt.Errorf("remove cgroup: %w", err)
		case <-time.After(retryEvery):
		}
	}
}

// killGroup kills the processes of a cgroup and of all below it, one by one where the kernel does not do it (version 1
// trees, and Linux before 5.14). Those that have gone already are as good.
func killGroup(dir string) {
	if os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0) == nil {
		return
	}
	for _, pid := range pidsBelow(dir) {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// removeTree removes a tree of directories from the leaves up; the files of a cgroup go with it.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return unix.Rmdir(dir)
}
