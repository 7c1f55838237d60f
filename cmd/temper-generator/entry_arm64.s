#include "textflag.h"

// The stack is as execve(2) leaves it: argc, argv, NULL, envp, NULL. It must be so again for the runtime.
TEXT ·entry(SB), NOSPLIT|NOFRAME, $0
	MOVD 0(RSP), R0
	ADD  $16, RSP, R9
	ADD  R0<<3, R9 // envp
	MOVD $0x525F5245504D4554, R10 // TEMPER_R

environment:
	MOVD.P 8(R9), R1
	CBZ    R1, profiles
	MOVD   (R1), R2 // behind the shortest variable more of the stack follows
	CMP    R10, R2
	BEQ    start
	B      environment

profiles:
	MOVD ·profileDirs+0(SB), R9
	MOVD ·profileDirs+8(SB), R10
	ADD  R9, R10

next:
	CMP  R10, R9
	BHS  nothing
	MOVD $439, R8   // faccessat2; before Linux 5.8 it is ENOSYS
	MOVD $-100, R0  // AT_FDCWD
	MOVD R9, R1
	MOVD $0, R2     // F_OK
	MOVD $0x100, R3 // AT_SYMLINK_NOFOLLOW
	SVC
	CMN  $2, R0     // ENOENT
	BNE  start

skip:
	MOVBU.P 1(R9), R1
	CBNZ    R1, skip
	B       next

nothing:
	MOVD $94, R8 // exit_group
	MOVD $0, R0
	SVC

start:
	MOVD $120, R8 // sched_getscheduler
	MOVD $0, R0
	SVC
	CBNZ R0, runtime // not SCHED_OTHER
	MOVD $123, R8 // sched_getaffinity
	MOVD $0, R0
	MOVD $1024, R1
	MOVD $·processors(SB), R2
	SVC
	CMP  $0, R0
	BLE  runtime
	MOVD R0, R9
	MOVD $168, R8 // getcpu
	SUB  $16, RSP, R0
	MOVD $0, R1
	MOVD $0, R2
	SVC
	CBNZ R0, runtime
	MOVWU -16(RSP), R10
	LSR  $6, R10, R11
	MOVD $1, R12
	LSL  R10, R12, R12 // by the lowest six bits
	MOVD $·processor(SB), R2
	MOVD R12, (R2)(R11<<3)
	MOVD $122, R8 // sched_setaffinity
	MOVD $0, R0
	MOVD R9, R1
	SVC
	CBNZ R0, runtime
	MOVD R9, ·processorsSize(SB)
	MOVD $119, R8 // sched_setscheduler
	MOVD $0, R0
	MOVD $3, R1   // SCHED_BATCH
	MOVD ZR, -16(RSP)
	SUB  $16, RSP, R2
	SVC

runtime:
	B _rt0_arm64_linux(SB)
