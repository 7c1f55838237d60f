package witness

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// A key of the map of what was used, as offsets from varKey: a system call, or a capability that one was granted.
const (
	usedCgroup = 0 // uint64, of the child
	usedNumber = 8 // uint32, of the call; of a capability also capability << capabilityShift
	usedArch   = 12
	usedBytes  = 16

	capabilityShift = 16
	capabilityArch  = 0xffffffff // instead of the architecture, in the key of a capability

	// The value of the map: how often, and which program was the first.
	usedCount      = 0 // uint64
	usedComm       = 8 // [16]byte
	usedValueBytes = 24
)

// Local variables of the programs, besides those that all programs have.
const (
	varKey   = -280
	varValue = -304
)

// When a call that succeeds is recorded with its arguments. Every other number is the offset of a register.
const (
	useNever   = 0
	useAlways  = 1
	useEntered = 2 // when it begins: its arguments are gone when it has succeeded
	useParent  = 3 // when it returns in the parent: in the child the arguments may have been overwritten
)

// succeeded is the number of the error of a call that has none.
const succeeded = maxErrno + 1

// used says of which calls of one name a use is recorded: of all, or of those with a bit of Mask in an argument.
type used struct {
	When uint32
	Arg  int // counted from 1; 0 is none
	Mask uint32
}

// register is the value of wantUse.
func (u used) register(l layout) uint32 {
	if u.Arg != 0 {
		return uint32(l.Args[u.Arg-1])
	}
	return u.When
}

// namespaceFlags are the flags for which the kernel makes a namespace. That of the time namespace is not among them: in
// clone(2) it is a part of the signal.
const namespaceFlags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// useOf says when the use of a call is recorded.
func useOf(c call) used {
	always := used{When: useAlways}
	switch c.Name {
	case "execve", "execveat":
		return used{When: useEntered}
	case "mmap", "mprotect", "pkey_mprotect":
		return used{Arg: 3, Mask: unix.PROT_EXEC}
	case "clone":
		return used{Arg: 1, Mask: namespaceFlags}
	case "unshare":
		return used{Arg: 1, Mask: namespaceFlags | unix.CLONE_NEWTIME}
	case "clone3":
		return used{When: useParent}
	case "setns", "socket", "socketpair", "sched_setscheduler", "sched_setattr", "personality", "setuid",
		"setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "fchmod", "fchown", "shmat":
		return always
	}
	if c.Path != 0 || c.Data != 0 {
		return always
	}
	return used{When: useNever}
}

// useEnterProgram is for the raw tracepoint sys_enter: it notes which call the task is in and as which user, and sends
// the calls whose arguments are gone later. R8 struct pt_regs.
func useEnterProgram(l layout, m tables) *ebpf.ProgramSpec {
	code := asm.Instructions{asm.LoadMem(asm.R8, asm.R1, 0, asm.DWord)}
	code = append(code, ofWatched(m)...)
	code = append(code, readNumber(l)...)
	code = append(code,
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.RFP, varBit, asm.R1, asm.DWord),
		asm.StoreMem(asm.RFP, varBit, asm.R9, asm.Word),
		asm.FnGetCurrentUidGid.Call(),
		asm.StoreMem(asm.RFP, varBit+4, asm.R0, asm.Word),
	)
	code = append(code, task(m)...)
	code = append(code,
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, varBit),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(),
	)
	code = append(code, row(m)...)
	code = append(code,
		asm.LoadMem(asm.R1, asm.R9, wantUse, asm.Word),
		asm.JNE.Imm(asm.R1, useEntered, "out"),
	)
	return program("temper_use_enter", append(code, sendUse(l, m)...))
}

// useExitProgram is for the raw tracepoint sys_exit: it counts the calls that succeed, and sends those whose arguments
// matter. R7 result, R8 struct pt_regs, R9 the row of the call.
func useExitProgram(l layout, m tables) *ebpf.ProgramSpec {
	code := asm.Instructions{
		asm.LoadMem(asm.R7, asm.R1, 8, asm.DWord),
		asm.LoadMem(asm.R8, asm.R1, 0, asm.DWord),
	}
	code = append(code, ofWatched(m)...)
	code = append(code, task(m)...)
	code = append(code,
		asm.FnMapDeleteElem.Call(),
		asm.JSLT.Imm(asm.R7, -4095, "succeeded"), // an address in the upper half is no error
		asm.JSLT.Imm(asm.R7, 0, "out"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("succeeded"),
	)
	code = append(code, readNumber(l)...)
	code = append(code,
		asm.LoadMem(asm.R1, asm.RFP, varNumber, asm.Word),
		asm.StoreMem(asm.RFP, varKey+usedNumber, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, varArch, asm.Word),
		asm.StoreMem(asm.RFP, varKey+usedArch, asm.R1, asm.Word),
	)
	code = append(code, countUse(m)...)
	code = append(code, row(m)...)
	code = append(code,
		asm.LoadMem(asm.R1, asm.R9, wantUse, asm.Word),
		asm.JEq.Imm(asm.R1, useNever, "out"),
		asm.JEq.Imm(asm.R1, useEntered, "out"),
		asm.JEq.Imm(asm.R1, useAlways, "wanted"),
		asm.JNE.Imm(asm.R1, useParent, "argument"),
		asm.JEq.Imm(asm.R7, 0, "out"),
		asm.Ja.Label("wanted"),
		asm.Mov.Reg(asm.R3, asm.R8).WithSymbol("argument"),
		asm.Add.Reg(asm.R3, asm.R1),
		asm.Mov.Reg(asm.R1, asm.RFP),
		asm.Add.Imm(asm.R1, varTemp),
		asm.Mov.Imm(asm.R2, 8),
		asm.FnProbeReadKernel.Call(),
		asm.LoadMem(asm.R1, asm.RFP, varTemp, asm.Word),
		asm.LoadMem(asm.R2, asm.R9, wantMask, asm.Word),
		asm.And.Reg(asm.R1, asm.R2),
		asm.JEq.Imm(asm.R1, 0, "out"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("wanted"),
	)
	return program("temper_use_exit", append(code, sendUse(l, m)...))
}

// useCapabilityProgram is for the raw tracepoint cap_capable: it counts the capabilities that calls are granted. An
// overlay goes to the files below it as whoever has mounted it: where that is another user than the one who called, as
// for the services of a container that has users of its own, it is no use by the service. R7 capability, R8 result.
func useCapabilityProgram(m tables) *ebpf.ProgramSpec {
	code := asm.Instructions{
		asm.LoadMem(asm.R7, asm.R1, 24, asm.DWord),
		asm.LoadMem(asm.R8, asm.R1, 32, asm.DWord),
		asm.LSh.Imm(asm.R8, 32), // an int: its upper half is not defined
		asm.JNE.Imm(asm.R8, 0, "out"),
		asm.And.Imm(asm.R7, 63),
		asm.LSh.Imm(asm.R7, capabilityShift),
	}
	code = append(code, ofWatched(m)...)
	code = append(code, task(m)...)
	code = append(code,
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"), // the kernel asks on its own account, as when it handles a page fault
		asm.LoadMem(asm.R8, asm.R0, 0, asm.DWord),
		asm.Or.Reg(asm.R7, asm.R8),
		asm.StoreMem(asm.RFP, varKey+usedNumber, asm.R7, asm.Word),
		asm.LoadImm(asm.R1, capabilityArch, asm.DWord),
		asm.StoreMem(asm.RFP, varKey+usedArch, asm.R1, asm.Word),
		asm.FnGetCurrentUidGid.Call(),
		asm.LSh.Imm(asm.R0, 32), // the user is in the lower half
		asm.RSh.Imm(asm.R8, 32),
		asm.LSh.Imm(asm.R8, 32),
		asm.JNE.Reg(asm.R0, asm.R8, "out"),
	)
	return program("temper_use_capable", append(code, countUse(m)...))
}

// ofWatched leaves unless the task may be the service's: it is in the watched cgroup or in one that nobody has looked
// up yet, and it is not systemd that prepares the service. It notes the cgroup in the key.
func ofWatched(m tables) asm.Instructions {
	code := underCgroup(m)
	code = append(code, asm.Mov.Reg(asm.R6, asm.RFP), asm.Add.Imm(asm.R6, varEvent))
	code = append(code, child(m)...)
	code = append(code,
		asm.LoadMem(asm.R1, asm.RFP, varChild, asm.DWord),
		asm.StoreMem(asm.RFP, varKey+usedCgroup, asm.R1, asm.DWord),
		asm.LoadMapPtr(asm.R1, m.Siblings),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, varKey+usedCgroup),
		asm.FnMapLookupElem.Call(),
		asm.JNE.Imm(asm.R0, 0, "out"),
	)
	code = append(code, unlessSystemd()...)
	// systemd-executor(8) is started by its descriptor, and called after its number until it has named itself.
	return append(code,
		asm.LoadMem(asm.R1, asm.RFP, varComm, asm.Byte),
		asm.JLT.Imm(asm.R1, '0', "named"),
		asm.JGT.Imm(asm.R1, '9', "named"),
		asm.LoadMem(asm.R1, asm.RFP, varComm+1, asm.Byte),
		asm.JEq.Imm(asm.R1, 0, "out"),
		asm.JLT.Imm(asm.R1, '0', "named"),
		asm.JGT.Imm(asm.R1, '9', "named"),
		asm.LoadMem(asm.R1, asm.RFP, varComm+2, asm.Byte),
		asm.JEq.Imm(asm.R1, 0, "out"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("named"),
	)
}

// countUse counts what the key names.
func countUse(m tables) asm.Instructions {
	used := func() asm.Instructions {
		return asm.Instructions{
			asm.LoadMapPtr(asm.R1, m.Used), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, varKey),
		}
	}
	code := append(used(),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "first"),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.Ja.Label("counted"),
		asm.Mov.Reg(asm.R1, asm.RFP).WithSymbol("first"),
		asm.Add.Imm(asm.R1, varValue+usedComm),
		asm.Mov.Imm(asm.R2, 16),
		asm.FnGetCurrentComm.Call(),
	)
	code = append(code, set(asm.RFP, varValue+usedCount, 1)...)
	code = append(code, used()...)
	return append(code,
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, varValue),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("counted"),
	)
}

// sendUse sends the call whose registers are at R8 and whose row is at R9.
func sendUse(l layout, m tables) asm.Instructions {
	code := asm.Instructions{asm.StoreImm(asm.RFP, varFilter, 0, asm.Word)}
	code = append(code, set(asm.RFP, varLacked, 0)...)
	code = append(code, reserve(m)...)
	code = append(code,
		asm.LoadMem(asm.R1, asm.RFP, varKey+usedCgroup, asm.DWord),
		asm.StoreMem(asm.R6, eventCgroup, asm.R1, asm.DWord),
		asm.StoreImm(asm.R6, eventErrno, succeeded, asm.Word),
	)
	for i, offset := range l.Args {
		code = append(code, readRegisterInto(eventArgs+8*int32(i), offset)...)
	}
	code = append(code, readString(wantPath, eventPathLen, eventPath, "to")...)
	code = append(code, readString(wantTo, eventToLen, eventTo, "data")...)
	code = append(code, readData()...)
	return append(code, submit("send")...)
}
