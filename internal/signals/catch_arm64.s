//go:build !handfast_ossignal

#include "textflag.h"

// handler is a signal handler of the kernel's: R0 is the number, and it returns to the kernel's own code (vdso(7)),
// which gives back every register. It has the stack that Go's runtime has given the thread for signals, and does not
// use it.
TEXT ·handler(SB),NOSPLIT|NOFRAME,$0-0
	SUB	$1, R0, R1
	MOVD	$1, R2
	LSL	R1, R2
	MOVD	$·pending(SB), R3
again:
	LDAXR	(R3), R4
	ORR	R2, R4
	STLXR	R4, (R3), R5
	CBNZW	R5, again
	MOVD	$·wakes(SB), R3
	MOVW	(R3)(R1<<2), R0
	MOVD	$·one(SB), R1
	MOVD	$8, R2
	MOVD	$64, R8 // write(2); an error means that the counter is full, so its reader is awake
	SVC
	RET

// func handlers() (handler, restorer uintptr)
TEXT ·handlers(SB),NOSPLIT,$0-16
	MOVD	$·handler(SB), R0
	MOVD	R0, handler+0(FP)
	MOVD	ZR, restorer+8(FP)
	RET
