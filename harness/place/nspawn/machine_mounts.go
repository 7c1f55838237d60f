package nspawn

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"temper/harness/place/cgroup"
	"temper/harness/place/overlay"
	"temper/harness/place/users"
	"temper/internal/hint"
)

// What systemd-nspawn sees of the machine.

// separate moves the thread to its own mount namespace.
func separate() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return hint.IfUnprivileged(fmt.Errorf("make a mount namespace: %w", err))
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	return nil
}

// sealMachine makes all file systems of the machine read-only for this thread and what it starts, cgroups excepted:
// what systemd-nspawn should lock, note or bind into the container of the machine's own files, it cannot change.
func sealMachine() error {
	err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if errors.Is(err, unix.ENOSYS) {
		return nil // Linux before 5.12: nothing is known to write there, this is a second line
	}
	if err != nil {
		return fmt.Errorf("make mounts read-only: %w", err)
	}
	unified, trees, err := cgroup.Hierarchies()
	if err != nil {
		return err
	}
	for _, tree := range trees {
		err := unix.MountSetattr(unix.AT_FDCWD, tree, 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
		if err != nil && tree == unified { // of the others systemd-nspawn needs at most one, and says so
			return fmt.Errorf("make %s writable again: %w", tree, err)
		}
	}
	return nil
}

// mountMachine mounts what systemd-nspawn needs of the machine where it runs as the root of other users. In their
// namespace it can mount proc(5) and sysfs(5) only where it sees all of them, with the same options, and it makes no
// device nodes: it binds those that there are, which belong to the container.
func mountMachine(r users.Range) error {
	if !r.Private() {
		return nil
	}
	nodes, err := findDevices()
	if err != nil {
		return err
	}
	for _, m := range []struct {
		fstype, at string
		options    [][2]string
	}{
		{"proc", "/proc", nil},
		{"sysfs", "/sys", nil},
		{"tmpfs", "/dev", [][2]string{{"mode", "0755"}}},
	} {
		if err := overlay.Mount(m.fstype, unix.AT_FDCWD, m.at, unix.MOUNT_ATTR_NOSUID, m.options); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := n.make(int(r.First)); err != nil {
			return err
		}
	}
	return nil
}

// devices are those that systemd-nspawn(1) gives to a container, where the machine has them.
var devices = []string{
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/net/tun",
}

// device is the node of a device.
type device struct {
	name string
	mode uint32
	id   uint64
}

func findDevices() ([]device, error) {
	var found []device
	for _, name := range devices {
		var st unix.Stat_t
		if err := unix.Stat(name, &st); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
		}
		found = append(found, device{name, st.Mode, uint64(st.Rdev)})
	}
	return found, nil
}

// make makes the node, for a user and a group.
func (d device) make(owner int) error {
	err := os.MkdirAll(path.Dir(d.name), 0o755)
	if err == nil {
		err = unix.Mknod(d.name, d.mode, int(d.id))
	}
	if err == nil {
		err = unix.Chmod(d.name, d.mode&0o7777) // without the umask
	}
	if err == nil {
		err = unix.Chown(d.name, owner, owner)
	}
	if err != nil {
		return &fs.PathError{Op: "make device", Path: d.name, Err: err}
	}
	return nil
}
