//go:build !race && !msan && !asan && !handfast_nofork

#include "textflag.h"

// func vfork(trap, a1, a2, a3 uintptr) (r1, errno uintptr)
//
// The child returns first, and then writes to the stack below its caller. So the return address must be kept in a
// register, which each of the two processes has for itself.
TEXT ·vfork(SB), NOSPLIT|NOFRAME, $0-48
	MOVQ trap+0(FP), AX
	MOVQ a1+8(FP), DI
	MOVQ a2+16(FP), SI
	MOVQ a3+24(FP), DX
	XORL R10, R10
	XORL R8, R8
	XORL R9, R9
	MOVQ 0(SP), R12
	SYSCALL
	MOVQ R12, 0(SP)
	XORL CX, CX
	CMPQ AX, $-4095
	JCS  made
	MOVQ AX, CX
	NEGQ CX
	MOVQ $-1, AX
made:
	MOVQ AX, r1+32(FP)
	MOVQ CX, errno+40(FP)
	RET
