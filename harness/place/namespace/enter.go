package namespace

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Enter moves the calling thread to the namespace that the file name of /proc/PID/ns stands for. The kind is one of
// unix.CLONE_NEW*.
func Enter(name string, kind int) error {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, kind); err != nil {
		return fmt.Errorf("enter %s: %w", name, err)
	}
	return nil
}

// InMounts calls f among the mounts of a process and waits for it. Files that f needs of this process's own mounts must
// be open before.
func InMounts(pid int, f func() error) error {
	done := make(chan error, 1)
	OnOwnThread(func() {
		err := unix.Unshare(unix.CLONE_FS) // setns(2) refuses a thread that shares its working directory
		if err == nil {
			err = Enter(fmt.Sprintf("/proc/%d/ns/mnt", pid), unix.CLONE_NEWNS)
		}
		if err == nil {
			err = f()
		}
		done <- err
	})
	return <-done
}
