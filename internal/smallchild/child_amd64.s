//go:build linux && !race && !msan && !asan && !handfast_nofork

#include "go_asm.h"
#include "textflag.h"

// The whole small child, as machine code that refers to no symbol outside of child<> to childEnd<>: Image makes a static
// program of these bytes. It begins like any program, with its arguments and environment on the stack, and calls nothing
// but the kernel. layout.go has the addresses and the form of an instruction; doc.go says what it does.
//
// BX is the instruction, R12 the registers, R13 the first instruction, R14 the number of the present one.
// The kernel changes AX, CX and R11 alone.

#define SOCKET (8*const_Socket)(R12)
#define ERRNO  (8*const_regErrno)(R12)
#define PLACE  (8*const_regPlace)(R12)
#define SENT   (8*const_regSent)(R12)
#define TAKEN  (8*const_regTaken)(R12)
#define COUNT  (8*const_regCount)(R12)
#define GATE   (8*const_regGate)(R12)
#define END    (8*const_regEnd)(R12)
#define SIGNALS (8*const_regSignals)(R12)

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
	MOVQ $const_registers, R12
	MOVQ BX, SOCKET
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
	MOVQ SOCKET, DI
	INCQ DI
	MOVL $0xffffffff, SI
	XORL DX, DX
	MOVL $436, AX // close_range
	SYSCALL

	// The greeting.
	MOVQ $const_constants, R15
	CALL greet<>(SB)
	TESTQ AX, AX
	JNZ  die

	// The program, which comes as CONFIG.
	XORL BX, BX
fragment:
	MOVQ $const_configBase, SI
	ADDQ BX, SI
	CMPQ BX, $const_maxConfig
	JHI  die
	CALL receive<>(SB)
	TESTQ AX, AX
	JLT  die
	MOVQ $const_header, DI
	CMPB 3(DI), $const_kindConfig
	JNE  die
	TESTQ BX, BX
	JNZ  noDescriptors
	MOVBLZX 5(DI), CX
	CMPL CX, $const_maxFDs
	JHI  die
	MOVQ $(const_control+16), SI
	LEAQ (8*const_firstFD)(R12), DX
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
	MOVQ $const_configBase, SI
	MOVQ BX, DX
	CALL confirm<>(SB)
	TESTQ AX, AX
	JLT  die

	// A value of bytes: the program.
	MOVQ $const_configBase, R13
	CMPB (R13), $const_longMark
	JNE  short
	ADDQ $(const_longHead-const_shortHead), R13
short:
	ADDQ $const_shortHead, R13
	MOVQ $0x314d4152474f5250, AX // PROGRAM1
	CMPQ (R13), AX
	JNE  refuse
	MOVL 8(R13), AX
	MOVQ AX, COUNT
	ADDQ $16, R13
	MOVQ $-1, R14
	JMP  next

refuse:
	XORL R14, R14
	JMP  fail

next:
	INCQ R14
	CMPQ R14, COUNT
	JCC  die
	IMUL3Q $40, R14, BX
	ADDQ R13, BX
	// The six arguments, each a value or the register of that number.
	XORL CX, CX
	MOVQ $const_out, DI // where they are put down for the moment
argument:
	MOVLQSX const_atArgs(BX)(CX*4), AX
	MOVBLZX const_atRegs(BX), DX
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
	MOVBLZX const_atOp(BX), AX
	CMPL AX, $const_opCall
	JEQ  call
	CMPL AX, $const_opTest
	JEQ  test
	CMPL AX, $const_opJump
	JEQ  jump
	CMPL AX, $const_opCombine
	JEQ  combine
	CMPL AX, $const_opOctal
	JEQ  octal
	CMPL AX, $const_opRequest
	JEQ  request
	CMPL AX, $const_opWord
	JEQ  word
	CMPL AX, $const_opGate
	JEQ  gate
	CMPL AX, $const_opHome
	JEQ  home
	CMPL AX, $const_opReport
	JEQ  report
	CMPL AX, $const_opParent
	JEQ  parent
	CMPL AX, $const_opNames
	JEQ  names
	CMPL AX, $const_opEntry
	JEQ  entry
	CMPL AX, $const_opCut
	JEQ  cut
	JMP  fail

call:
	MOVWLZX const_atNumber(BX), AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  failed
	MOVBLZX const_atInto(BX), CX
	CMPL CX, $const_noReg
	JEQ  next
	MOVQ AX, (R12)(CX*8)
	JMP  next
failed:
	NEGQ AX
	MOVQ AX, ERRNO
	MOVQ R14, PLACE
	CMPW AX, const_atErrnos(BX)
	JEQ  jump
	CMPW AX, (const_atErrnos+2)(BX)
	JEQ  jump
	CMPW AX, (const_atErrnos+4)(BX)
	JEQ  jump
	CMPW AX, (const_atErrnos+6)(BX)
	JEQ  jump
	CMPW const_atErrnos(BX), $-1
	JEQ  jump
	TESTB $1, const_atIgnore(BX)
	JNZ  next
	JMP  fail

test: // the mask stands where the second and third arguments do, the value behind it
	MOVQ (DI), AX
	ANDQ (const_atArgs+4)(BX), AX
	CMPQ AX, (const_atArgs+12)(BX)
	JNE  next
jump:
	MOVWLZX const_atTarget(BX), R14
	DECQ R14
	JMP  next

combine: // *DI = *SI and, or *DX
	MOVL (SI), AX
	CMPB const_atNumber(BX), $0
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

request: // frame and length of its payload, the reply's payload and its length, a descriptor to send along or zero
	MOVQ R8, R15
	MOVQ SI, DX
	MOVQ DI, SI
	MOVL $const_kindRequest, R8
	XORL R9, R9
	TESTQ R15, R15
	JNZ  along
	CALL send<>(SB)
	JMP  sent
along:
	CALL header<>(SB)
	MOVB $1, 5(SI) // one descriptor
	MOVQ $const_vector, R8
	MOVQ SI, (R8)
	MOVQ DX, 8(R8)
	MOVQ $const_control, R9
	MOVQ $20, (R9)
	MOVQ $0x100000001, R10 // SOL_SOCKET, SCM_RIGHTS
	MOVQ R10, 8(R9)
	MOVQ R15, 16(R9)
	MOVQ $const_messageHeader, SI
	MOVQ $0, (SI)
	MOVQ $0, 8(SI)
	MOVQ R8, 16(SI)
	MOVQ $1, 24(SI)
	MOVQ R9, 32(SI)
	MOVQ $24, 40(SI)
	MOVQ SOCKET, DI
	MOVL $0x4000, DX // MSG_NOSIGNAL
	MOVL $46, AX // sendmsg
	SYSCALL
sent:
	TESTQ AX, AX
	JLT  die
	MOVQ $const_in, SI
	CALL receive<>(SB)
	TESTQ AX, AX
	JLT  die
	MOVQ $const_header, DI
	CMPB 3(DI), $const_kindCancel
	JEQ  cancelled
	CMPB 3(DI), $const_kindReply
	JNE  die
	MOVWLZX 8(DI), CX
	ROLW $8, CX
	CMPW CX, SENT
	JNE  die
	CMPL AX, (const_atArgs+12)(BX)
	JNE  die
	MOVLQSX (const_atArgs+8)(BX), SI
	MOVQ $const_in, DI
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
	MOVQ $const_constants, AX
	MOVQ const_atCancelled(AX), SI
	MOVQ (const_atCancelled+8)(AX), CX
	MOVQ $const_payloadOut, DI
	REP; MOVSB
	JMP  last

parent: // whether it is there: it is not once its end of the socket is closed
	MOVQ $const_option, DI
	MOVQ SOCKET, AX
	MOVQ AX, (DI)
	MOVL $1, SI
	XORL DX, DX
	MOVL $7, AX // poll
	SYSCALL
	CMPQ AX, $1
	JNE  next
	MOVQ $const_option, DI
	TESTB $0x10, 6(DI) // POLLHUP
	JZ   next
	JMP  die

word: // EXEC
	MOVQ $const_out, SI
	XORL DX, DX
	MOVL $const_kindExec, R8
	XORL R9, R9
	CALL send<>(SB)
	TESTQ AX, AX
	JLT  die
	JMP  next

gate: // the listener, constants of the greeting, the signals that end the child here
	MOVQ DI, GATE
	MOVQ DX, SIGNALS
	MOVQ SOCKET, DI
	MOVL $3, AX // close
	SYSCALL
accept:
	MOVQ $const_option, DI // two of struct pollfd, for POLLIN
	MOVQ GATE, AX
	MOVL AX, (DI)
	MOVL $1, 4(DI)
	MOVQ SIGNALS, AX
	MOVL AX, 8(DI)
	MOVL $1, 12(DI)
	MOVL $2, SI
	MOVQ $-1, DX
	MOVL $7, AX // poll
	SYSCALL
	CMPQ AX, $-4 // EINTR
	JEQ  accept
	TESTQ AX, AX
	JLT  take
	CMPW 14(DI), $0
	JEQ  take
	MOVQ SIGNALS, DI
	MOVQ $const_in, SI
	MOVL $128, DX // struct signalfd_siginfo
	XORL AX, AX // read
	SYSCALL
	CMPQ AX, $128
	JNE  take
	MOVL (SI), DI
	ADDL $128, DI
	MOVL $231, AX // exit_group
	SYSCALL
take:
	MOVQ GATE, DI
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
	MOVQ AX, SOCKET
	MOVQ $0, SENT
	MOVQ $0, TAKEN
	// Who connects and then says nothing must not keep out the next one.
	MOVQ AX, DI
	MOVL $1, SI // SOL_SOCKET
	MOVL $20, DX // SO_RCVTIMEO
	MOVQ $const_option, R10
	MOVQ $const_GateSeconds, (R10)
	MOVQ $0, 8(R10)
	MOVL $16, R8
	MOVL $54, AX // setsockopt
	SYSCALL
	TESTQ AX, AX
	JNZ  again
	MOVLQSX (const_atArgs+4)(BX), R15
	CALL greet<>(SB)
	TESTQ AX, AX
	JNZ  again
	MOVQ $const_in, SI
	CALL receive<>(SB)
	TESTQ AX, AX
	JLT  again
	MOVQ $const_header, DI
	CMPB 3(DI), $const_kindConfig
	JNE  again
	TESTB $1, 4(DI) // MORE
	JNZ  again
	MOVQ $const_in, SI
	MOVQ AX, DX
	CALL confirm<>(SB)
	TESTQ AX, AX
	JLT  again
	MOVQ GATE, DI
	MOVL $3, AX
	SYSCALL
	JMP  next
again:
	MOVQ SOCKET, DI
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
	MOVQ R9, END
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
	MOVQ DI, END
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
	MOVQ END, CX
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
	MOVBLZX const_atInto(BX), CX
	MOVQ AX, (R12)(CX*8)
	JMP  next

entry: // a directory, and the depth, by which its names are kept
	SHLQ $12, SI // entriesSize
	MOVQ $const_entries, R15
	ADDQ SI, R15
	MOVQ DI, R9
nextEntry:
	MOVQ (R15), AX
	CMPQ AX, 8(R15)
	JCS  entryKept
	MOVQ R9, DI
	LEAQ const_entriesHead(R15), SI
	MOVL $const_entriesRoom, DX
	MOVL $217, AX // getdents64
	SYSCALL
	TESTQ AX, AX
	JLT  failed
	MOVQ $0, (R15)
	MOVQ AX, 8(R15)
	JEQ  jump
	JMP  nextEntry
entryKept: // struct linux_dirent64
	LEAQ const_entriesHead(R15)(AX*1), SI
	MOVWLZX 16(SI), CX
	ADDQ AX, CX
	MOVQ CX, (R15)
	ADDQ $19, SI
	MOVL (SI), AX
	CMPW AX, $0x2e // "."
	JEQ  nextEntry
	ANDL $0xffffff, AX
	CMPL AX, $0x2e2e // ".."
	JEQ  nextEntry
	MOVBLZX const_atInto(BX), CX
	MOVQ SI, (R12)(CX*8)
	JMP  next

cut: // an address, and the length of the text there
	MOVB $0, (DI)(SI*1)
	JMP  next

report: // what stands before the errno and its length, what stands behind, and the texts of errors
	MOVQ DI, AX
	MOVQ SI, CX
	MOVQ AX, SI
	MOVQ $const_payloadOut, DI
	MOVQ DX, R9
	REP; MOVSB
	MOVQ ERRNO, AX
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
	MOVQ R14, PLACE
	MOVQ $const_constants, R15
	MOVQ const_atFailedBefore(R15), SI
	MOVQ (const_atFailedBefore+8)(R15), CX
	MOVQ $const_payloadOut, DI
	REP; MOVSB
	MOVQ PLACE, AX
	CALL decimal<>(SB)
	MOVB $32, (DI)
	INCQ DI
	MOVQ ERRNO, AX
	CALL decimal<>(SB)
	MOVQ const_atFailedBehind(R15), SI
	MOVQ (const_atFailedBehind+8)(R15), CX
	REP; MOVSB
last: // the ERROR at out, which ends at DI; by write(2), for a filter that has been loaded may allow nothing else
	MOVQ $const_out, SI
	MOVQ DI, DX
	SUBQ $const_payloadOut, DX
	MOVL $const_kindError, R8
	XORL R9, R9
	CALL header<>(SB)
	MOVQ SOCKET, DI
	MOVL $1, AX // write
	SYSCALL
die:
	MOVL $1, DI
	MOVL $231, AX // exit_group
	SYSCALL
	JMP  die

// sockopt is the value of a socket's option, DX.
TEXT sockopt<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ $const_option, R10
	MOVL $0, (R10)
	LEAQ 8(R10), R8
	MOVL $4, (R8)
	MOVQ SOCKET, DI
	MOVL $1, SI // SOL_SOCKET
	MOVL $55, AX // getsockopt
	SYSCALL
	MOVL $const_option, R10
	MOVL (R10), AX
	RET

// decimal writes AX at DI.
TEXT decimal<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ $(const_option+64), SI
	MOVL $10, CX
divide:
	XORL DX, DX
	DIVQ CX
	ADDL $48, DX
	DECQ SI
	MOVB DX, (SI)
	TESTQ AX, AX
	JNZ  divide
	MOVQ $(const_option+64), CX
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
	INCQ SENT
	MOVQ SENT, AX
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
	MOVQ SOCKET, DI
	MOVL $0x4000, R10 // MSG_NOSIGNAL
	XORL R8, R8
	XORL R9, R9
	MOVL $44, AX // sendto
	SYSCALL
	RET

// receive takes the next frame: its header at const_header, its payload at SI, up to 64 KiB. AX is the payload's length,
// negative for the end of the conversation and for what is no frame.
TEXT receive<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ $const_vector, DI
	MOVQ $const_header, AX
	MOVQ AX, (DI)
	MOVQ $16, 8(DI)
	MOVQ SI, 16(DI)
	MOVQ $const_frameSize, 24(DI)
interrupted:
	MOVQ $const_messageHeader, SI
	MOVQ $0, (SI)
	MOVQ $0, 8(SI)
	MOVQ DI, 16(SI)
	MOVQ $2, 24(SI)
	MOVQ $const_control, AX
	MOVQ AX, 32(SI)
	MOVQ $const_controlSize, 40(SI)
	MOVQ $0, 48(SI)
	MOVQ DI, R8
	MOVQ SOCKET, DI
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
	INCQ TAKEN
	MOVWLZX 6(DI), CX
	ROLW $8, CX
	CMPW CX, TAKEN
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
	MOVQ $const_payloadOut, DI
	MOVL $0x6973a482, (DI)
	MOVW $0x657a, 4(DI)
	ADDQ $6, DI
	CMPL DX, $128
	JCS  size8
	CMPL DX, $256
	JCS  size16
	CMPL DX, $65536
	JCS  size24
	MOVB $0xce, (DI)
	BSWAPL DX
	MOVL DX, 1(DI)
	ADDQ $5, DI
	JMP  sized
size24:
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
	MOVQ $const_out, SI
	MOVQ DI, DX
	SUBQ $const_payloadOut, DX
	MOVL $const_kindConfigOK, R8
	MOVQ TAKEN, R9
	CALL send<>(SB)
	RET

// greet takes HELLO, which must hold the first of the texts at R15, and says HELLO_ACK: the second text, the process's
// number, and the third. AX is zero then.
TEXT greet<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ $const_in, SI
	CALL receive<>(SB)
	TESTQ AX, AX
	JLT  stranger
	MOVQ $const_header, DI
	CMPB 3(DI), $const_kindHello
	JNE  stranger
	MOVQ $const_in, SI
	MOVQ const_atExpected(R15), R8
	MOVQ (const_atExpected+8)(R15), R9
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
	MOVQ $const_payloadOut, DI
	MOVQ const_atBefore(R15), SI
	MOVQ (const_atBefore+8)(R15), CX
	REP; MOVSB
	CALL decimal<>(SB)
	MOVQ const_atBehind(R15), SI
	MOVQ (const_atBehind+8)(R15), CX
	REP; MOVSB
	MOVQ $const_out, SI
	MOVQ DI, DX
	SUBQ $const_payloadOut, DX
	MOVL $const_kindHelloAck, R8
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
