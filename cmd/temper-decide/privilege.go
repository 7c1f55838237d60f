package main

import (
	"syscall"

	"golang.org/x/sys/unix"

	"temper/internal/privilege"
	"temper/internal/values"
)

// kept are the capabilities with which this process parses what others have written: it reads and writes files of all
// users.
var kept = values.CapabilitySet("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH")

// dropPrivilege gives up all other capabilities for good, in every thread.
func dropPrivilege() error {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return privilege.Keep(kept)
}
