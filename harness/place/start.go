package place

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/hint"
	"temper/internal/host"
)

// Where things are in the mount namespace of a container's thread: /run is a tmpfs there, which hides the machine's own
// (and its D-Bus, which systemd-nspawn has no business with) and holds all that is written.
const (
	scratch = "/run/temper"
	merged  = "/run/temper/root"
)

// start makes the namespaces and the tree on the calling thread and starts systemd-nspawn from it, which inherits them.
// It must run on a thread of its own, which must live as long as the container.
func (c *container) start() error {
	// The first process of a PID namespace is its init. os makes a short-lived process of its own when it is first asked
	// for one, to learn whether the kernel has pidfds; that must not happen on this thread.
	if _, err := os.FindProcess(os.Getpid()); err != nil {
		return err
	}
	if err := separate(); err != nil {
		return err
	}
	if err := c.mountTree(); err != nil {
		return err
	}
	if err := c.furnish(host.Root(merged)); err != nil {
		return err
	}
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 0) // of this thread: services begin as at a boot, not with the nice(1) of the caller
	cmd := c.command()
	if err := cmd.Start(); err != nil {
		return err
	}
	c.cmd = cmd
	return nil
}

// separate moves the thread to its own mount namespace, and the processes it will start to their own PID namespace.
func separate() error {
	err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWPID)
	if err != nil {
		return privileged(fmt.Errorf("make namespaces: %w", err))
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	return nil
}

// privileged adds to err what to do where root has been denied something that root may do.
func privileged(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) {
		return hint.With(err, "this seems to be a container without privileges: start it with --privileged, or use the machine itself")
	}
	return err
}

// sealMachine makes all file systems of the machine read-only for this thread and what it starts, cgroups excepted: what
// systemd-nspawn should lock, note or bind into the container of the machine's own files, it cannot change.
func sealMachine() error {
	err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if errors.Is(err, unix.ENOSYS) {
		return nil // Linux before 5.12: nothing is known to write there, this is a second line
	}
	if err != nil {
		return fmt.Errorf("make mounts read-only: %w", err)
	}
	unified, trees, err := hierarchies()
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

// mountTree lays a copy of every layer over one tmpfs, at merged. The image itself must work out; a file system below it
// that cannot be copied (overlayfs refuses some, such as FAT) is left out and said so.
func (c *container) mountTree() error {
	layers, err := openLayers(c.Image)
	defer func() {
		for _, l := range layers {
			_ = unix.Close(l.fd)
		}
	}()
	if err != nil {
		return err
	}
	if err := sealMachine(); err != nil {
		return err
	}
	for dir, mode := range map[string]string{"/run": "0755", "/tmp": "1777"} {
		if err := mountNew("tmpfs", unix.AT_FDCWD, dir, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, [][2]string{{"mode", mode}}); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(merged, 0o700); err != nil {
		return err
	}
	for i, l := range layers {
		c.layers = append(c.layers, l.at)
		err := c.addLayer(l, scratchOf(i))
		if err != nil && i == 0 {
			return fmt.Errorf("copy %s: %w", c.Image, err)
		}
		if err != nil {
			fmt.Fprintf(&c.console, "temper: %s (%s) is not part of the place: %v\n", l.at, l.fstype, err)
		}
	}
	return nil
}

// scratchOf is where what is written to the copy of a file system goes.
func scratchOf(layer int) string { return fmt.Sprintf("%s/%d", scratch, layer) }

func (c *container) addLayer(l layer, scratch string) error {
	var st unix.Stat_t
	if err := unix.Fstat(l.fd, &st); err != nil {
		return err
	}
	target := filepath.Join(merged, l.at)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return l.overlay(scratch, target)
	case unix.S_IFREG:
		return l.copyFile(target)
	}
	return errors.New("neither a directory nor a regular file")
}

// furnish writes what the copy needs to boot as a place, and the caller's files.
func (c *container) furnish(root host.Root) error {
	files := slices.Clone(settled)
	if !hasMachineID(root) {
		id := make([]byte, 16)
		_, _ = rand.Read(id) // never fails
		files = append(files, File{Name: "/etc/machine-id", Data: []byte(hex.EncodeToString(id) + "\n"), Mode: 0o444})
	}
	for _, f := range append(files, c.Files...) {
		if err := put(root, f); err != nil {
			return err
		}
	}
	return nil
}

var machineID = regexp.MustCompile(`^[0-9a-f]{32}\n?$`)

// hasMachineID tells an image that has been booted from one that would take this for its first boot (machine-id(5)).
func hasMachineID(root host.Root) bool {
	data, err := root.ReadFile("/etc/machine-id")
	return err == nil && machineID.Match(data)
}

// put writes one file into a tree that nobody reads yet.
func put(root host.Root, f File) error {
	path, err := root.Path(f.Name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	mode := f.Mode.Perm()
	if mode == 0 {
		mode = 0o644
	}
	if err := os.WriteFile(path, f.Data, mode); err != nil {
		return err
	}
	return os.Chmod(path, mode) // the umask, or the mode of a file that was there
}

// withProc becomes systemd-nspawn after it has mounted the proc(5) of the new PID namespace, which only a process inside
// can (Linux up to 6.16): with the machine's, systemd-nspawn would take other processes for its own.
const withProc = `"$0" -t proc proc /proc && exec "$@"`

// command is the systemd-nspawn(1) of this container. --keep-unit and --register=no keep it off the machine's systemd:
// it runs in the cgroup made for it, and inside a PID namespace where its numbers would mean other processes to others.
func (c *container) command() *exec.Cmd {
	args := []string{
		"--quiet", "--boot", "--directory=" + merged, "--machine=temper-" + c.ID,
		"--keep-unit", "--register=no", "--settings=no", "--link-journal=no", "--resolv-conf=off", "--timezone=off",
		"--private-network", "--private-users=no", "--console=read-only",
		"--capability=" + strings.Join(capabilities, ","), "--system-call-filter=" + strings.Join(calls, " "),
	}
	if name, err := os.Hostname(); err == nil && c.Image == "/" && validHostname.MatchString(name) {
		args = append(args, "--hostname="+name)
	}
	cmd := exec.Command("/bin/sh", "-c", withProc, c.programs.mount, c.programs.nspawn)
	cmd.Args = append(append(cmd.Args, args...), c.commandLine()...)
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", // cgroup2 for the container where this machine is of the hybrid kind
		"SYSTEMD_LOG_TARGET=console",         // as PID 1 of its namespace it would log to the kernel instead
		"SYSTEMD_LOG_LEVEL=notice",
	}
	cmd.Stdout, cmd.Stderr = &c.console, &c.console
	cmd.WaitDelay = 2 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:      true, // Ctrl-C is for the caller
		Pdeathsig:   syscall.SIGKILL,
		UseCgroupFD: true,
		CgroupFD:    c.group.fd,
	}
	return cmd
}

var validHostname = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,62}[a-zA-Z0-9])?$`)
