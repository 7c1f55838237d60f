package witness

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ptrace(2) shows the registers in the order in which the kernel keeps them.
func TestLayoutIsThatOfPtrace(t *testing.T) {
	var r unix.PtraceRegs
	l := layouts["amd64"]
	want := [...]uintptr{
		unsafe.Offsetof(r.Rdi), unsafe.Offsetof(r.Rsi), unsafe.Offsetof(r.Rdx), unsafe.Offsetof(r.R10),
		unsafe.Offsetof(r.R8), unsafe.Offsetof(r.R9), unsafe.Offsetof(r.Orig_rax), unsafe.Offsetof(r.Cs),
	}
	for i, got := range append(l.Args[:], l.Number, l.Mode) {
		if uintptr(got) != want[i] {
			t.Errorf("register %d is at %d, want %d", i, got, want[i])
		}
	}
}
