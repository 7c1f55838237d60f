package namespace

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Mountinfo returns all mounts of a process in the format of proc_pid_mountinfo(5). The file /proc/PID/mountinfo shows
// only those below the root directory of the process.
func Mountinfo(pid int) (info []byte, err error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	err = InMounts(pid, func() error {
		const name = "thread-self/mountinfo" // of the thread that is among those mounts now
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
