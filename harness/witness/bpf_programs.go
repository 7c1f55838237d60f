package witness

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// license is what the kernel wants to read before it lets a program call the helpers that read memory.
const license = "Dual MIT/GPL"

// A value of the map of calls, keyed by number: which errors to record, and which registers point to what.
const (
	wantLow   = 0  // uint64, a bit for each errno below 64
	wantHigh  = 8  // uint64, a bit for each errno from 64 to 127
	wantPath  = 16 // uint32, offset of a register into pt_regs; 0 is none
	wantTo    = 20
	wantData  = 24
	wantSize  = 28
	wantUse   = 32 // uint32, when a call that succeeds is recorded: useNever, useAlways, or by the register here
	wantMask  = 36 // uint32, a bit of that register must be set
	wantBytes = 40

	maxErrno = 127
	// maxNumber is the key for all calls that have no number of their own here.
	maxNumber = 1023
)

// maxDepth is how many cgroups deep the watched one may lie for its children to be told apart.
const maxDepth = 16

// Local variables, as offsets from the frame pointer.
const (
	varNumber = -8
	varArch   = -16
	varIndex  = -24
	varTemp   = -32
	varSize   = -40
	varTask   = -48
	varFilter = -56
	varInfo   = -104 // 48 bytes of struct siginfo
	varLacked = -112
	varBit    = -120
	varComm   = -136 // 16 bytes
	varEvent  = -256 // what child takes for an event
	varChild  = varEvent + eventCgroup
)

// tables are the file descriptors that the programs refer to.
type tables struct {
	Cgroup, Calls, Entered, Ring, Dropped int
	Granted                               int // of a witness of refusals
	Siblings, Used                        int // of a recording of uses
	CgroupID                              uint64
}

// enterProgram is for the raw tracepoint sys_enter, which comes after seccomp: it notes that the task has got past, and
// so far lacked no capability.
func enterProgram(m tables) *ebpf.ProgramSpec {
	code := append(underCgroup(m), set(asm.RFP, varTemp, 0)...)
	code = append(code, task(m)...)
	return program("temper_enter", append(code,
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, varTemp),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(),
	))
}

// exitProgram is for the raw tracepoint sys_exit: R6 context, R7 result, R8 struct pt_regs, R9 what is wanted of the
// call.
func exitProgram(l layout, m tables) *ebpf.ProgramSpec {
	code := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R6, 8, asm.DWord),
		asm.LoadMem(asm.R8, asm.R6, 0, asm.DWord),
	}
	code = append(code, underCgroup(m)...)
	code = append(code, set(asm.RFP, varLacked, 0)...)
	code = append(code, task(m)...)
	code = append(code,
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "forget"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.StoreMem(asm.RFP, varLacked, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("forget"),
	)
	// A call that was never entered and yet returns was answered by seccomp.
	code = append(code, task(m)...)
	code = append(code,
		asm.FnMapDeleteElem.Call(),
		asm.StoreImm(asm.RFP, varFilter, 0, asm.Word),
		asm.JEq.Imm(asm.R0, 0, "entered"),
		asm.StoreImm(asm.RFP, varFilter, 1, asm.Word),
		asm.JSGT.Imm(asm.R7, -1, "out").WithSymbol("entered"),
		asm.JSLT.Imm(asm.R7, -maxErrno, "out"),
	)
	code = append(code, wantedError(l, m)...)
	code = append(code, reserve(m)...)
	code = append(code, child(m)...)
	return program("temper_exit", append(code, describeCall(l)...))
}

// describeCall fills the event at R6 with the error in R7, the arguments and what they point to, and hands it over.
func describeCall(l layout) asm.Instructions {
	code := asm.Instructions{asm.StoreMem(asm.R6, eventErrno, asm.R7, asm.Word)}
	for i, offset := range l.Args {
		code = append(code, readRegisterInto(eventArgs+8*int32(i), offset)...)
	}
	code = append(code, readString(wantPath, eventPathLen, eventPath, "to")...)
	code = append(code, readString(wantTo, eventToLen, eventTo, "data")...)
	code = append(code, readData()...)
	return append(code, submit("send")...)
}

// wantedError leaves unless the error in R7, which is negative, is wanted of the call. It sets R9 to what is wanted and
// R7 to the error, and tells whether the call is a native one.
func wantedError(l layout, m tables) asm.Instructions {
	code := append(readNumber(l), row(m)...)
	code = append(code,
		// Is this error wanted of this call?
		asm.Neg.Imm(asm.R7, 0),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.LoadMem(asm.R2, asm.R9, wantLow, asm.DWord),
		asm.JLT.Imm(asm.R1, 64, "test"),
		asm.LoadMem(asm.R2, asm.R9, wantHigh, asm.DWord),
		asm.Sub.Imm(asm.R1, 64),
		asm.RSh.Reg(asm.R2, asm.R1).WithSymbol("test"),
		asm.And.Imm(asm.R2, 1),
		asm.JEq.Imm(asm.R2, 0, "out"),
	)
	return code
}

// readNumber reads the number and the architecture of a call from the registers at R8. It sets R9 to the key of the
// call in the map of calls.
func readNumber(l layout) asm.Instructions {
	code := append(readRegister(varNumber, 4, l.Number), readRegister(varTemp, 8, l.Mode)...)
	return append(code,
		asm.StoreImm(asm.RFP, varArch, 0, asm.Word),
		asm.LoadMem(asm.R9, asm.RFP, varNumber, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, varTemp, asm.DWord),
		asm.And.Imm(asm.R1, l.ModeMask),
		asm.JNE.Imm(asm.R1, l.ModeValue, "native"),
		asm.StoreImm(asm.RFP, varArch, 1, asm.Word),
		asm.Mov.Imm(asm.R9, maxNumber),
		asm.JLT.Imm(asm.R9, maxNumber, "known").WithSymbol("native"),
		asm.Mov.Imm(asm.R9, maxNumber),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("known"),
	)
}

// row points R9, which is the key of a call, to the row of the call.
func row(m tables) asm.Instructions {
	return asm.Instructions{
		asm.StoreMem(asm.RFP, varIndex, asm.R9, asm.Word),
		asm.LoadMapPtr(asm.R1, m.Calls),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, varIndex),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Reg(asm.R9, asm.R0),
	}
}

// signalProgram is for the raw tracepoint signal_deliver, which has the signal and its struct siginfo: a call that
// seccomp answers with death does not return, but the signal says which it was. R6 context, R8 struct siginfo. The
// instructions inside leave unless the task is watched, and those of cgroup fill in the cgroup of the event.
func signalProgram(m tables, inside, cgroup asm.Instructions) *ebpf.ProgramSpec {
	const (
		sigsys, sysSeccomp = 31, 1
		code, number, arch = 8, 24, 28 // include/uapi/asm-generic/siginfo.h
	)
	insns := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R1, asm.R6, 0, asm.DWord),
		asm.LSh.Imm(asm.R1, 32), // an int: its upper half is not defined
		asm.RSh.Imm(asm.R1, 32),
		asm.JNE.Imm(asm.R1, sigsys, "out"),
		asm.LoadMem(asm.R8, asm.R6, 8, asm.DWord),
	}
	insns = append(insns, inside...)
	insns = append(insns, readRegister(varInfo, 48, 0)...)
	insns = append(insns, set(asm.RFP, varLacked, 0)...)
	insns = append(insns,
		asm.LoadMem(asm.R1, asm.RFP, varInfo+code, asm.Word),
		asm.JNE.Imm(asm.R1, sysSeccomp, "out"),
		asm.LoadMem(asm.R1, asm.RFP, varInfo+number, asm.Word),
		asm.StoreMem(asm.RFP, varNumber, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, varInfo+arch, asm.Word),
		asm.StoreMem(asm.RFP, varArch, asm.R1, asm.Word),
		asm.StoreImm(asm.RFP, varFilter, 1, asm.Word),
	)
	insns = append(insns, reserve(m)...)
	insns = append(insns, cgroup...)
	insns = append(insns, asm.StoreImm(asm.R6, eventErrno, 0, asm.Word))
	for i := range 6 {
		insns = append(insns, set(asm.R6, int16(eventArgs+8*i), 0)...)
	}
	return program("temper_signal", append(insns, submit("")...))
}

// capabilityProgram is for the raw tracepoint cap_capable, which has the credentials, two user namespaces, the
// capability and the result. It notes which capabilities a call lacks, and which the services of each cgroup are
// granted. R7 capability, R8 result.
func capabilityProgram(m tables) *ebpf.ProgramSpec {
	code := asm.Instructions{
		asm.LoadMem(asm.R7, asm.R1, 24, asm.DWord),
		asm.LoadMem(asm.R8, asm.R1, 32, asm.DWord),
		asm.And.Imm(asm.R7, 63),
		asm.LSh.Imm(asm.R8, 32), // an int: its upper half is not defined
		asm.Mov.Imm(asm.R1, 1),
		asm.LSh.Reg(asm.R1, asm.R7),
		asm.StoreMem(asm.RFP, varBit, asm.R1, asm.DWord),
	}
	code = append(code, underCgroup(m)...)
	code = append(code, asm.JEq.Imm(asm.R8, 0, "granted"))
	code = append(code, task(m)...)
	code = append(code, addBit("out")...)
	code = append(code, asm.Ja.Label("out"), asm.Mov.Imm(asm.R0, 0).WithSymbol("granted"))
	code = append(code, unlessSystemd()...)
	code = append(code, asm.Mov.Reg(asm.R6, asm.RFP), asm.Add.Imm(asm.R6, varEvent))
	code = append(code, child(m)...)
	code = append(code, granted(m)...)
	code = append(code, addBit("first")...)
	code = append(code, asm.Ja.Label("out"), asm.Mov.Imm(asm.R0, 0).WithSymbol("first"))
	code = append(code, granted(m)...)
	return program("temper_capable", append(code,
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, varBit),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(),
	))
}

// granted points R1 to the map of what is granted and R2 to the key of the task's cgroup.
func granted(m tables) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, m.Granted),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, varChild),
	}
}

// addBit adds the bit of the capability to the value at R2 in the map at R1, or jumps if there is none.
func addBit(none string) asm.Instructions {
	return asm.Instructions{
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, none),
		asm.LoadMem(asm.R1, asm.RFP, varBit, asm.DWord),
		asm.LoadMem(asm.R2, asm.R0, 0, asm.DWord), // nobody else writes it: it is the task's own, or this processor's
		asm.Or.Reg(asm.R2, asm.R1),
		asm.StoreMem(asm.R0, 0, asm.R2, asm.DWord),
	}
}

// unlessSystemd leaves if the task is systemd's, which has its own name or the service's in parentheses until it runs
// the program; see [Denial.bySystemd].
func unlessSystemd() asm.Instructions {
	word := func(text string) int64 { return int64(order.Uint64([]byte(text))) }
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.RFP),
		asm.Add.Imm(asm.R1, varComm),
		asm.Mov.Imm(asm.R2, 16),
		asm.FnGetCurrentComm.Call(),
		asm.LoadMem(asm.R1, asm.RFP, varComm, asm.Byte),
		asm.JEq.Imm(asm.R1, '(', "out"),
		asm.LoadMem(asm.R1, asm.RFP, varComm, asm.DWord),
		asm.LoadImm(asm.R2, word("systemd\x00"), asm.DWord),
		asm.JEq.Reg(asm.R1, asm.R2, "out"),
		asm.LoadImm(asm.R2, word("systemd-"), asm.DWord),
		asm.JNE.Reg(asm.R1, asm.R2, "service"),
		asm.LoadMem(asm.R1, asm.RFP, varComm+8, asm.DWord),
		asm.LoadImm(asm.R2, word("executo\x00"), asm.DWord),
		asm.JEq.Reg(asm.R1, asm.R2, "out"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("service"),
	}
}

func program(name string, code asm.Instructions) *ebpf.ProgramSpec {
	code = append(code, asm.Mov.Imm(asm.R0, 0).WithSymbol("out"), asm.Return())
	return &ebpf.ProgramSpec{Name: name, Type: ebpf.RawTracepoint, License: license, Instructions: code}
}

// underCgroup leaves unless the task is in the watched cgroup or below it.
func underCgroup(m tables) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, m.Cgroup),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnCurrentTaskUnderCgroup.Call(),
		asm.JNE.Imm(asm.R0, 1, "out"),
	}
}

// task points R1 to the map of tasks in a call and R2 to the key of this one.
func task(m tables) asm.Instructions {
	return asm.Instructions{
		asm.FnGetCurrentPidTgid.Call(),
		asm.StoreMem(asm.RFP, varTask, asm.R0, asm.DWord),
		asm.LoadMapPtr(asm.R1, m.Entered),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, varTask),
	}
}

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

// lookup points R0 to the value of a map for the key in a variable; 0 if it has none.
func lookup(m int, key int32) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, m),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, key),
		asm.FnMapLookupElem.Call(),
	}
}

// store puts the value in a variable into a map for the key in another one.
func store(m int, key, value int32) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, m),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, key),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, value),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(),
	}
}
