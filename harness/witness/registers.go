package witness

// layout says where the kernel keeps the registers of a system call: byte offsets into struct pt_regs, which is what
// both tracepoints of a call get. It is fixed by ptrace(2) and has never changed on these architectures, so no BTF is
// needed.
type layout struct {
	Number int32    // the call's number, 32 bits, still there when the call returns
	Args   [6]int32 // the arguments, still there when the call fails
	// A task runs in a 32-bit mode where the 64 bits at Mode, masked, have this value: its calls have other numbers.
	Mode, ModeMask, ModeValue int32

	Arch        uint32 // what siginfo calls the native architecture: AUDIT_ARCH_* of linux/audit.h
	ForeignName string // what systemd calls the 32-bit one
}

// layouts is keyed by GOARCH.
var layouts = map[string]layout{
	// arch/x86/include/asm/ptrace.h: r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs ...
	"amd64": {
		Number: 15 * 8,
		Args:   [6]int32{14 * 8, 13 * 8, 12 * 8, 7 * 8, 9 * 8, 8 * 8}, // di si dx r10 r8 r9
		Mode:   17 * 8, ModeMask: 0xffff, ModeValue: 0x23,             // cs is __USER32_CS
		Arch: 0xc000003e, ForeignName: "x86",
	},
	// arch/arm64/include/asm/ptrace.h: regs[31] sp pc pstate orig_x0 syscallno; x0 itself holds the result by then.
	"arm64": {
		Number: 35 * 8,
		Args:   [6]int32{34 * 8, 1 * 8, 2 * 8, 3 * 8, 4 * 8, 5 * 8},
		Mode:   33 * 8, ModeMask: 0x10, ModeValue: 0x10, // PSR_MODE32_BIT
		Arch: 0xc00000b7, ForeignName: "arm",
	},
}
