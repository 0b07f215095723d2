//go:build !race && !msan && !asan && !handfast_nofork

#include "textflag.h"

// func vfork(trap, a1, a2, a3 uintptr) (r1, errno uintptr)
//
// The child returns first, and then writes to the stack below its caller. So the return address must stay in the link
// register, which each of the two processes has for itself.
TEXT ·vfork(SB), NOSPLIT|NOFRAME, $0-48
	MOVD trap+0(FP), R8
	MOVD a1+8(FP), R0
	MOVD a2+16(FP), R1
	MOVD a3+24(FP), R2
	MOVD ZR, R3
	MOVD ZR, R4
	MOVD ZR, R5
	SVC
	MOVD ZR, R1
	CMN  $4095, R0
	BCC  made
	NEG  R0, R1
	MOVD $-1, R0
made:
	MOVD R0, r1+32(FP)
	MOVD R1, errno+40(FP)
	RET
