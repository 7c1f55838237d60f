// Package privilege gives up what a process of root does not need.
//
// Call [Bound] and [Keep] before the process reads what others have written.
package privilege

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"temper/internal/values"
)

// Containers are the capabilities with which temper boots containers whose root is not trusted. Such a container has
// its own user namespace, which begins with all capabilities. The units of temper that boot containers say of each of
// these what it is for.
var Containers = values.CapabilitySet(
	"CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
	"CAP_FSETID", "CAP_SETFCAP", "CAP_MKNOD", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_KILL", "CAP_SYS_PTRACE",
	"CAP_SYS_RESOURCE", "CAP_SYS_NICE", "CAP_NET_ADMIN", "CAP_BPF", "CAP_PERFMON",
)

// Bound gives up all capabilities but some for what this process executes, where it has CAP_SETPCAP. Call it before
// [Keep].
func Bound(kept values.CapSet) error {
	for c := uintptr(0); c < 64; c++ {
		if kept.Has(1 << c) {
			continue
		}
		_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0, 0, 0, 0)
		if errno == unix.EINVAL || errno == unix.EPERM { // the kernel has no more, or there is no CAP_SETPCAP
			return nil
		}
		if errno != 0 {
			return failed(errno)
		}
	}
	return nil
}

// Keep gives up all capabilities but some, for good and in every thread. A binary that was built with cgo keeps
// everything: Go cannot reach all of its threads.
func Keep(kept values.CapSet) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // the second has capabilities from 32 on
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return failed(err)
	}
	for i := range sets {
		had := sets[i].Permitted & uint32(kept>>(32*i))
		sets[i] = unix.CapUserData{Permitted: had, Effective: had}
	}
	_, _, errno := syscall.AllThreadsSyscall(
		unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets[0])), 0)
	if errno != 0 {
		return failed(errno)
	}
	return nil
}

func failed(err error) error {
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return fmt.Errorf("give up capabilities: %w", err)
}
