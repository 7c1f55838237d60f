package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// exhaustible is what the kernel counts for the machine's root, or for all, wherever it is used. Each takes one more
// and keeps it.
var exhaustible = map[string]func() error{
	"inotify": func() error { _, err := unix.InotifyInit(); return err },
	"aio": func() error { // the last few hundred, with which no program can do much, are left
		var context uintptr
		_, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1000, uintptr(unsafe.Pointer(&context)), 0)
		return asError(errno)
	},
	"timers": func() error {
		var timer int32
		_, _, errno := unix.Syscall(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&timer)))
		return asError(errno)
	},
	"uts":             func() error { return namespace(unix.CLONE_NEWUTS, "uts") },
	"time":            func() error { return namespace(unix.CLONE_NEWTIME, "time_for_children") },
	"watches":         watches,
	"hidden-inotify":  hiddenInotify,
	"crowded-inotify": func() error { crowd(); return hiddenInotify() },
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

func namespace(kind int, name string) error {
	if err := unix.Unshare(kind); err != nil {
		return err
	}
	_, err := unix.Open("/proc/thread-self/ns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return err
}

// watches takes all watches with few instances, and keeps them.
func watches() error {
	var names []string
	_ = filepath.WalkDir("/usr", func(name string, _ fs.DirEntry, _ error) error {
		names = append(names, name)
		return nil
	})
	for range 60 {
		fd, err := unix.InotifyInit()
		if err != nil {
			return err
		}
		for _, name := range names {
			if _, err := unix.InotifyAddWatch(fd, name, unix.IN_DELETE_SELF); errors.Is(err, unix.ENOSPC) {
				stay()
			}
		}
	}
	return errors.New("too few files")
}

// hiddenInotify keeps descriptors in sockets, where /proc does not show them.
func hiddenInotify() error {
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

// crowd makes very many descriptors, which each of two hundred processes has: a look at all of them takes long.
var crowd = sync.OnceFunc(func() {
	for range 10_000 {
		_, _ = unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	for range 200 {
		child, _, _ := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_FILES|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		for child == 0 { // a thread of a Go program that is alone can do nothing else
			_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
		}
	}
})
