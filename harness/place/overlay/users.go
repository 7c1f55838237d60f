package overlay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"temper/harness/place/users"
)

// Users says to whom the files of a copy belong. The zero value leaves their owners as they are.
type Users struct {
	users.Range
	// Namespace is open for a user namespace that maps the range; -1 has the owners changed file by file.
	Namespace int
}

// copyFor mounts the overlay at target, with the files of the layer belonging to other users.
//
// The layer is mapped, which takes no time, where the kernel (overlayfs does since Linux 5.19) and the file system
// can; another overlay cannot. Otherwise every file gets its new owner.
func (l Layer) copyFor(u Users, scratch, target string) error {
	if !u.Private() {
		return l.mount(scratch, target)
	}
	mapErr := errors.New("no user namespace")
	if u.Namespace >= 0 {
		if mapErr = l.copyMapped(u, scratch, target); mapErr == nil {
			return nil
		}
	}
	if err := os.RemoveAll(scratch); err != nil {
		return err
	}
	err := l.mount(scratch, target)
	if err == nil {
		err = changeOwners(target, u.Range)
	}
	if err != nil {
		return fmt.Errorf("give its files to users of the place: %w (mapping them: %w)", err, mapErr)
	}
	return nil
}

// copyMapped mounts the overlay over an idmapped mount of the layer; mount_setattr(2). Kernels before 6.15 want that
// mount attached somewhere; overlayfs keeps a copy of its own.
func (l Layer) copyMapped(u Users, scratch, target string) error {
	tree, err := unix.OpenTree(l.fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("open_tree: %w", err)
	}
	defer unix.Close(tree)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(u.Namespace)}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	lower := filepath.Join(scratch, "lower")
	if err := os.MkdirAll(lower, 0o700); err != nil {
		return err
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, lower, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	mapped := l
	mapped.fd = tree
	return errors.Join(mapped.mount(scratch, target), unix.Unmount(lower, unix.MNT_DETACH))
}

// changeOwners gives every file below dir, on its file system, to the user of the range that stands for its owner. No
// process uses the files yet.
func changeOwners(dir string, r users.Range) error {
	return filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		return changeOwner(name, &st, r)
	})
}

// changeOwner keeps the set-user-ID bits and the capabilities of a file, which lchown(2) removes.
func changeOwner(name string, st *unix.Stat_t, r users.Range) error {
	uid, known := r.Outside(st.Uid)
	gid, gidKnown := r.Outside(st.Gid)
	if !known || !gidKnown {
		return nil // belongs to nobody in the place
	}
	regular := st.Mode&unix.S_IFMT == unix.S_IFREG
	var capability []byte
	if regular {
		capability = fileCapability(name, r)
	}
	if err := unix.Lchown(name, int(uid), int(gid)); err != nil {
		return &fs.PathError{Op: "lchown", Path: name, Err: err}
	}
	if st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 && st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Chmod(name, st.Mode&0o7777); err != nil {
			return &fs.PathError{Op: "chmod", Path: name, Err: err}
		}
	}
	if capability == nil {
		return nil
	}
	return unix.Lsetxattr(name, capabilityXattr, capability, 0)
}

const capabilityXattr = "security.capability"

// fileCapability returns the capabilities of a file for the root of a range (struct vfs_ns_cap_data of
// linux/capability.h), or nil.
func fileCapability(name string, r users.Range) []byte {
	const revisionMask, revision2, revision3 = 0xff000000, 0x02000000, 0x03000000
	data := make([]byte, 64)
	n, err := unix.Lgetxattr(name, capabilityXattr, data)
	if err != nil || n != 20 {
		return nil
	}
	data = data[:n]
	magic := binary.LittleEndian.Uint32(data)
	if magic&revisionMask != revision2 {
		return nil
	}
	binary.LittleEndian.PutUint32(data, magic&^uint32(revisionMask)|revision3)
	return binary.LittleEndian.AppendUint32(data, r.First)
}
