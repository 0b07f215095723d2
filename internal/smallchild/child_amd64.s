//go:build linux && !race && !msan && !asan

#include "textflag.h"

// The whole small child, as machine code that refers to no symbol outside of child<> to childEnd<>: image makes a static
// program of these bytes. It begins like any program, with its arguments and environment on the stack, and calls nothing
// but the kernel. Layout.go has the addresses and the form of an instruction; doc.go says what it does.
//
// BX is the instruction, R12 the registers, R13 the first instruction, R14 the number of the present one.
// The kernel changes AX, CX and R11 alone.

#define REGS     0x10000000
#define MSGHDR   0x10000800
#define IOVEC    0x10000840
#define CONTROL  0x10000880
#define CONTROLS 160
#define HEADER   0x10000a00
#define ZERO     0x10000b00 // never written
#define OPTION   0x10000b80
#define OUT      0x10001000
#define IN       0x10002000
#define PROGRAM  0x10020000
#define CONSTANT 0x400100
#define SOCKET   0 // (R12): the handshake socket
#define FD0      128 // of the registers: the first descriptor of CONFIG
#define ERRNO    8
#define PLACE    16
#define SENT     24 // frames sent
#define TAKEN    32 // frames received
#define COUNT    40 // of instructions
#define GATE     48 // the listener
#define END      56 // of the home directory's name

TEXT child<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ (SP), AX
	LEAQ 16(SP)(AX*8), SI
	MOVQ $0x54534146444e4148, R8 // HANDFAST
	MOVQ $0x3d54454b434f535f, R9 // _SOCKET=
environment:
	MOVQ (SI), DI
	TESTQ DI, DI
	JZ   die
	ADDQ $8, SI
	CMPQ (DI), R8
	JNE  environment
	CMPQ 8(DI), R9
	JNE  environment
	ADDQ $16, DI
	XORL BX, BX
digit:
	MOVBLZX (DI), AX
	SUBL $48, AX
	CMPL AX, $9
	JHI  adopt
	IMULQ $10, BX
	ADDQ AX, BX
	INCQ DI
	JMP  digit

adopt:
	MOVQ $REGS, R12
	MOVQ BX, (R12)
	MOVQ BX, DI
	MOVL $2, SI // F_SETFD
	MOVL $1, DX // FD_CLOEXEC
	MOVL $72, AX // fcntl
	SYSCALL
	TESTQ AX, AX
	JNZ  die
	MOVL $39, DX // SO_DOMAIN
	CALL sockopt<>(SB)
	CMPL AX, $1 // AF_UNIX
	JNE  die
	MOVL $3, DX // SO_TYPE
	CALL sockopt<>(SB)
	CMPL AX, $5 // SOCK_SEQPACKET
	JNE  die
	MOVQ (R12), DI
	INCQ DI
	MOVL $0xffffffff, SI
	XORL DX, DX
	MOVL $436, AX // close_range
	SYSCALL
	MOVL $64, BX
signal:
	MOVQ BX, DI
	MOVQ $ZERO, SI // SIG_DFL
	XORL DX, DX
	MOVL $8, R10
	MOVL $13, AX // rt_sigaction
	SYSCALL
	DECQ BX
	JNZ  signal
	MOVL $2, DI // SIG_SETMASK
	MOVQ $ZERO, SI
	XORL DX, DX
	MOVL $8, R10
	MOVL $14, AX // rt_sigprocmask
	SYSCALL

	// The greeting.
	MOVQ $CONSTANT, R15
	CALL greet<>(SB)
	TESTQ AX, AX
	JNZ  die

	// The program, which comes as CONFIG.
	XORL BX, BX
fragment:
	MOVQ $PROGRAM, SI
	ADDQ BX, SI
	CMPQ BX, $0xffff
	JHI  die
	CALL receive<>(SB)
	TESTQ AX, AX
	JLT  die
	MOVQ $HEADER, DI
	CMPB 3(DI), $3 // CONFIG
	JNE  die
	TESTQ BX, BX
	JNZ  noDescriptors
	MOVBLZX 5(DI), CX
	CMPL CX, $32
	JHI  die
	MOVQ $(CONTROL+16), SI
	LEAQ FD0(R12), DX
descriptor:
	TESTL CX, CX
	JZ   noDescriptors
	MOVL (SI), R8
	MOVQ R8, (DX)
	ADDQ $4, SI
	ADDQ $8, DX
	DECL CX
	JMP  descriptor
noDescriptors:
	ADDQ AX, BX
	TESTB $1, 4(DI) // MORE
	JNZ  fragment
	MOVQ $PROGRAM, SI
	MOVQ BX, DX
	CALL confirm<>(SB)
	TESTQ AX, AX
	JLT  die

	// A text of bytes, in its form of 16 bits: the program.
	MOVQ $(PROGRAM+3), R13
	MOVQ $0x314d4152474f5250, AX // PROGRAM1
	CMPQ (R13), AX
	JNE  refuse
	MOVL 8(R13), AX
	MOVQ AX, COUNT(R12)
	ADDQ $16, R13
	MOVQ $-1, R14
	JMP  next

refuse:
	XORL R14, R14
	JMP  fail

next:
	INCQ R14
	CMPQ R14, COUNT(R12)
	JCC  die
	IMUL3Q $40, R14, BX
	ADDQ R13, BX
	// The six arguments, each a value or the register of that number.
	XORL CX, CX
	MOVQ $OUT, DI // where they are put down for the moment
argument:
	MOVLQSX 16(BX)(CX*4), AX
	MOVBLZX 2(BX), DX
	BTL  CX, DX
	JCC  value
	MOVQ (R12)(AX*8), AX
value:
	MOVQ AX, (DI)(CX*8)
	INCL CX
	CMPL CX, $6
	JNE  argument
	MOVQ 8(DI), SI
	MOVQ 16(DI), DX
	MOVQ 24(DI), R10
	MOVQ 32(DI), R8
	MOVQ 40(DI), R9
	MOVQ (DI), DI
	MOVBLZX (BX), AX
	CMPL AX, $0
	JEQ  call
	CMPL AX, $1
	JEQ  test
	CMPL AX, $2
	JEQ  jump
	CMPL AX, $3
	JEQ  combine
	CMPL AX, $4
	JEQ  octal
	CMPL AX, $5
	JEQ  request
	CMPL AX, $6
	JEQ  word
	CMPL AX, $7
	JEQ  gate
	CMPL AX, $8
	JEQ  home
	CMPL AX, $9
	JEQ  report
	CMPL AX, $11
	JEQ  parent
	CMPL AX, $12
	JEQ  names
	JMP  fail

call:
	MOVWLZX 4(BX), AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  failed
	MOVBLZX 1(BX), CX
	CMPL CX, $0xff
	JEQ  next
	MOVQ AX, (R12)(CX*8)
	JMP  next
failed:
	NEGQ AX
	MOVQ AX, ERRNO(R12)
	MOVQ R14, PLACE(R12)
	CMPW AX, 6(BX)
	JEQ  jump
	CMPW AX, 8(BX)
	JEQ  jump
	CMPW AX, 10(BX)
	JEQ  jump
	CMPW AX, 12(BX)
	JEQ  jump
	CMPW 6(BX), $-1
	JEQ  jump
	TESTB $1, 3(BX)
	JNZ  next
	JMP  fail

test: // the mask stands where the second and third arguments do, the value behind it
	MOVQ (DI), AX
	ANDQ 20(BX), AX
	CMPQ AX, 28(BX)
	JNE  next
jump:
	MOVWLZX 14(BX), R14
	DECQ R14
	JMP  next

combine: // *DI = *SI and, or *DX
	MOVL (SI), AX
	CMPB 4(BX), $0
	JNE  or
	ANDL (DX), AX
	MOVL AX, (DI)
	JMP  next
or:
	ORL  (DX), AX
	MOVL AX, (DI)
	JMP  next

octal: // the permissions in *SI, as text at DI
	MOVL (SI), AX
	ANDL $0xfff, AX
	MOVL $9, CX
octalZero: // without zeros before, but for the last digit
	MOVL AX, DX
	SHRL CX, DX
	JNZ  octalDigit
	SUBL $3, CX
	JNZ  octalZero
octalDigit:
	MOVL AX, DX
	SHRL CX, DX
	ANDL $7, DX
	ADDL $48, DX
	MOVB DX, (DI)
	INCQ DI
	SUBL $3, CX
	JGE  octalDigit
	MOVB $0, (DI)
	JMP  next

request: // frame and length of its payload, the reply's payload and its length
	MOVQ SI, DX
	MOVQ DI, SI
	MOVL $5, R8 // REQUEST
	XORL R9, R9
	CALL send<>(SB)
	TESTQ AX, AX
	JLT  die
	MOVQ $IN, SI
	CALL receive<>(SB)
	TESTQ AX, AX
	JLT  die
	MOVQ $HEADER, DI
	CMPB 3(DI), $10 // CANCEL
	JEQ  cancelled
	CMPB 3(DI), $6 // REPLY
	JNE  die
	MOVWLZX 8(DI), CX
	ROLW $8, CX
	CMPW CX, SENT(R12)
	JNE  die
	CMPL AX, 28(BX)
	JNE  die
	MOVLQSX 24(BX), SI
	MOVQ $IN, DI
	XORL CX, CX
reply:
	CMPQ CX, AX
	JEQ  next
	MOVBLZX (SI)(CX*1), DX
	CMPB DX, (DI)(CX*1)
	JNE  die
	INCQ CX
	JMP  reply
cancelled:
	MOVQ $CONSTANT, AX
	MOVQ 80(AX), SI
	MOVQ 88(AX), CX
	MOVQ $(OUT+16), DI
	REP; MOVSB
	JMP  last

parent: // whether it is there: it is not once its end of the socket is closed
	MOVQ $OPTION, DI
	MOVQ (R12), AX
	MOVQ AX, (DI)
	MOVL $1, SI
	XORL DX, DX
	MOVL $7, AX // poll
	SYSCALL
	CMPQ AX, $1
	JNE  next
	MOVQ $OPTION, DI
	TESTB $0x10, 6(DI) // POLLHUP
	JZ   next
	JMP  die

word: // EXEC
	MOVQ $OUT, SI
	XORL DX, DX
	MOVL $9, R8
	XORL R9, R9
	CALL send<>(SB)
	TESTQ AX, AX
	JLT  die
	JMP  next

gate: // the listener, constants of the greeting
	MOVQ DI, GATE(R12)
	MOVQ (R12), DI
	MOVL $3, AX // close
	SYSCALL
accept:
	MOVQ GATE(R12), DI
	XORL SI, SI
	XORL DX, DX
	MOVL $0x80000, R10 // SOCK_CLOEXEC
	MOVL $288, AX // accept4
	SYSCALL
	CMPQ AX, $-4 // EINTR
	JEQ  accept
	CMPQ AX, $-103 // ECONNABORTED
	JEQ  accept
	TESTQ AX, AX
	JLT  failed
	MOVQ AX, (R12)
	MOVQ $0, SENT(R12)
	MOVQ $0, TAKEN(R12)
	// Who connects and then says nothing must not keep out the next one.
	MOVQ AX, DI
	MOVL $1, SI // SOL_SOCKET
	MOVL $20, DX // SO_RCVTIMEO
	MOVQ $OPTION, R10
	MOVQ $5, (R10) // seconds, as atGate of package nsinit
	MOVQ $0, 8(R10)
	MOVL $16, R8
	MOVL $54, AX // setsockopt
	SYSCALL
	TESTQ AX, AX
	JNZ  again
	MOVLQSX 20(BX), R15
	CALL greet<>(SB)
	TESTQ AX, AX
	JNZ  again
	MOVQ $IN, SI
	CALL receive<>(SB)
	TESTQ AX, AX
	JLT  again
	MOVQ $HEADER, DI
	CMPB 3(DI), $3 // CONFIG
	JNE  again
	TESTB $1, 4(DI) // MORE
	JNZ  again
	MOVQ $IN, SI
	MOVQ AX, DX
	CALL confirm<>(SB)
	TESTQ AX, AX
	JLT  again
	MOVQ GATE(R12), DI
	MOVL $3, AX
	SYSCALL
	JMP  next
again:
	MOVQ (R12), DI
	MOVL $3, AX
	SYSCALL
	JMP  accept

home: // passwd(5), its length, a user and its length, and where the directory goes
	ADDQ DI, SI
line:
	CMPQ DI, SI
	JCC  noHome
	MOVQ DI, R9
lineEnd:
	CMPQ R9, SI
	JEQ  fields
	CMPB (R9), $10
	JEQ  fields
	INCQ R9
	JMP  lineEnd
fields:
	XORL CX, CX
	MOVQ R9, END(R12)
field:
	CMPQ DI, R9
	JEQ  fieldsRead
	CMPB (DI), $58 // a colon
	JNE  fieldNext
	INCL CX
	CMPL CX, $2
	JNE  fieldNot2
	LEAQ 1(DI), R11
fieldNot2:
	CMPL CX, $3
	JNE  fieldNot3
	MOVQ DI, R15
fieldNot3:
	CMPL CX, $5
	JNE  fieldNot5
	LEAQ 1(DI), AX
fieldNot5:
	CMPL CX, $6
	JNE  fieldNext
	MOVQ DI, END(R12)
fieldNext:
	INCQ DI
	JMP  field
fieldsRead:
	LEAQ 1(R9), DI
	CMPL CX, $5
	JLT  line
	SUBQ R11, R15
	CMPQ R15, R10
	JNE  line
	XORL CX, CX
user:
	CMPQ CX, R10
	JEQ  directory
	MOVBLZX (R11)(CX*1), R15
	CMPB R15, (DX)(CX*1)
	JNE  line
	INCQ CX
	JMP  user
directory:
	MOVQ END(R12), CX
	SUBQ AX, CX
	JLE  line
	CMPB (AX), $47
	JNE  line
	CMPQ CX, $4000
	JHI  fail
	MOVQ AX, SI
	MOVQ R8, DI
	REP; MOVSB
	MOVB $0, (DI)
	JMP  next
noHome:
	MOVW $0x2f, (R8)
	JMP  next

names: // the first bytes of a program, their number, and where the path of its interpreter or loader goes
	XORL AX, AX
	CMPQ SI, $64
	JCS  notELF
	CMPL (DI), $0x464c457f
	JNE  notELF
	CMPW 4(DI), $0x0102 // ELFCLASS64, ELFDATA2LSB
	JNE  fail
	CMPW 54(DI), $56 // e_phentsize
	JNE  fail
	MOVQ 32(DI), R8 // e_phoff
	MOVWLZX 56(DI), CX // e_phnum
segment:
	DECL CX
	JLT  named
	CMPQ R8, SI
	JCC  fail
	LEAQ 56(R8), R10
	CMPQ R10, SI
	JHI  fail
	CMPL (DI)(R8*1), $3 // PT_INTERP
	JEQ  loader
	MOVQ R10, R8
	JMP  segment
loader:
	ADDQ DI, R8
	MOVQ 8(R8), R9 // p_offset
	MOVQ 32(R8), CX // p_filesz
	CMPQ R9, SI
	JHI  fail
	SUBQ R9, SI
	CMPQ CX, SI
	JHI  fail
	LEAQ (DI)(R9*1), SI
	MOVQ DX, DI
	REP; MOVSB
	MOVB $0, (DI)
	MOVL $2, AX
	JMP  named
notELF:
	CMPQ SI, $2
	JCS  named
	CMPW (DI), $0x2123 // #!
	JNE  named
	MOVL $256, CX // BINPRM_BUF_SIZE
	CMPQ SI, CX
	CMOVQHI CX, SI
	ADDQ DI, SI
	INCQ DI
blank:
	INCQ DI
	CMPQ DI, SI
	JCC  named
	MOVBLZX (DI), CX
	CMPL CX, $32
	JEQ  blank
	CMPL CX, $9
	JEQ  blank
letter:
	CMPL CX, $32
	JEQ  lettersEnd
	CMPL CX, $9
	JEQ  lettersEnd
	CMPL CX, $10
	JEQ  lettersEnd
	TESTL CX, CX
	JZ   lettersEnd
	MOVB CX, (DX)
	INCQ DX
	MOVL $1, AX
	INCQ DI
	CMPQ DI, SI
	JCC  lettersEnd
	MOVBLZX (DI), CX
	JMP  letter
lettersEnd:
	MOVB $0, (DX)
named:
	MOVBLZX 1(BX), CX
	MOVQ AX, (R12)(CX*8)
	JMP  next

report: // what stands before the errno and its length, what stands behind, and the texts of errors
	MOVQ DI, AX
	MOVQ SI, CX
	MOVQ AX, SI
	MOVQ $(OUT+16), DI
	MOVQ DX, R9
	REP; MOVSB
	MOVQ ERRNO(R12), AX
text:
	MOVL (R8), CX
	TESTL CX, CX
	JZ   textFound
	CMPL CX, AX
	JEQ  textFound
	ADDQ $16, R8
	JMP  text
textFound:
	MOVQ 8(R8), SI
	MOVL 4(R8), CX
	REP; MOVSB
	MOVQ R9, SI
	MOVQ R10, CX
	REP; MOVSB
	JMP  last

fail: // an ERROR that says which instruction failed, and its errno
	MOVQ R14, PLACE(R12)
	MOVQ $CONSTANT, R15
	MOVQ 48(R15), SI
	MOVQ 56(R15), CX
	MOVQ $(OUT+16), DI
	REP; MOVSB
	MOVQ PLACE(R12), AX
	CALL decimal<>(SB)
	MOVB $32, (DI)
	INCQ DI
	MOVQ ERRNO(R12), AX
	CALL decimal<>(SB)
	MOVQ 64(R15), SI
	MOVQ 72(R15), CX
	REP; MOVSB
last: // the ERROR at OUT, which ends at DI; by write(2), for a filter that has been loaded may allow nothing else
	MOVQ $OUT, SI
	MOVQ DI, DX
	SUBQ $(OUT+16), DX
	MOVL $8, R8
	XORL R9, R9
	CALL header<>(SB)
	MOVQ (R12), DI
	MOVL $1, AX // write
	SYSCALL
die:
	MOVL $1, DI
	MOVL $231, AX // exit_group
	SYSCALL
	JMP  die

// sockopt is the value of a socket's option, DX.
TEXT sockopt<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ $OPTION, R10
	MOVL $0, (R10)
	LEAQ 8(R10), R8
	MOVL $4, (R8)
	MOVQ (R12), DI
	MOVL $1, SI // SOL_SOCKET
	MOVL $55, AX // getsockopt
	SYSCALL
	MOVL $OPTION, R10
	MOVL (R10), AX
	RET

// decimal writes AX at DI.
TEXT decimal<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ $(OPTION+64), SI
	MOVL $10, CX
divide:
	XORL DX, DX
	DIVQ CX
	ADDL $48, DX
	DECQ SI
	MOVB DX, (SI)
	TESTQ AX, AX
	JNZ  divide
	MOVQ $(OPTION+64), CX
	SUBQ SI, CX
	REP; MOVSB
	RET

// header fills in the header of the frame at SI, with DX bytes of payload, of kind R8, in answer to frame R9; DX is the
// whole length then.
TEXT header<>(SB), NOSPLIT|NOFRAME, $0
	SHLL $24, R8
	ORL  $0x015953, R8 // "SY", version 1
	MOVL R8, (SI)
	MOVW $0, 4(SI)
	INCQ SENT(R12)
	MOVQ SENT(R12), AX
	ROLW $8, AX
	MOVW AX, 6(SI)
	ROLW $8, R9
	MOVW R9, 8(SI)
	MOVW $0, 10(SI)
	MOVL DX, CX
	BSWAPL CX
	MOVL CX, 12(SI)
	ADDQ $16, DX
	RET

// send sends a frame, see header. AX is negative if it could not.
TEXT send<>(SB), NOSPLIT|NOFRAME, $0
	CALL header<>(SB)
	MOVQ (R12), DI
	MOVL $0x4000, R10 // MSG_NOSIGNAL
	XORL R8, R8
	XORL R9, R9
	MOVL $44, AX // sendto
	SYSCALL
	RET

// receive takes the next frame: its header at HEADER, its payload at SI, up to 64 KiB. AX is the payload's length,
// negative for the end of the conversation and for what is no frame.
TEXT receive<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ $IOVEC, DI
	MOVQ $HEADER, AX
	MOVQ AX, (DI)
	MOVQ $16, 8(DI)
	MOVQ SI, 16(DI)
	MOVQ $0x10000, 24(DI)
interrupted:
	MOVQ $MSGHDR, SI
	MOVQ $0, (SI)
	MOVQ $0, 8(SI)
	MOVQ DI, 16(SI)
	MOVQ $2, 24(SI)
	MOVQ $CONTROL, AX
	MOVQ AX, 32(SI)
	MOVQ $CONTROLS, 40(SI)
	MOVQ $0, 48(SI)
	MOVQ DI, R8
	MOVQ (R12), DI
	MOVL $0x40000000, DX // MSG_CMSG_CLOEXEC
	MOVL $47, AX // recvmsg
	SYSCALL
	MOVQ R8, DI
	CMPQ AX, $-4 // EINTR
	JEQ  interrupted
	SUBQ $16, AX
	JLT  bad
	TESTL $0x28, 48(SI) // MSG_TRUNC, MSG_CTRUNC
	JNZ  bad
	MOVQ (DI), DI
	MOVL (DI), CX
	ANDL $0xffffff, CX
	CMPL CX, $0x015953
	JNE  bad
	INCQ TAKEN(R12)
	MOVWLZX 6(DI), CX
	ROLW $8, CX
	CMPW CX, TAKEN(R12)
	JNE  bad
	MOVL 12(DI), CX
	BSWAPL CX
	CMPQ AX, CX
	JNE  bad
	// As many descriptors as the header says.
	MOVBLZX 5(DI), CX
	MOVL $0, DX
	CMPQ 40(SI), $0
	JEQ  counted
	MOVQ 32(SI), R8
	MOVQ $0x100000001, R9 // SOL_SOCKET, SCM_RIGHTS
	CMPQ 8(R8), R9
	JNE  bad
	MOVQ (R8), DX
	SUBQ $16, DX
	SHRQ $2, DX
counted:
	CMPL CX, DX
	JNE  bad
	RET
bad:
	MOVQ $-1, AX
	RET

// confirm says CONFIG_OK of a configuration of DX bytes at SI, which may be written to behind its end.
TEXT confirm<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ $0, (SI)(DX*1)
	MOVQ $0x9e3779b97f4a7c15, R8
	MOVQ DX, AX
	IMULQ R8, AX
	MOVQ DX, CX
digest:
	TESTQ CX, CX
	JLE  digested
	XORQ (SI), AX
	IMULQ R8, AX
	ROLQ $32, AX
	IMULQ R8, AX
	ADDQ $8, SI
	SUBQ $8, CX
	JMP  digest
digested:
	// A map of two in MessagePack: size, in its shortest form, and digest.
	MOVQ $(OUT+16), DI
	MOVL $0x6973a482, (DI)
	MOVW $0x657a, 4(DI)
	ADDQ $6, DI
	CMPL DX, $128
	JCS  size8
	CMPL DX, $256
	JCS  size16
	MOVB $0xcd, (DI)
	ROLW $8, DX
	MOVW DX, 1(DI)
	ADDQ $3, DI
	JMP  sized
size16:
	MOVB $0xcc, (DI)
	MOVB DX, 1(DI)
	ADDQ $2, DI
	JMP  sized
size8:
	MOVB DX, (DI)
	INCQ DI
sized:
	MOVQ $0xb0747365676964a6, CX // the text "digest", and a text of 16 bytes
	MOVQ CX, (DI)
	ADDQ $8, DI
	MOVL $16, CX
hex:
	ROLQ $4, AX
	MOVL AX, DX
	ANDL $15, DX
	CMPL DX, $10
	JCS  hexDigit
	ADDL $39, DX
hexDigit:
	ADDL $48, DX
	MOVB DX, (DI)
	INCQ DI
	DECL CX
	JNZ  hex
	MOVQ $OUT, SI
	MOVQ DI, DX
	SUBQ $(OUT+16), DX
	MOVL $4, R8 // CONFIG_OK
	MOVQ TAKEN(R12), R9
	CALL send<>(SB)
	RET

// greet takes HELLO, which must hold the text at 0(R15), of 8(R15) bytes, and says HELLO_ACK: what stands before the
// process's number, at 16(R15), of 24(R15) bytes, and what stands behind it, at 32(R15), of 40(R15). AX is zero then.
TEXT greet<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ $IN, SI
	CALL receive<>(SB)
	TESTQ AX, AX
	JLT  stranger
	MOVQ $HEADER, DI
	CMPB 3(DI), $1 // HELLO
	JNE  stranger
	MOVQ $IN, SI
	MOVQ (R15), R8
	MOVQ 8(R15), R9
	SUBQ R9, AX
	JLT  stranger
	LEAQ (SI)(AX*1), DI
place:
	CMPQ SI, DI
	JHI  stranger
	XORL CX, CX
same:
	MOVBLZX (SI)(CX*1), DX
	CMPB DX, (R8)(CX*1)
	JNE  elsewhere
	INCQ CX
	CMPQ CX, R9
	JNE  same
	MOVL $39, AX // getpid
	SYSCALL
	MOVQ $(OUT+16), DI
	MOVQ 16(R15), SI
	MOVQ 24(R15), CX
	REP; MOVSB
	CALL decimal<>(SB)
	MOVQ 32(R15), SI
	MOVQ 40(R15), CX
	REP; MOVSB
	MOVQ $OUT, SI
	MOVQ DI, DX
	SUBQ $(OUT+16), DX
	MOVL $2, R8 // HELLO_ACK
	MOVL $1, R9
	CALL send<>(SB)
	TESTQ AX, AX
	JLT  stranger
	XORL AX, AX
	RET
elsewhere:
	INCQ SI
	JMP  place
stranger:
	MOVQ $-1, AX
	RET

TEXT childEnd<>(SB), NOSPLIT|NOFRAME, $0
	RET

// func bounds() (start, end uintptr)
TEXT ·bounds(SB), NOSPLIT, $0-16
	LEAQ child<>(SB), AX
	MOVQ AX, start+0(FP)
	LEAQ childEnd<>(SB), AX
	MOVQ AX, end+8(FP)
	RET
