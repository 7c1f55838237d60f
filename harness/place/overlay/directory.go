package overlay

import (
	"errors"
	"path"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// ErrMountPoint says that a directory is a mount point.
var ErrMountPoint = errors.New("it is a file system of its own, which trials on the host cannot spare")

// OpenDirectory opens a directory that is not a mount point and to which no link leads.
func OpenDirectory(dir string) (Layer, error) {
	fd, err := openWithoutLinks(dir)
	if err != nil {
		return Layer{}, err
	}
	l := Layer{At: dir, fd: fd}
	id, err := mountID(fd)
	mounts, mountsErr := mountinfo.GetMounts(nil)
	if err := errors.Join(err, mountsErr); err != nil {
		l.Close()
		return l, err
	}
	for _, m := range mounts {
		if m.Mountpoint == dir {
			_ = unix.Close(fd)
			return l, ErrMountPoint
		}
		if m.ID == id {
			l.options, l.FSType = m.Options, m.FSType
		}
	}
	return l, nil
}

// openWithoutLinks opens a directory to which no link leads, part by part: RestrictSUIDSGID= forbids openat2(2).
func openWithoutLinks(dir string) (int, error) {
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

// Has reports whether a path at or below the directory exists there, whatever is mounted over the directory since.
func (l Layer) Has(name string) bool {
	var st unix.Stat_t
	rest := path.Join(".", strings.TrimPrefix(name, l.At))
	return unix.Fstatat(l.fd, rest, &st, unix.AT_SYMLINK_NOFOLLOW) == nil
}
