package overlay

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount mounts a new file system at the path target below the directory dir, or over dir itself if target is "". It
// uses fsopen(2), which takes every value whole and says in words what it does not accept.
func Mount(fstype string, dir int, target string, attributes int, options [][2]string) error {
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

// complaint returns the errors that the kernel reports for this mount, as " (text; text)", or "".
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
