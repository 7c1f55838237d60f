package witness

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Local variables of the program, as offsets from the frame pointer, besides those that all programs have.
const (
	varBit   = -120
	varComm  = -136 // 16 bytes
	varEvent = -256 // what child takes for an event
	varChild = varEvent + eventCgroup
)

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
