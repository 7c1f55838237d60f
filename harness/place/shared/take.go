package shared

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"temper/harness/place/namespace"
	"temper/harness/place/users"
)

// inotify makes an instance. That this process has no descriptor left is something else.
func inotify() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil
	}
	_ = unix.Close(fd)
	if fd, err = unix.InotifyInit1(unix.IN_CLOEXEC); err == nil {
		_ = unix.Close(fd)
	}
	return err
}

// asynchronousIO makes a context for one operation.
func asynchronousIO() error {
	var context uintptr
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&context)), 0); errno != 0 {
		return errno
	}
	_, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, context, 0, 0)
	return nil
}

// namespaces makes one of each kind that a thread can have alone and that costs little.
func namespaces() error {
	made := make(chan error)
	namespace.OnOwnThread(func() {
		made <- unix.Unshare(unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP |
			unix.CLONE_NEWPID)
	})
	return <-made
}

func userNamespace() error {
	made, err := users.Range{Count: 1}.Namespace()
	if err == nil {
		_ = made.Close()
	}
	return err
}
