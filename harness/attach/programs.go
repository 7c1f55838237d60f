package attach

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// The programs compare with one rule after the other, without maps, and leave at the first that decides.

// What a program returns.
const (
	refuse = 0
	pass   = 1
)

// Offsets of fields; struct __sk_buff, bpf_sock_addr and bpf_cgroup_dev_ctx in linux/bpf.h.
const (
	packetProtocol  = 16
	packetInterface = 40

	socketPort     = 24
	socketProtocol = 36

	deviceAccess = 0 // type in the lower half, access in the upper
	deviceMajor  = 4
	deviceMinor  = 8
)

// license is a license under which the kernel allows a program to call all helpers.
const license = "Dual MIT/GPL"

// programs returns the programs that enforce the rules.
func (r Rules) programs() []*ebpf.ProgramSpec {
	var list []*ebpf.ProgramSpec
	add := func(name string, kind ebpf.ProgramType, at ebpf.AttachType, code asm.Instructions) {
		list = append(list, &ebpf.ProgramSpec{
			Name: name, Type: kind, AttachType: at, Instructions: code, License: license,
		})
	}
	if len(r.AddressDeny) > 0 {
		for _, f := range families {
			add("sd_fw_ingress", ebpf.CGroupSKB, ebpf.AttachCGroupInetIngress, r.addresses(f, f.source))
			add("sd_fw_egress", ebpf.CGroupSKB, ebpf.AttachCGroupInetEgress, r.addresses(f, f.destination))
		}
	}
	if len(r.BindDeny) > 0 {
		add("sd_bind4", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet4Bind, r.binds(unix.AF_INET))
		add("sd_bind6", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet6Bind, r.binds(unix.AF_INET6))
	}
	if r.Interfaces != nil {
		add("sd_restrictif_i", ebpf.CGroupSKB, ebpf.AttachCGroupInetIngress, r.Interfaces.packets())
		add("sd_restrictif_e", ebpf.CGroupSKB, ebpf.AttachCGroupInetEgress, r.Interfaces.packets())
	}
	if r.OnlyDevices {
		add("sd_devices", ebpf.CGroupDevice, ebpf.AttachCGroupDevice, devices(r.Devices))
	}
	return list
}

// family is an internet protocol, and where its packets have their addresses.
type family struct {
	protocol            uint16 // ETH_P_*
	bytes               int    // of an address
	source, destination int32  // offset from the beginning of the packet
}

var families = []family{
	{unix.ETH_P_IP, 4, 12, 16},
	{unix.ETH_P_IPV6, 16, 8, 24},
}

// end returns a value.
func end(value int32) asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R0, value), asm.Return()}
}

// A chain is a program that tries rules one after the other.
type chain struct {
	code   asm.Instructions
	rules  int
	closed bool // the last rule matches everything: the kernel refuses code that is never reached
}

// rule adds a rule, which decides where none of its conditions, which jump to the label that they are given, jumps.
func (c *chain) rule(decision int32, conditions func(otherwise string) asm.Instructions) {
	if c.closed {
		return
	}
	c.rules++
	label := fmt.Sprintf("after_rule_%d", c.rules)
	jumps := conditions(label)
	c.code = append(append(c.code, jumps...), end(decision)...)
	if c.closed = len(jumps) == 0; !c.closed {
		c.code = append(c.code, asm.Mov.Imm(asm.R0, pass).WithSymbol(label))
	}
}

// otherwise ends the program with what it decides where no rule does.
func (c *chain) otherwise(decision int32) asm.Instructions {
	if c.closed {
		return c.code
	}
	return append(c.code, end(decision)...)
}

// networkOrder is the number under which a little or big endian machine loads four bytes.
func networkOrder(b []byte) int32 { return int32(binary.NativeEndian.Uint32(b)) }

// addresses passes packets of one family by the address at an offset.
func (r Rules) addresses(f family, offset int32) asm.Instructions {
	const local = -16 // offset of the address from the frame pointer
	c := chain{code: asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R6, packetProtocol, asm.Word),
		asm.HostTo(asm.BE, asm.R7, asm.Half),
		asm.JEq.Imm(asm.R7, int32(f.protocol), "load"),
		asm.Mov.Imm(asm.R0, pass),
		asm.Return(),
		asm.Mov.Reg(asm.R1, asm.R6).WithSymbol("load"),
		asm.Mov.Imm(asm.R2, offset),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, local),
		asm.Mov.Imm(asm.R4, int32(f.bytes)),
		asm.FnSkbLoadBytes.Call(),
		asm.JEq.Imm(asm.R0, 0, "loaded"),
		asm.Mov.Imm(asm.R0, pass), // too short to have an address
		asm.Return(),
		asm.Mov.Imm(asm.R0, pass).WithSymbol("loaded"),
	}}
	compare := func(prefixes []netip.Prefix, decision int32) {
		for _, p := range prefixes {
			if p.Addr().BitLen() == 8*f.bytes {
				c.rule(decision, func(otherwise string) asm.Instructions { return outside(p, local, otherwise) })
			}
		}
	}
	compare(r.AddressAllow, pass)
	compare(r.AddressDeny, refuse)
	return c.otherwise(pass)
}

// outside jumps to a label where the address at an offset from the frame pointer is not one of a prefix.
func outside(p netip.Prefix, offset int, label string) (jumps asm.Instructions) {
	address := p.Masked().Addr().AsSlice()
	mask := maskOf(p.Bits(), len(address))
	for i := 0; i < len(address) && networkOrder(mask[i:]) != 0; i += 4 {
		jumps = append(jumps,
			asm.LoadMem(asm.R1, asm.RFP, int16(offset+i), asm.Word),
			asm.And.Imm32(asm.R1, networkOrder(mask[i:])),
			asm.JNE.Imm32(asm.R1, networkOrder(address[i:]), label),
		)
	}
	return jumps
}

// maskOf is a mask of so many one bits.
func maskOf(bits, bytes int) []byte {
	mask := make([]byte, bytes)
	for i := range bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return mask
}

// binds passes calls of bind(2) of one family by port and protocol.
func (r Rules) binds(family int) asm.Instructions {
	c := chain{code: asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, socketPort, asm.Word),
		asm.HostTo(asm.BE, asm.R2, asm.Half),
		asm.LoadMem(asm.R3, asm.R1, socketProtocol, asm.Word),
	}}
	compare := func(list []Ports, decision int32) {
		for _, p := range list {
			if p.Family == 0 || p.Family == family {
				c.rule(decision, p.others)
			}
		}
	}
	compare(r.BindAllow, pass)
	compare(r.BindDeny, refuse)
	return c.otherwise(pass)
}

// others jumps to a label where R2 is none of the ports, or R3 another protocol.
func (p Ports) others(label string) (jumps asm.Instructions) {
	if p.Protocol != 0 {
		jumps = append(jumps, asm.JNE.Imm(asm.R3, int32(p.Protocol), label))
	}
	if first, after := int32(p.First), int32(p.First)+int32(p.Count); after > first {
		jumps = append(jumps, asm.JLT.Imm(asm.R2, first, label), asm.JGE.Imm(asm.R2, after, label))
	}
	return jumps
}

// packets passes packets by the interface over which they come or go.
func (i Interfaces) packets() asm.Instructions {
	listed, others := int32(refuse), int32(pass)
	if i.Allowed {
		listed, others = pass, refuse
	}
	c := chain{code: asm.Instructions{asm.LoadMem(asm.R2, asm.R1, packetInterface, asm.Word)}}
	for _, number := range i.Numbers {
		c.rule(listed, func(otherwise string) asm.Instructions {
			return asm.Instructions{asm.JNE.Imm(asm.R2, int32(number), otherwise)}
		})
	}
	return c.otherwise(others)
}

// The kinds of devices and what is done with them; BPF_DEVCG_* in linux/bpf.h.
const (
	blockDevice, charDevice                     = 1, 2
	createDevice, readDevice, writeDevice       = 1, 2, 4
	accessShift                           int32 = 16
)

// devices lets these be opened and made, and no others.
func devices(list []Device) asm.Instructions {
	c := chain{code: asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, deviceAccess, asm.Word),
		asm.Mov.Reg(asm.R3, asm.R2),
		asm.And.Imm(asm.R2, 0xffff),
		asm.RSh.Imm(asm.R3, accessShift),
		asm.LoadMem(asm.R4, asm.R1, deviceMajor, asm.Word),
		asm.LoadMem(asm.R5, asm.R1, deviceMinor, asm.Word),
	}}
	for _, d := range list {
		c.rule(pass, d.others)
	}
	return c.otherwise(refuse)
}

// others jumps to a label where type, access, major and minor number, in R2 to R5, are none that this allows.
func (d Device) others(label string) asm.Instructions {
	kind := int32(charDevice)
	if d.Block {
		kind = blockDevice
	}
	jumps := asm.Instructions{asm.JNE.Imm(asm.R2, kind, label), asm.JNE.Imm(asm.R4, int32(d.Major), label)}
	if !d.AllMinor {
		jumps = append(jumps, asm.JNE.Imm(asm.R5, int32(d.Minor), label))
	}
	return append(jumps,
		asm.Mov.Reg(asm.R0, asm.R3),
		asm.And.Imm(asm.R0, ^d.access()),
		asm.JNE.Imm(asm.R0, 0, label),
	)
}

// access is what may be done with a device, as the kernel has it.
func (d Device) access() (bits int32) {
	for bit, allowed := range map[int32]bool{createDevice: d.Create, readDevice: d.Read, writeDevice: d.Write} {
		if allowed {
			bits |= bit
		}
	}
	return bits
}
