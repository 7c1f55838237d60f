package witness

import (
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUnusedMode: a call that opens a file and makes none has no mode: what is in its place is random, and two of them
// are the same.
func TestUnusedMode(t *testing.T) {
	const random = 0x7f31
	for _, tt := range []struct {
		call  string
		flags uint64 // 0 where the call has none
		want  uint64
	}{
		{"openat", unix.O_RDONLY | unix.O_DIRECTORY, 0},
		{"openat", unix.O_WRONLY | unix.O_CREAT, random},
		{"openat", unix.O_WRONLY | unix.O_TMPFILE, random},
		{"mkdirat", 0, random},
	} {
		event := make([]byte, eventSize)
		for number, name := range callNames[runtime.GOARCH] {
			if name == tt.call {
				order.PutUint32(event[eventNumber:], number)
			}
		}
		order.PutUint32(event[eventErrno:], uint32(unix.EROFS))
		if slices.Contains(openCalls, tt.call) {
			order.PutUint64(event[eventArgs+8*2:], tt.flags)
		}
		order.PutUint64(event[eventArgs+8*modeArg[tt.call]:], random)
		if d := decode(event); d.Syscall != tt.call || d.Args[modeArg[tt.call]] != tt.want {
			t.Errorf("%s with the flags %#x: %s", tt.call, tt.flags, d)
		}
	}
}
