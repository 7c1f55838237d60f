package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// hold takes, as one user after the other, as many inotify instances as the kernel gives, and keeps them. It writes to
// a file how many that were. The kernel counts them for each user, as it does all kinds of namespaces.
func hold(file string) {
	raiseOpenFiles()
	taken := 0
	for user := range 20 {
		n, err := takeAs(user)
		fmt.Printf("user %d: %d, then %v\n", user, n, err)
		taken += n
	}
	if err := os.WriteFile(file, fmt.Appendln(nil, taken), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
	stay()
}

func raiseOpenFiles() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
}

// takeAs takes inotify instances until it is refused one.
func takeAs(user int) (taken int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const keep, root = ^uintptr(0), 0
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(user), keep); errno != 0 {
		return 0, errno
	}
	defer func() { _, _, _ = unix.RawSyscall(unix.SYS_SETRESUID, keep, root, keep) }()
	for ; ; taken++ {
		if _, err := unix.InotifyInit1(unix.IN_CLOEXEC); err != nil {
			return taken, err
		}
	}
}
