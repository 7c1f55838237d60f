package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kept are the capabilities with which this process parses what others have written: it reads and writes files of all
// users.
const kept = 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH

// dropPrivilege gives up all other capabilities for good, in every thread.
func dropPrivilege() error {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // the second has capabilities from 32 on
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	had := sets[0].Permitted & kept
	sets = [2]unix.CapUserData{{Permitted: had, Effective: had}}
	_, _, errno = syscall.AllThreadsSyscall(
		unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets[0])), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
