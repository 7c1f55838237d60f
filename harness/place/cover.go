package place

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

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/internal/hint"
	"temper/internal/host"
)

// Copies say over which directories [Place.Cover] mounts copies.
type Copies struct {
	Over  []string // directories; no link may be on the way to one
	Make  []string // those of them that are made before, if they are not there; they go again
	Links []string // what systemd makes to lead to them, and goes again if it is not there now
}

// Cover mounts writable copies, in memory, over directories of the host, so that trials write nothing into the originals,
// and returns how to take them away. A container is thrown away whole and needs no cover. What a killed process leaves,
// [Sweep] takes away, or the next boot.
//
// Directories that are covered already, or are above or below one that is, are waited for until ctx ends; those in which a process has
// a file open, or is at home, are refused: what it writes would be lost.
func (p *Place) Cover(ctx context.Context, o Copies) (uncover func() error, err error) {
	if p.box != nil || len(o.Over) == 0 {
		return func() error { return nil }, nil
	}
	name, err := OwnName("temper-cover", strings.ToLower(rand.Text()[:8]))
	if err != nil {
		return nil, err
	}
	c := &cover{scratch: "/run/" + name}
	uncover = sync.OnceValue(func() error { p.originals.forget(c.originals); return inMounts(p.leader, c.remove) })
	for {
		err = inMounts(p.leader, func() error { return c.alone(o) })
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
		return nil, errors.Join(err, uncover())
	}
	p.originals.add(c.originals)
	return uncover, nil
}

// errCovered says that another proof has covered a directory.
var errCovered = errors.New("another proof keeps it")

// alone puts copies over directories while no other process does.
func (c *cover) alone(o Copies) error {
	lock, err := os.OpenFile("/run/temper-cover.lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	for _, dir := range o.Over {
		if err := free(dir); err != nil {
			return fmt.Errorf("keep what is in %s: %w", dir, err)
		}
	}
	return c.put(o)
}

// free reports, by an error, that a directory is covered already or that somebody may write into it.
func free(dir string) error {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		if m.Mountpoint == "/" { // that of a container; no copy is mounted there
			return true, false
		}
		return m.Source != "temper" || m.FSType != "overlay" || !host.Below(dir, m.Mountpoint) && !host.Below(m.Mountpoint, dir), false
	})
	switch {
	case err != nil:
		return err
	case len(mounts) > 0:
		return errCovered
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	homes, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range slices.Concat(links, homes) {
		if target, err := os.Readlink(link); err == nil && host.Below(dir, target) {
			pid := strings.Split(link, "/")[2]
			name, _ := os.ReadFile("/proc/" + pid + "/comm")
			return hint.With(fmt.Errorf("process %s (%s) uses it", pid, strings.TrimSpace(string(name))), "temper prove --place container")
		}
	}
	return nil
}

// A cover is what [Place.Cover] has done. What it holds is in the file named record in scratch, for [Sweep].
type cover struct {
	scratch string   // a directory of /run, on which a file system for the copies is mounted
	Dirs    []string // that are covered
	Made    []string // that were not there

	originals []layer // what is below the copies
}

// put makes what is not there and covers what is.
func (c *cover) put(o Copies) error {
	err := os.Mkdir(c.scratch, 0o700)
	if err == nil {
		err = mountNew("tmpfs", unix.AT_FDCWD, c.scratch, unix.MOUNT_ATTR_NODEV, [][2]string{{"source", "temper"}, {"mode", "0700"}})
	}
	for _, name := range slices.Concat(o.Links, o.Make) {
		for at := name; missing(at); at = path.Dir(at) {
			c.Made = append(c.Made, at)
		}
	}
	slices.Sort(c.Made)
	c.Made = slices.Compact(c.Made)
	slices.Reverse(c.Made) // what is below goes first
	if err == nil {
		err = c.note()
	}
	for _, dir := range o.Make {
		if err == nil {
			err = os.MkdirAll(dir, 0o755)
		}
	}
	for i, dir := range o.Over {
		if err == nil {
			err = c.over(dir, filepath.Join(c.scratch, fmt.Sprint(i)))
		}
	}
	return err
}

// note writes the record.
func (c *cover) note() error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.scratch, record), data, 0o600)
}

func missing(name string) bool {
	_, err := os.Lstat(name)
	return errors.Is(err, fs.ErrNotExist)
}

const record = "record"

// over covers a directory.
func (c *cover) over(dir, scratch string) error {
	l, err := coverable(dir)
	if err == nil {
		c.originals = append(c.originals, l)
		c.Dirs = append(c.Dirs, dir)
		err = c.note()
	}
	if err == nil {
		err = l.overlay(scratch, "")
	}
	if err != nil {
		return fmt.Errorf("keep what is in %s: %w", dir, err)
	}
	return nil
}

// coverable opens a directory that can be covered: one on which nothing else is mounted, and to which no link leads.
func coverable(dir string) (layer, error) {
	fd, err := openReal(dir)
	if err != nil {
		return layer{}, err
	}
	l := layer{at: dir, fd: fd}
	id, err := mountID(fd)
	mounts, mountsErr := mountinfo.GetMounts(nil)
	if err := errors.Join(err, mountsErr); err != nil {
		_ = unix.Close(fd)
		return l, err
	}
	for _, m := range mounts {
		if m.Mountpoint == dir {
			_ = unix.Close(fd)
			return l, hint.With(errors.New("it is a file system of its own, which trials on the host cannot spare"), "temper prove --place container")
		}
		if m.ID == id {
			l.options, l.fstype = m.Options, m.FSType
		}
	}
	return l, nil
}

// openReal opens a directory to which no link leads, step by step: openat2(2) is refused where RestrictSUIDSGID= holds.
func openReal(dir string) (int, error) {
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Open("/", flags, 0)
	for part := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if err != nil {
			break
		}
		above := fd
		fd, err = unix.Openat(above, part, flags, 0)
		_ = unix.Close(above)
	}
	return fd, err
}

// remove takes the copies away. What is gone already, or was never there, is no error.
func (c *cover) remove() error {
	errs := []error{}
	for _, dir := range c.Dirs {
		errs = append(errs, unmount(dir))
	}
	for _, dir := range c.Made {
		if err := os.Remove(dir); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, unmount(c.scratch))
	if err := os.Remove(c.scratch); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// unmount takes away what this package has mounted at a path.
func unmount(dir string) error {
	mounts, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(dir))
	if err != nil || len(mounts) == 0 || mounts[0].Source != "temper" {
		return err
	}
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return nil
}

// sweepCovers takes away what dead processes have covered.
func sweepCovers() error {
	return sweepDir("/run", func(path string) error {
		if !strings.HasPrefix(filepath.Base(path), "temper-cover-") {
			return nil
		}
		return inMounts(1, func() error {
			c := &cover{}
			if data, err := os.ReadFile(filepath.Join(path, record)); err == nil {
				if err := json.Unmarshal(data, c); err != nil {
					return fmt.Errorf("%s: %w", filepath.Join(path, record), err)
				}
			}
			c.scratch = path
			return c.remove()
		})
	})
}

// inMounts calls f among the mounts of another process. What f needs of this process's own must be open before.
func inMounts(pid int, f func() error) error {
	done := make(chan error, 1)
	onOwnThread(func() { done <- joinMounts(pid, f) })
	return <-done
}

func joinMounts(pid int, f func() error) error {
	name := fmt.Sprintf("/proc/%d/ns/mnt", pid)
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Setns(fd, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter the mounts of process %d: %w", pid, err)
	}
	return f()
}
