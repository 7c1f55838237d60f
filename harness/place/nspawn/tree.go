package nspawn

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"temper/harness/place/namespace"
	"temper/harness/place/overlay"
	"temper/harness/place/users"
	"temper/internal/host"
)

// Where things are in the mount namespace of a container's thread: /run is a tmpfs there, which hides the machine's own
// (and its D-Bus, which systemd-nspawn has no business with) and holds all that is written.
const (
	scratch = "/run/temper"
	merged  = "/run/temper/root"
)

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
	if err := c.mountScratch(u.Range); err != nil {
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

// mountScratch mounts the tmpfs for all that is written. It belongs to the root of the container, as who
// systemd-nspawn runs, and has no options: a user namespace keeps those of the mounts that it inherits, while
// systemd-nspawn sets its own.
func (c *Container) mountScratch(r users.Range) error {
	id := strconv.FormatUint(uint64(r.First), 10)
	for dir, mode := range map[string]string{"/run": "0755", "/tmp": "1777"} {
		options := [][2]string{{"mode", mode}, {"uid", id}, {"gid", id}}
		if c.Memory > 0 {
			options = append(options, [2]string{"size", strconv.FormatUint(c.Memory, 10)})
		}
		if err := overlay.Mount("tmpfs", unix.AT_FDCWD, dir, 0, options); err != nil {
			return err
		}
	}
	return namespace.AsUser(r.First, func() error { return os.MkdirAll(merged, 0o755) })
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
