package namespace

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// AsUser calls f on the calling thread with id as its effective user and group, and with all the capabilities that the
// thread has: what f makes belongs to id, and unix(7) sockets that it connects show id to their peer. An id of 0
// changes nothing.
func AsUser(id uint32, f func() error) (err error) {
	if id == 0 {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := setEffective(id); err != nil {
		_ = setEffective(0)
		return fmt.Errorf("act as user %d: %w", id, err)
	}
	defer func() {
		if back := setEffective(0); back != nil {
			runtime.LockOSThread() // once more than it is unlocked: the thread ends with its goroutine
			err = fmt.Errorf("act as root again: %w", back)
		}
	}()
	return f()
}

// setEffective changes the effective user and group of the calling thread alone; the functions of package unix change
// all threads of the process. The kernel empties the effective capabilities of a thread that stops being root, and the
// permitted ones stay.
func setEffective(id uint32) error {
	const keep = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, keep, uintptr(id), keep); errno != 0 {
		return errno
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(id), keep); errno != 0 {
		return errno
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	for i := range sets {
		sets[i].Effective = sets[i].Permitted
	}
	return unix.Capset(&header, &sets[0])
}
