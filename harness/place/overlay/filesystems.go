// Package overlay makes writable copies of directories and of all file systems mounted below them: overlays of which
// only what is written takes room.
//
// Call [Open] for the file systems of a root directory, or [OpenDirectory] for one directory, and then [Layer.Copy].
package overlay

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/internal/host"
)

// Layer is one file system that is copied: the image itself, or what is mounted below it.
type Layer struct {
	At     string // path inside the image, "/" for the image itself
	FSType string // as proc(5) names it; empty for the image itself

	fd      int    // O_PATH
	options string // of the mount, as mountinfo writes them
}

// madeAfresh are the directories that systemd-nspawn(1) fills itself in every container.
var madeAfresh = []string{"/dev", "/proc", "/run", "/sys", "/tmp"}

// unreal are types of file systems that hold no files of services, by proc(5) names.
var unreal = map[string]bool{
	"autofs": true, "binfmt_misc": true, "bpf": true, "cgroup": true, "cgroup2": true, "configfs": true,
	"debugfs": true,
	"devpts":  true, "devtmpfs": true, "efivarfs": true, "fusectl": true, "hugetlbfs": true, "mqueue": true,
	"nsfs": true,
	"proc": true, "pstore": true, "rpc_pipefs": true, "securityfs": true, "selinuxfs": true, "smackfs": true,
	"sysfs": true, "tracefs": true,
	"fuse": true, // answers to the user who mounted it, not to root; fuseblk is a real one
}

// Open opens the image and every real file system that is visible below it, in the order in which to mount them. The
// layers are to be closed also where it returns an error.
func Open(image string) ([]Layer, error) {
	fd, err := unix.Open(image, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: image, Err: err}
	}
	layers := []Layer{{At: "/", fd: fd}}
	base, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return layers, err
	}
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return layers, err
	}
	slices.SortStableFunc(mounts, func(a, b *mountinfo.Info) int { return strings.Compare(a.Mountpoint, b.Mountpoint) })
	for _, m := range mounts {
		at, below := inside(base, m.Mountpoint)
		if !below || !Copied(at, m.FSType) {
			continue
		}
		if fd, ok := openMount(m); ok {
			layers = append(layers, Layer{At: at, fd: fd, options: m.Options, FSType: m.FSType})
		}
	}
	return layers, nil
}

// Close closes the layer.
func (l Layer) Close() { _ = unix.Close(l.fd) }

// inside returns path as seen from base, and whether it is below it.
func inside(base, path string) (string, bool) {
	rel, err := filepath.Rel(base, path)
	if err != nil || rel == "." || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return "/" + rel, true
}

// Copied reports whether a file system of a type that is mounted at a path of a machine is part of a copy of the
// machine.
func Copied(at, fstype string) bool {
	kind, _, _ := strings.Cut(fstype, ".")
	if unreal[kind] {
		return false
	}
	return !slices.ContainsFunc(madeAfresh, func(dir string) bool { return host.Below(dir, at) })
}

// openMount opens the root of m, unless another mount hides it.
func openMount(m *mountinfo.Info) (int, bool) {
	fd, err := unix.Open(m.Mountpoint, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, false
	}
	if id, err := mountID(fd); err != nil || id != m.ID {
		_ = unix.Close(fd)
		return -1, false
	}
	return fd, true
}

// mountID reads which mount a descriptor is on from proc_pid_fdinfo(5): statx(2) tells it only since Linux 5.8.
func mountID(fd int) (int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/thread-self/fdinfo/%d", fd))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, errors.New("fdinfo has no mnt_id")
}
