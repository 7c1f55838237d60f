// Package elf32 makes a program for the 32-bit mode of this machine's processor. Tests use it to see how temper
// distinguishes its system calls from native ones.
package elf32

import (
	"bytes"
	"encoding/binary"
	"runtime"
)

// base is where the program is loaded, head what comes before its code.
const base, head = 0x10000, 52 + 32

// target has the ELF header fields of an architecture, and code that opens the file whose name follows the code and
// exits with status 0. The address of the name is written at offset address of the code; 0 means that the code computes
// the address itself.
type target struct {
	machine uint16
	flags   uint32
	code    []byte
	address int
}

// targets is keyed by GOARCH.
var targets = map[string]target{
	"amd64": {machine: 3, address: 1, code: []byte{
		0xbb, 0, 0, 0, 0, // mov ebx, path
		0x31, 0xc9, 0x31, 0xd2, // xor ecx, ecx; xor edx, edx
		0xb8, 5, 0, 0, 0, 0xcd, 0x80, // mov eax, 5 (open); int 0x80
		0x31, 0xdb, // xor ebx, ebx
		0xb8, 1, 0, 0, 0, 0xcd, 0x80, // mov eax, 1 (exit); int 0x80
	}},
	"arm64": {machine: 40, flags: 0x05000000, code: []byte{ // EABI 5
		0x18, 0x00, 0x8f, 0xe2, // add r0, pc, #24
		0x00, 0x10, 0xa0, 0xe3, 0x00, 0x20, 0xa0, 0xe3, // mov r1, #0; mov r2, #0
		0x05, 0x70, 0xa0, 0xe3, 0x00, 0x00, 0x00, 0xef, // mov r7, #5 (open); svc #0
		0x00, 0x00, 0xa0, 0xe3, // mov r0, #0
		0x01, 0x70, 0xa0, 0xe3, 0x00, 0x00, 0x00, 0xef, // mov r7, #1 (exit); svc #0
	}},
}

// Program is an ELF program that tries to open a file for reading and exits with status 0: for x86 on x86-64, for arm
// on arm64.
func Program(file string) []byte {
	t := targets[runtime.GOARCH]
	code := bytes.Clone(t.code)
	if t.address != 0 {
		binary.LittleEndian.PutUint32(code[t.address:], base+head+uint32(len(code)))
	}
	size := uint32(head + len(code) + len(file) + 1)
	var b bytes.Buffer
	b.Write([]byte{0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, v := range []any{
		uint16(2), t.machine, uint32(1), uint32(base + head), uint32(52), uint32(0), t.flags, // an executable
		uint16(52), uint16(32), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(0), uint32(base), uint32(base), size, size, uint32(5), uint32(0x1000), // LOAD, R+X
	} {
		_ = binary.Write(&b, binary.LittleEndian, v) // a buffer takes everything
	}
	b.Write(code)
	b.WriteString(file + "\x00")
	return b.Bytes()
}
