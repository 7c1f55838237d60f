package witness

import (
	"github.com/cilium/ebpf/asm"
)

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
// fills in what all programs know; the cgroup is the caller's to fill in.
func reserve(m tables) asm.Instructions {
	return asm.Instructions{
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
