package renew

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// packageLocks are files that package managers lock, by fcntl(2), while they change the machine: dpkg, apt, rpm.
var packageLocks = []string{
	"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/usr/lib/sysimage/rpm/.rpm.lock", "/var/lib/rpm/.rpm.lock",
}

// pacmanLock exists while pacman is at work.
const pacmanLock = "/var/lib/pacman/db.lck"

// waitForPackages waits until no package manager has been at work for two checks in a row.
func waitForPackages(ctx context.Context, locks []string) error {
	const pause = 2 * time.Second
	for quiet := 0; quiet < 2; {
		quiet++
		if busy(locks) {
			quiet = 0
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}

// busy reports whether a process holds one of the locks for writing. It ignores locks that it cannot read, and locks
// for reading: any user can hold those on a file that all may read.
func busy(locks []string) bool {
	if _, err := os.Lstat(pacmanLock); !errors.Is(err, fs.ErrNotExist) {
		return true
	}
	for _, name := range locks {
		f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		lock := unix.Flock_t{Type: unix.F_RDLCK} // conflicts only with locks for writing
		err = unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock)
		f.Close()
		if err == nil && lock.Type != unix.F_UNLCK {
			return true
		}
	}
	return false
}
