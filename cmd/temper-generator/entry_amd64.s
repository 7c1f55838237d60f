#include "textflag.h"

// The stack is as execve(2) leaves it: argc, argv, NULL, envp, NULL. It must be so again for the runtime.
TEXT ·entry(SB), NOSPLIT|NOFRAME, $0
	MOVQ 0(SP), AX
	LEAQ 16(SP)(AX*8), BX // envp
	MOVQ $0x525F5245504D4554, CX // TEMPER_R

environment:
	MOVQ  (BX), SI
	TESTQ SI, SI
	JZ    profiles
	ADDQ  $8, BX
	CMPQ  CX, (SI) // behind the shortest variable more of the stack follows
	JNE   environment
	JMP   start

profiles:
	MOVQ ·profileDirs+0(SB), BX
	MOVQ ·profileDirs+8(SB), R12
	ADDQ BX, R12

next:
	CMPQ BX, R12
	JAE  nothing
	MOVQ $439, AX     // faccessat2; before Linux 5.8 it is ENOSYS
	MOVQ $-100, DI    // AT_FDCWD
	MOVQ BX, SI
	XORL DX, DX       // F_OK
	MOVQ $0x100, R10  // AT_SYMLINK_NOFOLLOW
	SYSCALL
	CMPQ AX, $-2      // ENOENT
	JNE  start

skip:
	MOVBLZX (BX), AX
	INCQ    BX
	TESTL   AX, AX
	JNZ     skip
	JMP     next

nothing:
	MOVQ $231, AX // exit_group
	XORL DI, DI
	SYSCALL

start:
	MOVQ  $145, AX // sched_getscheduler
	XORL  DI, DI
	SYSCALL
	TESTQ AX, AX   // SCHED_OTHER
	JNZ   runtime
	MOVQ  $204, AX // sched_getaffinity
	XORL  DI, DI
	MOVQ  $1024, SI
	LEAQ  ·processors(SB), DX
	SYSCALL
	TESTQ AX, AX
	JLE   runtime
	MOVQ  AX, R12
	MOVQ  $309, AX // getcpu
	LEAQ  -8(SP), DI
	XORL  SI, SI
	XORL  DX, DX
	SYSCALL
	TESTQ AX, AX
	JNZ   runtime
	MOVL  -8(SP), CX
	BTSQ  CX, ·processor(SB)
	MOVQ  $203, AX // sched_setaffinity
	XORL  DI, DI
	MOVQ  R12, SI
	LEAQ  ·processor(SB), DX
	SYSCALL
	TESTQ AX, AX
	JNZ   runtime
	MOVQ  R12, ·processorsSize(SB)
	MOVQ  $144, AX // sched_setscheduler
	XORL  DI, DI
	MOVQ  $3, SI   // SCHED_BATCH
	MOVQ  $0, -8(SP)
	LEAQ  -8(SP), DX
	SYSCALL

runtime:
	JMP _rt0_amd64_linux(SB)
