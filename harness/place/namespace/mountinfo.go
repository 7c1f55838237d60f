package namespace

import (
	"os"

	"golang.org/x/sys/unix"

	"temper/internal/host"
)

// maxMountinfo is more than the 100,000 mounts have that Linux allows in a namespace (fs.mount-max), unless somebody
// makes their paths long to fill memory.
const maxMountinfo = 64 << 20

// ReadMountinfo returns the content of a file mountinfo; proc_pid_mountinfo(5). It shows only the mounts below the root
// directory of its process.
func ReadMountinfo(name string) ([]byte, error) { return host.ReadKernelFile(name, maxMountinfo) }

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
		info, err = host.ReadOpenKernelFile(f, maxMountinfo)
		return err
	})
	return info, err
}
