//go:build !handfast_ossignal

#include "textflag.h"

// handler is a signal handler of the kernel's: DI is the number, and it returns to restorer. It has the stack that Go's
// runtime has given the thread for signals, and changes no register that rt_sigreturn(2) does not give back.
TEXT ·handler(SB),NOSPLIT|NOFRAME,$0-0
	MOVL	DI, CX
	SUBL	$1, CX
	MOVQ	$1, AX
	SHLQ	CX, AX
	LOCK
	ORQ	AX, ·pending(SB)
	LEAQ	·wakes(SB), R8
	MOVL	(R8)(CX*4), DI
	LEAQ	·one(SB), SI
	MOVL	$8, DX
	MOVL	$1, AX // write(2); an error means that the counter is full, so its reader is awake
	SYSCALL
	RET

TEXT ·restorer(SB),NOSPLIT|NOFRAME,$0-0
	MOVL	$15, AX // rt_sigreturn(2)
	SYSCALL
	INT	$3

// func handlers() (handler, restorer uintptr)
TEXT ·handlers(SB),NOSPLIT,$0-16
	LEAQ	·handler(SB), AX
	MOVQ	AX, handler+0(FP)
	LEAQ	·restorer(SB), AX
	MOVQ	AX, restorer+8(FP)
	RET
