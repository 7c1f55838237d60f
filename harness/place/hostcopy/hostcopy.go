// Package hostcopy mounts writable copies, in memory, over directories of the running machine, so that trials on it
// write nothing into the originals.
//
// Call [Cover]; what a killed process leaves, [RemoveLeftovers] takes away, or the next boot.
package hostcopy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place/namespace"
	"temper/harness/place/overlay"
	"temper/harness/place/owner"
	"temper/internal/hint"
	"temper/internal/host"
)

// Directories are what [Cover] mounts copies over.
type Directories struct {
	Over  []string // directories; no link may be on the way to one
	Make  []string // those of them that are made first if they do not exist, and removed at the end
	Links []string // links to them that systemd makes; one that does not exist before is removed at the end
}

// Copies are the copies over some directories.
type Copies struct {
	record
	scratch string // a directory of /run, on which the file system for the copies is mounted
	pid     int    // whose mounts they are among

	mu        sync.Mutex
	originals []overlay.Layer // the directories below the copies; nil after Remove
}

// A record says what [RemoveLeftovers] must take away. It is a file in the scratch directory.
type record struct {
	Dirs []string // over which there are copies
	Made []string // that did not exist before, in the order in which to remove them
}

const recordName = "record"

// Cover mounts copies over directories, among the mounts of a process.
//
// Directories over which another process has copies, or that are above or below such, are waited for until ctx ends. A
// directory in which a process has a file open, or its working directory, is refused: what it writes would be lost.
func Cover(ctx context.Context, pid int, d Directories) (*Copies, error) {
	name, err := owner.Name("temper-cover", strings.ToLower(rand.Text()[:8]))
	if err != nil {
		return nil, err
	}
	c := &Copies{scratch: "/run/" + name, pid: pid}
	for {
		err = namespace.InMounts(pid, func() error { return c.mountLocked(ctx, d) })
		if !errors.Is(err, errCovered) {
			break
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.Remove())
	}
	return c, nil
}

// Remove takes the copies away. It can be called again.
func (c *Copies) Remove() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.originals {
		l.Close()
	}
	c.originals = nil
	return namespace.InMounts(c.pid, c.unmountAll)
}

// Original reports whether a path exists in the directories below the copies. Known is false for a path that is in none
// of them.
func (c *Copies) Original(name string) (exists, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.originals {
		if host.Below(l.At, name) {
			return l.Has(name), true
		}
	}
	return false, false
}

// errCovered says that another process has mounted copies over a directory.
var errCovered = errors.New("another proof keeps it")

// mountLocked mounts the copies while no other process mounts any.
func (c *Copies) mountLocked(ctx context.Context, d Directories) error {
	unlock, err := host.Root{}.Lock(ctx, "/run/temper-cover.lock")
	if err != nil {
		return err
	}
	defer unlock()
	for _, dir := range d.Over {
		if err := unused(dir); err != nil {
			return fmt.Errorf("keep what is in %s: %w", dir, err)
		}
	}
	return c.mountAll(d)
}

// mountAll makes what does not exist and mounts a copy over each directory. The record is written before each step, so
// that a step that is not finished can be undone.
func (c *Copies) mountAll(d Directories) error {
	if err := os.Mkdir(c.scratch, 0o700); err != nil {
		return err
	}
	options := [][2]string{{"source", overlay.Source}, {"mode", "0700"}}
	if err := overlay.Mount("tmpfs", unix.AT_FDCWD, c.scratch, unix.MOUNT_ATTR_NODEV, options); err != nil {
		return err
	}
	c.Made = missing(slices.Concat(d.Links, d.Make))
	if err := c.writeRecord(); err != nil {
		return err
	}
	for _, dir := range d.Make {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for i, dir := range d.Over {
		if err := c.mount(dir, filepath.Join(c.scratch, fmt.Sprint(i))); err != nil {
			return fmt.Errorf("keep what is in %s: %w", dir, err)
		}
	}
	return nil
}

// missing lists those of some paths, and of the directories above them, that do not exist; what is below comes first.
func missing(names []string) []string {
	var list []string
	for _, name := range names {
		for ; !exists(name); name = path.Dir(name) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	slices.Reverse(list)
	return list
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

func (c *Copies) writeRecord() error {
	data, err := json.Marshal(c.record)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.scratch, recordName), data, 0o600)
}

// mount mounts a copy over one directory.
func (c *Copies) mount(dir, scratch string) error {
	l, err := overlay.OpenDirectory(dir)
	if errors.Is(err, overlay.ErrMountPoint) {
		return hint.With(err, "temper prove --place container")
	}
	if err != nil {
		return err
	}
	c.originals = append(c.originals, l)
	c.Dirs = append(c.Dirs, dir)
	if err := c.writeRecord(); err != nil {
		return err
	}
	return l.Cover(scratch)
}
