package overlay

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mountFlags are the options of a mount that its copy keeps.
var mountFlags = map[string]int{
	"ro":     unix.MOUNT_ATTR_RDONLY,
	"nosuid": unix.MOUNT_ATTR_NOSUID,
	"nodev":  unix.MOUNT_ATTR_NODEV,
	"noexec": unix.MOUNT_ATTR_NOEXEC,
}

func (l Layer) attributes() int {
	attr := 0
	for option := range strings.SplitSeq(l.options, ",") {
		attr |= mountFlags[option]
	}
	return attr
}

// Copy mounts a writable copy of a layer of [Open] at its place below merged. What is written goes to the new directory
// scratch. A layer that is a single file is copied. The files belong to the users u.
func (l Layer) Copy(u Users, scratch, merged string) error {
	var st unix.Stat_t
	if err := unix.Fstat(l.fd, &st); err != nil {
		return err
	}
	target := filepath.Join(merged, l.At)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return l.copyFor(u, scratch, target)
	case unix.S_IFREG:
		if err := l.copyFile(target); err != nil || !u.Private() {
			return err
		}
		return changeOwner(target, &st, u.Range)
	}
	return errors.New("neither a directory nor a regular file")
}

// Cover mounts a writable copy of a directory over the directory itself. What is written goes to the new directory
// scratch.
func (l Layer) Cover(scratch string) error { return l.mount(scratch, "") }

// mount mounts the overlay at target, a path, or over the layer itself if that is "".
//
// The lower directory is named by its descriptor, so that no character of its path means anything to the option parser.
// redirect_dir lets services rename directories of the lower tree, as they can on the machine (systemd does so for the
// state directory of a DynamicUser= service), and metacopy lets it chown a large tree without copying its content.
func (l Layer) mount(scratch, target string) error {
	upper, work := Upper(scratch), filepath.Join(scratch, "work")
	err := errors.Join(os.MkdirAll(upper, 0o755), os.MkdirAll(work, 0o755), copyOwnerAndMode(l.fd, upper))
	if err != nil {
		return err
	}
	return Mount("overlay", l.fd, target, l.attributes(), [][2]string{
		{"source", Source},
		{"lowerdir", fmt.Sprintf("/proc/self/fd/%d", l.fd)},
		{"upperdir", upper},
		{"workdir", work},
		{"redirect_dir", "on"},
		{"metacopy", "on"},
	})
}

// Source is what mountinfo names as the source of each copy.
const Source = "temper"

// Upper is the directory in which an overlay keeps what is written to the copy whose scratch directory is given.
func Upper(scratch string) string { return filepath.Join(scratch, "upper") }

// copyOwnerAndMode gives dir those of the directory open as fd: an overlay takes them from its upper directory.
func copyOwnerAndMode(fd int, dir string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	return errors.Join(os.Chown(dir, int(st.Uid), int(st.Gid)), unix.Chmod(dir, st.Mode&0o7777))
}

// copyFile copies a layer that is a single file to target: container engines mount such files over /etc/hosts.
func (l Layer) copyFile(target string) error {
	from, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", l.fd))
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.LimitReader(from, maxFile))
	return errors.Join(err, to.Close())
}

// maxFile bounds the copy of a single file.
const maxFile = 4 << 20
