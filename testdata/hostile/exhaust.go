package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// exhaustible is what the kernel counts for the machine's root, or for all, wherever it is used. Each takes one more
// and keeps it.
var exhaustible = map[string]func() error{
	"inotify": func() error { _, err := unix.InotifyInit(); return err },
	"aio": func() error {
		var context uintptr
		_, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 64, uintptr(unsafe.Pointer(&context)), 0)
		return asError(errno)
	},
	"uts": func() error {
		if err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {
			return err
		}
		_, err := unix.Open("/proc/thread-self/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	},
	"hidden-inotify": hiddenInotify(),
}

// exhaust takes all, again as often as something is given back, in more processes where one may have no more
// descriptors.
func exhaust(what string) {
	take, known := exhaustible[what]
	for n := 0; known; n++ {
		err := take()
		switch {
		case err == nil:
		case n > 10000 && errors.Is(err, unix.EMFILE):
			for fd := 100; fd < 110; fd++ {
				_ = unix.Close(fd) // for what the other process is started with
			}
			fmt.Println(what, n, exec.Command(os.Args[0], "serve", what).Start())
			return
		default:
			fmt.Println(what, n, err)
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func asError(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// hiddenInotify keeps descriptors in sockets, where /proc does not show them.
func hiddenInotify() func() error {
	return func() error {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		for range 16 {
			fd, err := unix.InotifyInit()
			if err != nil {
				return err
			}
			if err := unix.Sendmsg(pair[0], []byte{0}, unix.UnixRights(fd), nil, 0); err != nil {
				return err
			}
			_ = unix.Close(fd)
		}
		return nil
	}
}
