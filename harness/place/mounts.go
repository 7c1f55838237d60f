package place

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Mounts is what /proc/PID/mountinfo would show of a process that has taken a part of its mounts as root directory, if it had
// not; proc_pid_mountinfo(5).
func Mounts(pid int) (info []byte, err error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	err = inMounts(pid, func() error {
		const name = "thread-self/mountinfo" // of the one that is among those mounts now
		fd, err := unix.Openat(int(proc.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: name, Err: err}
		}
		f := os.NewFile(uintptr(fd), name)
		defer f.Close()
		info, err = io.ReadAll(f)
		return err
	})
	return info, err
}
