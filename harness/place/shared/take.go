package shared

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"temper/harness/place/namespace"
	"temper/harness/place/users"
)

// inotify makes an instance. That this process has no descriptor left is something else.
func inotify() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return errors.New("no descriptor")
	}
	_ = unix.Close(fd)
	if fd, err = unix.InotifyInit1(unix.IN_CLOEXEC); err == nil {
		_ = unix.Close(fd)
	}
	return err
}

// inotifyWatches makes one instance with a few. Files that nobody writes cause no events.
func inotifyWatches() error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, name := range strings.Fields("cmdline cpuinfo filesystems loadavg meminfo stat uptime version") {
		if _, err := unix.InotifyAddWatch(fd, "/proc/"+name, unix.IN_DELETE_SELF); err != nil {
			return err
		}
	}
	return nil
}

// asynchronousIO reads how much is taken. To ask for one operation would tell nothing: programs ask for hundreds at
// once.
func asynchronousIO() error {
	taken, err := number("/proc/sys/fs/aio-nr")
	if err != nil {
		return err
	}
	most, err := number("/proc/sys/fs/aio-max-nr")
	if err != nil {
		return err
	}
	return enough(taken, most)
}

// enough returns an error where fewer operations are left than programs need, or than a sixteenth of a small number.
func enough(taken, most int) error {
	if most-taken < min(4096, most/16) {
		return unix.EAGAIN
	}
	return nil
}

func number(name string) (n int, err error) {
	data, err := os.ReadFile(name)
	if err == nil {
		_, err = fmt.Sscan(string(data), &n)
	}
	return n, err
}

// pendingSignal makes a timer, which takes one for its end; timer_create(2).
func pendingSignal() error {
	var timer int32
	_, _, errno := unix.Syscall(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&timer)))
	if errno != 0 {
		return errno
	}
	_, _, _ = unix.Syscall(unix.SYS_TIMER_DELETE, uintptr(timer), 0, 0)
	return nil
}

// namespaceOf makes one of a kind that a thread can have alone. A kernel may give none of it, so each is asked for by
// itself.
func namespaceOf(kind int) func() error {
	return func() error { return onOwnThread(func() error { return unix.Unshare(kind) }) }
}

func onOwnThread(f func() error) error {
	done := make(chan error)
	namespace.OnOwnThread(func() { done <- f() })
	return <-done
}

func userNamespace() error {
	made, err := users.Range{Count: 1}.Namespace()
	if err == nil {
		_ = made.Close()
	}
	return err
}
