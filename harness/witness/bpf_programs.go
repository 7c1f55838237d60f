package witness

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// license is what the kernel wants to read before it lets a program call the helpers that read memory.
const license = "Dual MIT/GPL"

// An event as the programs write it into the ring buffer; the numbers are byte offsets.
const (
	eventNumber  = 0  // uint32, of the system call
	eventErrno   = 4  // uint32; 0 is death by SIGSYS
	eventTask    = 8  // uint64, process id << 32 | thread id
	eventArch    = 16 // uint32; 0 native, 1 the 32-bit mode, or AUDIT_ARCH_*
	eventFilter  = 20 // uint32; 1 if a seccomp filter refused the call
	eventCgroup  = 24 // uint64, id of the cgroup below the watched one
	eventArgs    = 32 // [6]uint64
	eventComm    = 80 // [16]byte
	eventPathLen = 96 // int32, with the final NUL or of the structure; below 1 there is none
	eventToLen   = 100
	eventUser    = 104 // uint32, real user id of the process
	eventLacked  = 112 // uint64, a bit for each capability that the call asked for and the process did not have
	eventPath    = 120
	eventTo      = eventPath + pathSize
	eventSize    = eventTo + pathSize

	pathSize = 512
	dataSize = 128
)

// A value of the map of calls, keyed by number: which errors to record, and which registers point to what.
const (
	wantLow   = 0  // uint64, a bit for each errno below 64
	wantHigh  = 8  // uint64, a bit for each errno from 64 to 127
	wantPath  = 16 // uint32, offset of a register into pt_regs; 0 is none
	wantTo    = 20
	wantData  = 24
	wantSize  = 28
	wantBytes = 32

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
)

// tables are the file descriptors that the programs refer to.
type tables struct {
	Cgroup, Calls, Entered, Ring, Dropped, Granted int
	CgroupID                                       uint64
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
	code = append(code, wantedError(l, m)...)
	code = append(code, reserve(m)...)
	code = append(code, asm.StoreMem(asm.R6, eventErrno, asm.R7, asm.Word))
	for i, offset := range l.Args {
		code = append(code, readRegisterInto(eventArgs+8*int32(i), offset)...)
	}
	code = append(code, readString(wantPath, eventPathLen, eventPath, "to")...)
	code = append(code, readString(wantTo, eventToLen, eventTo, "data")...)
	code = append(code, readData()...)
	code = append(code, submit("send")...)
	return program("temper_exit", code)
}

// wantedError leaves unless the call has ended with an error that is wanted of it, and sets R9 to what is wanted and R7
// to the error. It tells whether seccomp has answered, and whether the call is a native one.
func wantedError(l layout, m tables) asm.Instructions {
	// A call that was never entered and yet returns was answered by seccomp.
	code := task(m)
	code = append(code,
		asm.FnMapDeleteElem.Call(),
		asm.StoreImm(asm.RFP, varFilter, 0, asm.Word),
		asm.JEq.Imm(asm.R0, 0, "entered"),
		asm.StoreImm(asm.RFP, varFilter, 1, asm.Word),
		asm.JSGT.Imm(asm.R7, -1, "out").WithSymbol("entered"),
		asm.JSLT.Imm(asm.R7, -maxErrno, "out"),
	)
	code = append(code, readRegister(varNumber, 4, l.Number)...)
	code = append(code, readRegister(varTemp, 8, l.Mode)...)
	code = append(code,
		asm.StoreImm(asm.RFP, varArch, 0, asm.Word),
		asm.LoadMem(asm.R9, asm.RFP, varNumber, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, varTemp, asm.DWord),
		asm.And.Imm(asm.R1, l.ModeMask),
		asm.JNE.Imm(asm.R1, l.ModeValue, "native"),
		asm.StoreImm(asm.RFP, varArch, 1, asm.Word),
		asm.Mov.Imm(asm.R9, maxNumber),
		asm.JLT.Imm(asm.R9, maxNumber, "known").WithSymbol("native"),
		asm.Mov.Imm(asm.R9, maxNumber),
		asm.StoreMem(asm.RFP, varIndex, asm.R9, asm.Word).WithSymbol("known"),
		asm.LoadMapPtr(asm.R1, m.Calls),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, varIndex),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Reg(asm.R9, asm.R0),
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

// signalProgram is for the raw tracepoint signal_deliver, which has the signal and its struct siginfo: a call that
// seccomp answers with death does not return, but the signal says which it was. R6 context, R8 struct siginfo.
func signalProgram(m tables) *ebpf.ProgramSpec {
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
	insns = append(insns, underCgroup(m)...)
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
	insns = append(insns, asm.StoreImm(asm.R6, eventErrno, 0, asm.Word))
	for i := range 6 {
		insns = append(insns, set(asm.R6, int16(eventArgs+8*i), 0)...)
	}
	return program("temper_signal", append(insns, submit("")...))
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

// readRegister copies size bytes at an offset from R8 to a local variable.
func readRegister(variable, size, offset int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.RFP),
		asm.Add.Imm(asm.R1, variable),
		asm.Mov.Imm(asm.R2, size),
		asm.Mov.Reg(asm.R3, asm.R8),
		asm.Add.Imm(asm.R3, offset),
		asm.FnProbeReadKernel.Call(),
	}
}

// readRegisterInto copies a register at an offset from R8 into the event at R6.
func readRegisterInto(field, offset int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Add.Imm(asm.R1, field),
		asm.Mov.Imm(asm.R2, 8),
		asm.Mov.Reg(asm.R3, asm.R8),
		asm.Add.Imm(asm.R3, offset),
		asm.FnProbeReadKernel.Call(),
	}
}

// reserve takes room for an event in the ring buffer, counts the event as dropped if there is none, points R6 to it and
// fills in what both programs know.
func reserve(m tables) asm.Instructions {
	code := asm.Instructions{
		asm.LoadMapPtr(asm.R1, m.Ring),
		asm.Mov.Imm(asm.R2, eventSize),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnRingbufReserve.Call(),
		asm.JNE.Imm(asm.R0, 0, "room"),
		asm.StoreImm(asm.RFP, varIndex, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, m.Dropped),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, varIndex),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
		asm.Ja.Label("out"),
		asm.Mov.Reg(asm.R6, asm.R0).WithSymbol("room"),
		asm.LoadMem(asm.R1, asm.RFP, varNumber, asm.Word),
		asm.StoreMem(asm.R6, eventNumber, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, varArch, asm.Word),
		asm.StoreMem(asm.R6, eventArch, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, varFilter, asm.Word),
		asm.StoreMem(asm.R6, eventFilter, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, varLacked, asm.DWord),
		asm.StoreMem(asm.R6, eventLacked, asm.R1, asm.DWord),
		asm.FnGetCurrentPidTgid.Call(),
		asm.StoreMem(asm.R6, eventTask, asm.R0, asm.DWord),
		asm.FnGetCurrentUidGid.Call(),
		asm.StoreMem(asm.R6, eventUser, asm.R0, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Add.Imm(asm.R1, eventComm),
		asm.Mov.Imm(asm.R2, 16),
		asm.FnGetCurrentComm.Call(),
		asm.StoreImm(asm.R6, eventPathLen, 0, asm.Word),
		asm.StoreImm(asm.R6, eventToLen, 0, asm.Word),
	}
	return append(code, child(m)...)
}

// child notes the id of the cgroup that is the task's own or its ancestor just below the watched one. How deep the
// watched one lies cannot be known from inside a cgroup namespace, so its id is looked for. It notes 0 for a task of
// the watched one itself, and the task's own cgroup where the watched one lies too deep.
func child(m tables) asm.Instructions {
	code := set(asm.R6, eventCgroup, 0)
	for level := range int32(maxDepth) {
		code = append(code,
			asm.Mov.Imm(asm.R1, level),
			asm.FnGetCurrentAncestorCgroupId.Call(),
			asm.LoadImm(asm.R1, int64(m.CgroupID), asm.DWord),
			asm.JNE.Reg(asm.R0, asm.R1, above(level)),
			asm.Mov.Imm(asm.R1, level+1),
			asm.FnGetCurrentAncestorCgroupId.Call(),
			asm.StoreMem(asm.R6, eventCgroup, asm.R0, asm.DWord),
			asm.Ja.Label("child"),
			asm.Mov.Imm(asm.R0, 0).WithSymbol(above(level)),
		)
	}
	return append(code,
		asm.FnGetCurrentCgroupId.Call(),
		asm.StoreMem(asm.R6, eventCgroup, asm.R0, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("child"),
	)
}

func above(level int32) string { return "above" + string(rune('a'+level)) }

// pointer loads the user's pointer whose register the call's row names into a variable, or jumps if it names none.
func pointer(want int16, variable int32, none string) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R3, asm.R9, want, asm.Word),
		asm.JEq.Imm(asm.R3, 0, none),
		asm.Add.Reg(asm.R3, asm.R8),
		asm.Mov.Reg(asm.R1, asm.RFP),
		asm.Add.Imm(asm.R1, variable),
		asm.Mov.Imm(asm.R2, 8),
		asm.FnProbeReadKernel.Call(),
	}
}

// readString copies a path from user memory, which the kernel has just read itself, and goes on at next.
func readString(want, length int16, field int32, next string) asm.Instructions {
	code := pointer(want, varTemp, next)
	return append(code,
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Add.Imm(asm.R1, field),
		asm.Mov.Imm(asm.R2, pathSize),
		asm.LoadMem(asm.R3, asm.RFP, varTemp, asm.DWord),
		asm.FnProbeReadUserStr.Call(),
		asm.StoreMem(asm.R6, length, asm.R0, asm.Word),
		asm.Mov.Imm(asm.R0, 0).WithSymbol(next),
	)
}

// readData copies the beginning of a structure from user memory.
func readData() asm.Instructions {
	code := append(pointer(wantData, varTemp, "send"), set(asm.RFP, varSize, 64)...)
	code = append(code, pointer(wantSize, varSize, "sized")...)
	return append(code,
		asm.LoadMem(asm.R2, asm.RFP, varSize, asm.DWord).WithSymbol("sized"),
		asm.JLE.Imm(asm.R2, dataSize, "fits"),
		asm.Mov.Imm(asm.R2, dataSize),
		asm.StoreMem(asm.R6, eventPathLen, asm.R2, asm.Word).WithSymbol("fits"),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Add.Imm(asm.R1, eventPath),
		asm.LoadMem(asm.R3, asm.RFP, varTemp, asm.DWord),
		asm.FnProbeReadUser.Call(),
		asm.JEq.Imm(asm.R0, 0, "send"),
		asm.StoreImm(asm.R6, eventPathLen, 0, asm.Word),
	)
}

// set stores 64 bits.
func set(base asm.Register, offset int16, value int32) asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R1, value), asm.StoreMem(base, offset, asm.R1, asm.DWord)}
}

// submit hands the event at R6 over.
func submit(label string) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R6).WithSymbol(label),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRingbufSubmit.Call(),
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
