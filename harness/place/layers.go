package place

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/internal/host"
)

// layer is one file system that is copied: the image itself, or what is mounted below it.
type layer struct {
	at      string // path inside the image, "/" for the image itself
	fd      int    // O_PATH
	options string // of the mount, as mountinfo writes them
	fstype  string
}

// madeAfresh are the directories that systemd-nspawn(1) fills itself in every container.
var madeAfresh = []string{"/dev", "/proc", "/run", "/sys", "/tmp"}

// unreal are types of file systems that hold no files of services, by proc(5) names.
var unreal = map[string]bool{
	"autofs": true, "binfmt_misc": true, "bpf": true, "cgroup": true, "cgroup2": true, "configfs": true, "debugfs": true,
	"devpts": true, "devtmpfs": true, "efivarfs": true, "fusectl": true, "hugetlbfs": true, "mqueue": true, "nsfs": true,
	"proc": true, "pstore": true, "rpc_pipefs": true, "securityfs": true, "selinuxfs": true, "smackfs": true,
	"sysfs": true, "tracefs": true,
	"fuse": true, // answers to the user who mounted it, not to root; fuseblk is a real one
}

// openLayers opens the image and every real file system that is visible below it, in the order to mount them.
func openLayers(image string) ([]layer, error) {
	fd, err := unix.Open(image, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: image, Err: err}
	}
	layers := []layer{{at: "/", fd: fd}}
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
		if !below || !wanted(at, m.FSType) {
			continue
		}
		if fd, ok := openMount(m); ok {
			layers = append(layers, layer{at: at, fd: fd, options: m.Options, fstype: m.FSType})
		}
	}
	return layers, nil
}

// inside returns path as seen from base, and whether it is below it.
func inside(base, path string) (string, bool) {
	rel, err := filepath.Rel(base, path)
	if err != nil || rel == "." || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return "/" + rel, true
}

func wanted(at, fstype string) bool {
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

// mountFlags are the options of a mount that its copy keeps.
var mountFlags = map[string]int{
	"ro":     unix.MOUNT_ATTR_RDONLY,
	"nosuid": unix.MOUNT_ATTR_NOSUID,
	"nodev":  unix.MOUNT_ATTR_NODEV,
	"noexec": unix.MOUNT_ATTR_NOEXEC,
}

func (l layer) attributes() int {
	attr := 0
	for option := range strings.SplitSeq(l.options, ",") {
		attr |= mountFlags[option]
	}
	return attr
}

// overlay mounts a writable copy of the layer at target, a path, or over the layer itself if that is "". What is written goes
// to the new directory scratch.
//
// The lower directory is named by its descriptor, so that no character of its path means anything to the option parser.
// redirect_dir lets services rename directories of the lower tree, as they can on the machine (systemd does so for the
// state directory of a DynamicUser= service), and metacopy lets it chown a large tree without copying its content.
func (l layer) overlay(scratch, target string) error {
	upper, work := filepath.Join(scratch, "upper"), filepath.Join(scratch, "work")
	if err := errors.Join(os.MkdirAll(upper, 0o755), os.MkdirAll(work, 0o755), l.dress(upper)); err != nil {
		return err
	}
	return mountNew("overlay", l.fd, target, l.attributes(), [][2]string{
		{"source", "temper"},
		{"lowerdir", fmt.Sprintf("/proc/self/fd/%d", l.fd)},
		{"upperdir", upper},
		{"workdir", work},
		{"redirect_dir", "on"},
		{"metacopy", "on"},
	})
}

// dress gives dir the owner and mode of the layer's root, which the overlay takes from its upper directory.
func (l layer) dress(dir string) error {
	var st unix.Stat_t
	if err := unix.Fstat(l.fd, &st); err != nil {
		return err
	}
	return errors.Join(os.Chown(dir, int(st.Uid), int(st.Gid)), unix.Chmod(dir, st.Mode&0o7777))
}

// mountNew mounts a file system at a path, or over the directory that is open as dir if that is "", by fsopen(2), which takes
// every value whole and tells in words what it does not like.
func mountNew(fstype string, dir int, target string, attributes int, options [][2]string) error {
	fs, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("fsopen %s: %w", fstype, err)
	}
	defer unix.Close(fs)
	for _, o := range options {
		if err := unix.FsconfigSetString(fs, o[0], o[1]); err != nil {
			return fmt.Errorf("%s: option %s=%s: %w%s", fstype, o[0], o[1], err, complaint(fs))
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return fmt.Errorf("mount %s: %w%s", fstype, err, complaint(fs))
	}
	mnt, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attributes)
	if err != nil {
		return fmt.Errorf("mount %s: %w%s", fstype, err, complaint(fs))
	}
	defer unix.Close(mnt)
	flags := unix.MOVE_MOUNT_F_EMPTY_PATH
	if target == "" {
		flags |= unix.MOVE_MOUNT_T_EMPTY_PATH
	}
	if err := unix.MoveMount(mnt, "", dir, target, flags); err != nil {
		return fmt.Errorf("mount %s at %s: %w", fstype, target, err)
	}
	return nil
}

// complaint reads the errors that the kernel has put down for this mount, as " (text; text)".
func complaint(fs int) string {
	var said []string
	buf := make([]byte, 1024)
	for {
		n, err := unix.Read(fs, buf)
		if err != nil || n <= 0 {
			break
		}
		if text, ok := bytes.CutPrefix(buf[:n], []byte("e ")); ok {
			said = append(said, string(bytes.TrimSpace(text)))
		}
	}
	if said == nil {
		return ""
	}
	return " (" + strings.Join(said, "; ") + ")"
}

// copyFile copies a layer that is a single file, as container engines mount over /etc/hosts, to target.
func (l layer) copyFile(target string) error {
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
	_, err = io.Copy(to, io.LimitReader(from, maxCopied))
	return errors.Join(err, to.Close())
}

const maxCopied = 4 << 20
