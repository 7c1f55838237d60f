package nspawn

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"temper/harness/place/cgroup"
	"temper/harness/place/overlay"
	"temper/internal/hint"
	"temper/internal/host"
)

// Where things are in the mount namespace of a container's thread: /run is a tmpfs there, which hides the machine's own
// (and its D-Bus, which systemd-nspawn has no business with) and holds all that is written.
const (
	scratch = "/run/temper"
	merged  = "/run/temper/root"
)

// separate moves the thread to its own mount namespace, and the processes it will start to their own PID namespace.
func separate() error {
	err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWPID)
	if err != nil {
		return hint.IfUnprivileged(fmt.Errorf("make namespaces: %w", err))
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

// mountTree mounts a copy of every file system at merged, over one tmpfs. A file system below the image that cannot be
// copied (overlayfs refuses some, such as FAT) is left out, which the console says.
func (c *Container) mountTree(u overlay.Users) error {
	layers, err := overlay.Open(c.Image)
	defer func() {
		for _, l := range layers {
			l.Close()
		}
	}()
	if err != nil {
		return err
	}
	if err := sealMachine(); err != nil {
		return err
	}
	for dir, mode := range map[string]string{"/run": "0755", "/tmp": "1777"} {
		const attributes = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
		options := [][2]string{{"mode", mode}}
		if c.Memory > 0 {
			options = append(options, [2]string{"size", strconv.FormatUint(c.Memory, 10)})
		}
		if err := overlay.Mount("tmpfs", unix.AT_FDCWD, dir, attributes, options); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(merged, 0o700); err != nil {
		return err
	}
	for i, l := range layers {
		c.fileSystems = append(c.fileSystems, l.At)
		err := l.Copy(u, Scratch(i), merged)
		if err != nil && i == 0 {
			return fmt.Errorf("copy %s: %w", c.Image, err)
		}
		if err != nil {
			fmt.Fprintf(&c.console, "temper: %s (%s) is not part of the place: %v\n", l.At, l.FSType, err)
		}
	}
	return nil
}

// Scratch is the directory, inside the mount namespace of systemd-nspawn, to which what is written to the copy of a
// file system goes. Numbers are those of [Container.FileSystems].
func Scratch(number int) string { return fmt.Sprintf("%s/%d", scratch, number) }

// writeFiles writes what the copy needs to boot as a container, and the caller's files.
func (c *Container) writeFiles(root host.Root) error {
	files := slices.Clone(ownFiles)
	if !hasMachineID(root) {
		id := make([]byte, 16)
		_, _ = rand.Read(id) // never fails
		files = append(files, File{Name: "/etc/machine-id", Data: []byte(hex.EncodeToString(id) + "\n"), Mode: 0o444})
	}
	for _, f := range append(files, c.Files...) {
		if err := writeFile(root, f); err != nil {
			return err
		}
	}
	return nil
}

var machineID = regexp.MustCompile(`^[0-9a-f]{32}\n?$`)

// hasMachineID reports whether an image has been booted: otherwise it would take this for its first boot
// (machine-id(5)).
func hasMachineID(root host.Root) bool {
	data, err := root.ReadFile("/etc/machine-id")
	return err == nil && machineID.Match(data)
}

// writeFile writes one file into a tree in which no process runs yet.
func writeFile(root host.Root, f File) error {
	if err := root.MkdirAll(path.Dir(f.Name), 0o755); err != nil {
		return err
	}
	mode := f.Mode.Perm()
	if mode == 0 {
		mode = 0o644
	}
	return root.WriteFile(f.Name, f.Data, mode)
}
