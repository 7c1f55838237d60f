package values

import (
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxErrno is the largest error number that the kernel can return.
const maxErrno = 4095

// ErrnoKill is the error number that stands for "kill" in a system call filter.
const ErrnoKill = 1<<31 - 2

// ParseErrno returns the error number of s: a name of errno(3) in any case, or a number from 0.
func ParseErrno(s string) (int, bool) {
	if n, ok := errnoNumbers()[strings.ToUpper(s)]; ok {
		return n, true
	}
	n, ok := parseInt(s)
	return int(n), ok && n >= 0 && n <= maxErrno
}

// ErrnoName returns the name of an error number, "kill" for [ErrnoKill], or "" if it has none.
func ErrnoName(errno int) string {
	if errno == ErrnoKill {
		return "kill"
	}
	return unix.ErrnoName(syscall.Errno(errno))
}

// ErrnoWord returns the word for an error number that [ParseErrno] reads, or "kill".
func ErrnoWord(errno int) string {
	if name := ErrnoName(errno); name != "" {
		return name
	}
	return strconv.Itoa(errno)
}

// errnoNumbers has every name, also the second names that unix.ErrnoName does not return.
var errnoNumbers = sync.OnceValue(func() map[string]int {
	m := map[string]int{
		"EWOULDBLOCK": int(unix.EWOULDBLOCK), "EDEADLOCK": int(unix.EDEADLOCK), "ENOTSUP": int(unix.ENOTSUP),
	}
	for n := 1; n <= maxErrno; n++ {
		if name := unix.ErrnoName(syscall.Errno(n)); name != "" {
			m[name] = n
		}
	}
	return m
})
