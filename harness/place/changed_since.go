package place

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"syscall"
	"time"

	"temper/harness/place/nspawn"
	"temper/harness/place/overlay"
	"temper/internal/host"
)

// ChangedSince lists the files of a container that differ from those of the copied machine: files that were made,
// removed or changed since a time, but not files to which data was only appended. It leaves out the files of systemd
// itself. On the host it lists the files that any process has made in directories that are empty after a boot.
func (p *Place) ChangedSince(since time.Time) ([]string, error) {
	var list []string
	copied := p.box.fileSystems()
	for i, at := range copied {
		upper := overlay.Upper(nspawn.Scratch(i))
		written := host.At(fmt.Sprintf("/proc/%d/root", p.box.PID()))
		if err := eachBelow(written, upper, at, func(name string, entry fs.DirEntry) {
			if owningFileSystem(copied, name) != at { // another file system is mounted over it
				return
			}
			if removedBefore(written, path.Join(upper, strings.TrimPrefix(name, at)), entry, since) {
				return
			}
			if !p.ExistedBefore(name, since) || p.changed(name, since) {
				list = append(list, name)
			}
		}); err != nil {
			return nil, err
		}
	}
	for _, at := range volatileDirectories {
		if err := eachBelow(p.root, at, at, func(name string, _ fs.DirEntry) {
			if !p.ExistedBefore(name, since) {
				list = append(list, name)
			}
		}); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// eachChanged calls f for every path at which the place may differ from the copied machine, also for one that was
// removed, and for everything in the directories that are empty after a boot. It leaves out the files of systemd
// itself.
func (p *Place) eachChanged(f func(name string)) error {
	copied := p.box.fileSystems()
	for i, at := range copied {
		written := host.At(fmt.Sprintf("/proc/%d/root", p.box.PID()))
		err := eachBelow(written, overlay.Upper(nspawn.Scratch(i)), at, func(name string, _ fs.DirEntry) {
			if owningFileSystem(copied, name) == at { // else another file system is mounted over it
				f(name)
			}
		})
		if err != nil {
			return err
		}
	}
	for _, at := range volatileDirectories {
		if err := eachBelow(p.root, at, at, func(name string, _ fs.DirEntry) { f(name) }); err != nil {
			return err
		}
	}
	return nil
}

// fileSystems are the file systems that a container is a copy of; none for the host.
func (c *container) fileSystems() []string {
	if c == nil {
		return nil
	}
	return c.FileSystems()
}

// owningFileSystem is the deepest of some mount points that a path lies below.
func owningFileSystem(mountPoints []string, name string) string {
	deepest := ""
	for _, at := range mountPoints {
		if host.Below(at, name) && len(at) > len(deepest) {
			deepest = at
		}
	}
	return deepest
}

// volatileDirectories are empty after a boot.
var volatileDirectories = []string{"/run", "/tmp", "/dev/shm", "/dev/mqueue"}

// systemdDirectories are directories to which systemd, its journal and the bus write at any time; file-hierarchy(7).
var systemdDirectories = map[string]bool{
	"/var/lib/systemd": true, "/var/log/journal": true, "/run/systemd": true, "/run/log": true, "/run/dbus": true,
	"/run/udev": true,
	"/run/host": true, "/run/credentials": true, "/run/user": true,
}

// trialDirectories matches directories that temper makes for trials, and systemd for PrivateTmp=.
var trialDirectories = regexp.MustCompile(`^/run/temper|^(/var)?/tmp/systemd-private-[^/]*$`)

// removedBefore reports whether a file of what was written to a copy stands for one of the machine that was removed
// before a time, as the boot removes old temporary files; "whiteouts" in the kernel's description of overlayfs. These
// share one file, so the time is that of the last change of the directory.
func removedBefore(written host.Root, file string, entry fs.DirEntry, since time.Time) bool {
	if entry.Type()&fs.ModeCharDevice == 0 {
		return false
	}
	info, err := written.Lstat(path.Dir(file))
	return err == nil && info.ModTime().Before(since)
}

// eachBelow calls f for everything below a directory of a root. The name that f gets is the path in the place, where
// the directory is at.
func eachBelow(root host.Root, dir, at string, f func(name string, entry fs.DirEntry)) error {
	err := root.Walk(dir, func(file string, entry fs.DirEntry) error {
		name := path.Join(at, strings.TrimPrefix(file, dir))
		if systemdDirectories[name] || trialDirectories.MatchString(name) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil // it was removed
		}
		f(name, entry)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list what has changed in the place: %w", err)
	}
	return nil
}

// changed reports whether a file differs from that of the image, apart from data that was appended.
func (p *Place) changed(name string, since time.Time) bool {
	image := host.At(p.box.Image)
	now, err := p.root.Lstat(name)
	if err != nil || !changedAt(now).After(since) {
		return false
	}
	before, err := image.Lstat(name)
	if err != nil {
		return !now.IsDir()
	}
	owner, ok := now.Sys().(*syscall.Stat_t)
	had, also := before.Sys().(*syscall.Stat_t)
	if !ok || !also || now.Mode() != before.Mode() ||
		p.IDInside(owner.Uid) != had.Uid || p.IDInside(owner.Gid) != had.Gid {
		return true
	}
	if !now.Mode().IsRegular() {
		return false
	}
	return before.Size() == 0 && now.Size() > 0 || !startsWith(p.root, image, name, before.Size())
}

func changedAt(info fs.FileInfo) time.Time {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime()
	}
	return time.Unix(int64(st.Ctim.Sec), int64(st.Ctim.Nsec))
}

// startsWith reports whether a file of one root starts with the content of the same file of another. It compares at
// most the first [maxCompared] bytes.
func startsWith(root, with host.Root, name string, size int64) bool {
	var parts [2][]byte
	for i, r := range []host.Root{root, with} {
		f, err := r.Open(name)
		if err != nil {
			return false
		}
		parts[i], err = io.ReadAll(io.LimitReader(f, min(size, maxCompared)))
		if err = errors.Join(err, f.Close()); err != nil {
			return false
		}
	}
	return bytes.Equal(parts[0], parts[1])
}

// maxCompared bounds how much of a file is compared.
const maxCompared = 4 << 20
