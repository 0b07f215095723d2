//go:build linux && !race && !msan && !asan && !handfast_nofork

#include "go_asm.h"
#include "textflag.h"

// The small child for arm64: what child_amd64.s is, label by label.
//
// R19 is the instruction, R20 the registers, R21 the first instruction, R22 the number of the present one, R23 the
// texts of a greeting. The functions change R0 to R15, and R24 and R25 where they call others; the kernel changes R0
// alone. R18 and R27 to R29 are left alone: they belong to platforms, the assembler and Go's runtime.

#define SOCKET (8*const_Socket)(R20)
#define ERRNO  (8*const_regErrno)(R20)
#define PLACE  (8*const_regPlace)(R20)
#define SENT   (8*const_regSent)(R20)
#define TAKEN  (8*const_regTaken)(R20)
#define COUNT  (8*const_regCount)(R20)
#define GATE   (8*const_regGate)(R20)
#define SIGNALS (8*const_regSignals)(R20)

TEXT child<>(SB), NOSPLIT|NOFRAME, $0
	MOVD (RSP), R0
	ADD  $16, RSP, R1
	ADD  R0<<3, R1
	MOVD $0x54534146444e4148, R3 // HANDFAST
	MOVD $0x3d54454b434f535f, R4 // _SOCKET=
environment:
	MOVD.P 8(R1), R0
	CBZ  R0, die
	MOVD (R0), R2
	CMP  R3, R2
	BNE  environment
	MOVD 8(R0), R2
	CMP  R4, R2
	BNE  environment
	ADD  $16, R0
	MOVD ZR, R3
	MOVD $10, R4
digit:
	MOVBU.P 1(R0), R2
	SUB  $48, R2
	CMP  $9, R2
	BHI  adopt
	MUL  R4, R3
	ADD  R2, R3
	B    digit

adopt:
	MOVD $const_registers, R20
	MOVD R3, SOCKET
	MOVD R3, R0
	MOVD $2, R1 // F_SETFD
	MOVD $1, R2 // FD_CLOEXEC
	MOVD $25, R8 // fcntl
	SVC
	CBNZ R0, die
	MOVD $39, R2 // SO_DOMAIN
	BL   sockopt<>(SB)
	CMP  $1, R0 // AF_UNIX
	BNE  die
	MOVD $3, R2 // SO_TYPE
	BL   sockopt<>(SB)
	CMP  $5, R0 // SOCK_SEQPACKET
	BNE  die
	MOVD SOCKET, R0
	ADD  $1, R0
	MOVD $0xffffffff, R1
	MOVD ZR, R2
	MOVD $436, R8 // close_range
	SVC

	// The greeting.
	MOVD $const_constants, R23
	BL   greet<>(SB)
	CBNZ R0, die

	// The program, which comes as CONFIG.
	MOVD ZR, R19
fragment:
	MOVD $const_configBase, R1
	ADD  R19, R1
	MOVD $const_maxConfig, R2
	CMP  R2, R19
	BHI  die
	BL   receive<>(SB)
	TBNZ $63, R0, die
	MOVD $const_header, R1
	MOVBU 3(R1), R2
	CMP  $const_kindConfig, R2
	BNE  die
	CBNZ R19, noDescriptors
	MOVBU 5(R1), R2
	CMP  $const_maxFDs, R2
	BHI  die
	MOVD $(const_control+16), R3
	ADD  $(8*const_firstFD), R20, R4
descriptor:
	CBZ  R2, noDescriptors
	MOVWU.P 4(R3), R5
	MOVD.P R5, 8(R4)
	SUB  $1, R2
	B    descriptor
noDescriptors:
	ADD  R0, R19
	MOVBU 4(R1), R2
	TBNZ $0, R2, fragment // MORE
	MOVD $const_configBase, R1
	MOVD R19, R2
	BL   confirm<>(SB)
	TBNZ $63, R0, die

	// A value of bytes: the program.
	MOVD $const_configBase, R21
	MOVBU (R21), R0
	CMP  $const_longMark, R0
	BNE  short
	ADD  $(const_longHead-const_shortHead), R21
short:
	ADD  $const_shortHead, R21
	MOVD $0x314d4152474f5250, R0 // PROGRAM1
	MOVD (R21), R1
	CMP  R0, R1
	BNE  refuse
	MOVWU 8(R21), R0
	MOVD R0, COUNT
	ADD  $16, R21
	MOVD $-1, R22
	B    next

refuse:
	MOVD ZR, R22
	B    fail

next:
	ADD  $1, R22
	MOVD COUNT, R0
	CMP  R0, R22
	BHS  die
	MOVD $40, R0
	MUL  R0, R22, R19
	ADD  R21, R19
	// The six arguments, each a value or the register of that number.
	MOVBU const_atRegs(R19), R9
	ADD  $const_atArgs, R19, R10
	MOVD $const_out, R11 // where they are put down for the moment
	MOVD $6, R12
argument:
	MOVW.P 4(R10), R0
	TBZ  $0, R9, value
	MOVD (R20)(R0<<3), R0
value:
	MOVD.P R0, 8(R11)
	LSR  $1, R9
	SUB  $1, R12
	CBNZ R12, argument
	LDP  -48(R11), (R0, R1)
	LDP  -32(R11), (R2, R3)
	LDP  -16(R11), (R4, R5)
	MOVBU const_atOp(R19), R9
	CMP  $const_opCall, R9
	BEQ  call
	CMP  $const_opTest, R9
	BEQ  test
	CMP  $const_opJump, R9
	BEQ  jump
	CMP  $const_opCombine, R9
	BEQ  combine
	CMP  $const_opOctal, R9
	BEQ  octal
	CMP  $const_opRequest, R9
	BEQ  request
	CMP  $const_opWord, R9
	BEQ  word
	CMP  $const_opGate, R9
	BEQ  gate
	CMP  $const_opHome, R9
	BEQ  home
	CMP  $const_opReport, R9
	BEQ  report
	CMP  $const_opParent, R9
	BEQ  parent
	CMP  $const_opNames, R9
	BEQ  names
	CMP  $const_opEntry, R9
	BEQ  entry
	CMP  $const_opCut, R9
	BEQ  cut
	B    fail

call:
	MOVHU const_atNumber(R19), R8
	SVC
	CMN  $4095, R0
	BHS  failed
	MOVBU const_atInto(R19), R9
	CMP  $const_noReg, R9
	BEQ  next
	MOVD R0, (R20)(R9<<3)
	B    next
failed:
	NEG  R0, R0
	MOVD R0, ERRNO
	MOVD R22, PLACE
	MOVHU (const_atErrnos+2)(R19), R9
	CMP  R9, R0
	BEQ  jump
	MOVHU (const_atErrnos+4)(R19), R9
	CMP  R9, R0
	BEQ  jump
	MOVHU (const_atErrnos+6)(R19), R9
	CMP  R9, R0
	BEQ  jump
	MOVHU const_atErrnos(R19), R9
	CMP  R9, R0
	BEQ  jump
	MOVD $0xffff, R10
	CMP  R10, R9
	BEQ  jump
	MOVBU const_atIgnore(R19), R9
	TBNZ $0, R9, next
	B    fail

test: // the mask stands where the second and third arguments do, the value behind it
	MOVD (R0), R9
	MOVD (const_atArgs+4)(R19), R10
	AND  R10, R9
	MOVD (const_atArgs+12)(R19), R10
	CMP  R10, R9
	BNE  next
jump:
	MOVHU const_atTarget(R19), R22
	SUB  $1, R22
	B    next

combine: // *R0 = *R1 and, or *R2
	MOVWU (R1), R9
	MOVWU (R2), R10
	MOVBU const_atNumber(R19), R11
	CBNZ R11, or
	AND  R10, R9
	MOVW R9, (R0)
	B    next
or:
	ORR  R10, R9
	MOVW R9, (R0)
	B    next

octal: // the permissions in *R1, as text at R0
	MOVWU (R1), R9
	AND  $0xfff, R9
	MOVD $9, R10
octalZero: // without zeros before, but for the last digit
	LSR  R10, R9, R11
	CBNZ R11, octalDigit
	SUBS $3, R10
	BNE  octalZero
octalDigit:
	LSR  R10, R9, R11
	AND  $7, R11
	ADD  $48, R11
	MOVB.P R11, 1(R0)
	SUBS $3, R10
	BGE  octalDigit
	MOVB ZR, (R0)
	B    next

request: // frame and length of its payload, the reply's payload and its length, a descriptor to send along or zero
	MOVD R1, R2
	MOVD R0, R1
	MOVD $const_kindRequest, R9
	MOVD ZR, R10
	CBNZ R4, along
	BL   send<>(SB)
	B    sent
along:
	BL   header<>(SB)
	MOVD $1, R9
	MOVB R9, 5(R1) // one descriptor
	MOVD $const_vector, R9
	STP  (R1, R2), (R9)
	MOVD $const_control, R12
	MOVD $20, R10
	MOVD $0x100000001, R11 // SOL_SOCKET, SCM_RIGHTS
	STP  (R10, R11), (R12)
	MOVD R4, 16(R12)
	MOVD $const_messageHeader, R1
	STP  (ZR, ZR), (R1)
	MOVD $1, R10
	STP  (R9, R10), 16(R1)
	MOVD $24, R10
	STP  (R12, R10), 32(R1)
	MOVD SOCKET, R0
	MOVD $0x4000, R2 // MSG_NOSIGNAL
	MOVD $211, R8 // sendmsg
	SVC
sent:
	TBNZ $63, R0, die
	MOVD $const_in, R1
	BL   receive<>(SB)
	TBNZ $63, R0, die
	MOVD $const_header, R1
	MOVBU 3(R1), R9
	CMP  $const_kindCancel, R9
	BEQ  cancelled
	CMP  $const_kindReply, R9
	BNE  die
	MOVHU 8(R1), R9
	REV16W R9, R9
	MOVHU SENT, R10
	CMP  R10, R9
	BNE  die
	MOVW (const_atArgs+12)(R19), R10
	CMP  R10, R0
	BNE  die
	MOVW (const_atArgs+8)(R19), R1
	MOVD $const_in, R2
reply:
	CBZ  R0, next
	MOVBU.P 1(R1), R9
	MOVBU.P 1(R2), R10
	CMP  R9, R10
	BNE  die
	SUB  $1, R0
	B    reply
cancelled:
	MOVD $const_constants, R9
	LDP  const_atCancelled(R9), (R1, R2)
	MOVD $const_payloadOut, R0
	BL   copy<>(SB)
	B    last

parent: // whether it is there: it is not once its end of the socket is closed
	MOVD $const_option, R0
	MOVD SOCKET, R9
	MOVD R9, (R0)
	MOVD $1, R1
	ADD  $16, R0, R2 // no time, which the kernel writes back
	MOVD ZR, (R2)
	MOVD ZR, 8(R2)
	MOVD ZR, R3
	MOVD ZR, R4
	MOVD $73, R8 // ppoll
	SVC
	CMP  $1, R0
	BNE  next
	MOVD $const_option, R0
	MOVBU 6(R0), R9
	TBZ  $4, R9, next // POLLHUP
	B    die

word: // EXEC
	MOVD $const_out, R1
	MOVD ZR, R2
	MOVD $const_kindExec, R9
	MOVD ZR, R10
	BL   send<>(SB)
	TBNZ $63, R0, die
	B    next

gate: // the listener, constants of the greeting, the signals that end the child here
	MOVD R0, GATE
	MOVD R1, R23
	MOVD R2, SIGNALS
	MOVD SOCKET, R0
	MOVD $57, R8 // close
	SVC
accept:
	MOVD $const_option, R0 // two of struct pollfd, for POLLIN
	MOVD GATE, R9
	MOVD $1, R10
	MOVW R9, (R0)
	MOVW R10, 4(R0)
	MOVD SIGNALS, R9
	MOVW R9, 8(R0)
	MOVW R10, 12(R0)
	MOVD $2, R1
	MOVD ZR, R2
	MOVD ZR, R3
	MOVD ZR, R4
	MOVD $73, R8 // ppoll
	SVC
	CMN  $4, R0 // EINTR
	BEQ  accept
	TBNZ $63, R0, take
	MOVD $const_option, R0
	MOVHU 14(R0), R9
	CBZ  R9, take
	MOVD SIGNALS, R0
	MOVD $const_in, R1
	MOVD $128, R2 // struct signalfd_siginfo
	MOVD $63, R8 // read
	SVC
	CMP  $128, R0
	BNE  take
	MOVWU (R1), R0
	ADD  $128, R0
	MOVD $94, R8 // exit_group
	SVC
take:
	MOVD GATE, R0
	MOVD ZR, R1
	MOVD ZR, R2
	MOVD $0x80000, R3 // SOCK_CLOEXEC
	MOVD $242, R8 // accept4
	SVC
	CMN  $4, R0 // EINTR
	BEQ  accept
	CMN  $103, R0 // ECONNABORTED
	BEQ  accept
	TBNZ $63, R0, failed
	MOVD R0, SOCKET
	MOVD ZR, SENT
	MOVD ZR, TAKEN
	// Who connects and then says nothing must not keep out the next one.
	MOVD $1, R1 // SOL_SOCKET
	MOVD $20, R2 // SO_RCVTIMEO
	MOVD $const_option, R3
	MOVD $const_GateSeconds, R9
	STP  (R9, ZR), (R3)
	MOVD $16, R4
	MOVD $208, R8 // setsockopt
	SVC
	CBNZ R0, again
	BL   greet<>(SB)
	CBNZ R0, again
	MOVD $const_in, R1
	BL   receive<>(SB)
	TBNZ $63, R0, again
	MOVD $const_header, R1
	MOVBU 3(R1), R9
	CMP  $const_kindConfig, R9
	BNE  again
	MOVBU 4(R1), R9
	TBNZ $0, R9, again // MORE
	MOVD $const_in, R1
	MOVD R0, R2
	BL   confirm<>(SB)
	TBNZ $63, R0, again
	MOVD GATE, R0
	MOVD $57, R8
	SVC
	B    next
again:
	MOVD SOCKET, R0
	MOVD $57, R8
	SVC
	B    accept

home: // passwd(5), its length, a user and its length, and where the directory goes
	ADD  R0, R1
line:
	CMP  R1, R0
	BHS  noHome
	MOVD R0, R9
lineEnd:
	CMP  R1, R9
	BEQ  fields
	MOVBU (R9), R10
	CMP  $10, R10
	BEQ  fields
	ADD  $1, R9
	B    lineEnd
fields: // the user is from R12 to R13, the directory from R15 to R14
	MOVD ZR, R10
	MOVD R9, R14
field:
	CMP  R9, R0
	BEQ  fieldsRead
	MOVBU (R0), R11
	CMP  $58, R11 // a colon
	BNE  fieldNext
	ADD  $1, R10
	ADD  $1, R0, R11
	CMP  $2, R10
	CSEL EQ, R11, R12, R12
	CMP  $3, R10
	CSEL EQ, R0, R13, R13
	CMP  $5, R10
	CSEL EQ, R11, R15, R15
	CMP  $6, R10
	CSEL EQ, R0, R14, R14
fieldNext:
	ADD  $1, R0
	B    field
fieldsRead:
	ADD  $1, R9, R0
	CMP  $5, R10
	BLT  line
	SUB  R12, R13
	CMP  R3, R13
	BNE  line
	MOVD ZR, R10
user:
	CMP  R3, R10
	BEQ  directory
	MOVBU (R12)(R10), R11
	MOVBU (R2)(R10), R13
	CMP  R11, R13
	BNE  line
	ADD  $1, R10
	B    user
directory:
	SUBS R15, R14, R10
	BLE  line
	MOVBU (R15), R11
	CMP  $47, R11
	BNE  line
	CMP  $4000, R10
	BHI  fail
	MOVD R4, R0
	MOVD R15, R1
	MOVD R10, R2
	BL   copy<>(SB)
	MOVB ZR, (R0)
	B    next
noHome:
	MOVD $0x2f, R9
	MOVH R9, (R4)
	B    next

names: // the first bytes of a program, their number, and where the path of its interpreter or loader goes
	MOVD $const_NamesNone, R6
	CMP  $64, R1
	BLO  notELF
	MOVWU (R0), R9
	MOVD $0x464c457f, R10
	CMP  R10, R9
	BNE  notELF
	MOVHU 4(R0), R9
	CMP  $0x0102, R9 // ELFCLASS64, ELFDATA2LSB
	BNE  fail
	MOVHU 54(R0), R9
	CMP  $56, R9 // e_phentsize
	BNE  fail
	MOVD 32(R0), R3 // e_phoff
	MOVHU 56(R0), R4 // e_phnum
segment:
	SUBS $1, R4
	BLT  named
	CMP  R1, R3
	BHS  fail
	ADD  $56, R3, R5
	CMP  R1, R5
	BHI  fail
	MOVWU (R0)(R3), R9
	CMP  $3, R9 // PT_INTERP
	BEQ  loader
	MOVD R5, R3
	B    segment
loader:
	ADD  R0, R3
	MOVD 8(R3), R9 // p_offset
	MOVD 32(R3), R10 // p_filesz
	CMP  R1, R9
	BHI  fail
	SUB  R9, R1
	CMP  R1, R10
	BHI  fail
	ADD  R0, R9, R1
	MOVD R2, R0
	MOVD R10, R2
	BL   copy<>(SB)
	MOVB ZR, (R0)
	MOVD $const_NamesLoader, R6
	B    named
notELF:
	CMP  $2, R1
	BLO  named
	MOVHU (R0), R9
	MOVD $0x2123, R10 // #!
	CMP  R10, R9
	BNE  named
	MOVD $256, R9 // BINPRM_BUF_SIZE
	CMP  R9, R1
	CSEL HI, R9, R1, R1
	ADD  R0, R1
	ADD  $1, R0
blank:
	ADD  $1, R0
	CMP  R1, R0
	BHS  named
	MOVBU (R0), R9
	CMP  $32, R9
	BEQ  blank
	CMP  $9, R9
	BEQ  blank
letter:
	CMP  $32, R9
	BEQ  lettersEnd
	CMP  $9, R9
	BEQ  lettersEnd
	CMP  $10, R9
	BEQ  lettersEnd
	CBZ  R9, lettersEnd
	MOVB.P R9, 1(R2)
	MOVD $const_NamesScript, R6
	ADD  $1, R0
	CMP  R1, R0
	BHS  lettersEnd
	MOVBU (R0), R9
	B    letter
lettersEnd:
	MOVB ZR, (R2)
named:
	MOVBU const_atInto(R19), R9
	MOVD R6, (R20)(R9<<3)
	B    next

entry: // a directory, and the depth, by which its names are kept
	LSL  $12, R1 // entriesSize
	MOVD $const_entries, R11
	ADD  R1, R11
	MOVD R0, R12
nextEntry:
	LDP  (R11), (R9, R10)
	CMP  R10, R9
	BLO  entryKept
	MOVD R12, R0
	ADD  $const_entriesHead, R11, R1
	MOVD $const_entriesRoom, R2
	MOVD $61, R8 // getdents64
	SVC
	TBNZ $63, R0, failed
	STP  (ZR, R0), (R11)
	CBZ  R0, jump
	B    nextEntry
entryKept: // struct linux_dirent64
	ADD  $const_entriesHead, R11, R1
	ADD  R9, R1
	MOVHU 16(R1), R10
	ADD  R9, R10
	MOVD R10, (R11)
	ADD  $19, R1
	MOVBU (R1), R9
	CMP  $0x2e, R9 // "." or ".."
	BNE  entryFound
	MOVBU 1(R1), R9
	CBZ  R9, nextEntry
	CMP  $0x2e, R9
	BNE  entryFound
	MOVBU 2(R1), R9
	CBZ  R9, nextEntry
entryFound:
	MOVBU const_atInto(R19), R9
	MOVD R1, (R20)(R9<<3)
	B    next

cut: // an address, and the length of the text there
	MOVB ZR, (R0)(R1)
	B    next

report: // what stands before the errno and its length, what stands behind, and the texts of errors
	MOVD R2, R5
	MOVD R1, R2
	MOVD R0, R1
	MOVD $const_payloadOut, R0
	BL   copy<>(SB)
	MOVD ERRNO, R10
text:
	MOVWU (R4), R9
	CBZ  R9, textFound
	CMP  R9, R10
	BEQ  textFound
	ADD  $16, R4
	B    text
textFound:
	MOVD 8(R4), R1
	MOVWU 4(R4), R2
	BL   copy<>(SB)
	MOVD R5, R1
	MOVD R3, R2
	BL   copy<>(SB)
	B    last

fail: // an ERROR that says which instruction failed, and its errno
	MOVD R22, PLACE
	MOVD $const_constants, R23
	LDP  const_atFailedBefore(R23), (R1, R2)
	MOVD $const_payloadOut, R0
	BL   copy<>(SB)
	MOVD PLACE, R1
	BL   decimal<>(SB)
	MOVD $32, R9
	MOVB.P R9, 1(R0)
	MOVD ERRNO, R1
	BL   decimal<>(SB)
	LDP  const_atFailedBehind(R23), (R1, R2)
	BL   copy<>(SB)
last: // the ERROR at out, which ends at R0; by write(2), for a filter that has been loaded may allow nothing else
	MOVD $const_out, R1
	MOVD $const_payloadOut, R2
	SUB  R2, R0, R2
	MOVD $const_kindError, R9
	MOVD ZR, R10
	BL   header<>(SB)
	MOVD SOCKET, R0
	MOVD $64, R8 // write
	SVC
die:
	MOVD $1, R0
	MOVD $94, R8 // exit_group
	SVC
	B    die

// copy copies R2 bytes from R1 to R0. R0 is the address behind them then.
TEXT copy<>(SB), NOSPLIT|NOFRAME, $0
more:
	CBZ  R2, copied
	MOVBU.P 1(R1), R9
	MOVB.P R9, 1(R0)
	SUB  $1, R2
	B    more
copied:
	RET

// sockopt is the value of a socket's option, R2.
TEXT sockopt<>(SB), NOSPLIT|NOFRAME, $0
	MOVD SOCKET, R0
	MOVD $1, R1 // SOL_SOCKET
	MOVD $const_option, R3
	MOVD ZR, (R3)
	ADD  $8, R3, R4
	MOVD $4, R9
	MOVD R9, (R4)
	MOVD $209, R8 // getsockopt
	SVC
	MOVWU (R3), R0
	RET

// decimal writes R1 at R0. R0 is the address behind it then.
TEXT decimal<>(SB), NOSPLIT|NOFRAME, $0
	MOVD $(const_option+64), R2
	MOVD R2, R9
	MOVD $10, R10
divide:
	UDIV R10, R1, R11
	MUL  R10, R11, R12
	SUB  R12, R1, R12
	ADD  $48, R12
	MOVB.W R12, -1(R2)
	MOVD R11, R1
	CBNZ R1, divide
write:
	MOVBU.P 1(R2), R10
	MOVB.P R10, 1(R0)
	CMP  R9, R2
	BNE  write
	RET

// header fills in the header of the frame at R1, with R2 bytes of payload, of kind R9, in answer to frame R10; R2 is
// the whole length then.
TEXT header<>(SB), NOSPLIT|NOFRAME, $0
	MOVD $0x015953, R11 // "SY", version 1
	ORR  R9<<24, R11
	MOVW R11, (R1)
	MOVH ZR, 4(R1)
	MOVD SENT, R11
	ADD  $1, R11
	MOVD R11, SENT
	REV16W R11, R11
	MOVH R11, 6(R1)
	REV16W R10, R10
	MOVH R10, 8(R1)
	MOVH ZR, 10(R1)
	REVW R2, R11
	MOVW R11, 12(R1)
	ADD  $16, R2
	RET

// send sends a frame, see header. R0 is negative if it could not.
TEXT send<>(SB), NOSPLIT|NOFRAME, $0
	MOVD R30, R25
	BL   header<>(SB)
	MOVD SOCKET, R0
	MOVD $0x4000, R3 // MSG_NOSIGNAL
	MOVD ZR, R4
	MOVD ZR, R5
	MOVD $206, R8 // sendto
	SVC
	MOVD R25, R30
	RET

// receive takes the next frame: its header at header, its payload at R1, up to 64 KiB. R0 is the payload's length,
// negative for the end of the conversation and for what is no frame.
TEXT receive<>(SB), NOSPLIT|NOFRAME, $0
	MOVD $const_vector, R9
	MOVD $const_header, R10
	MOVD $16, R11
	STP  (R10, R11), (R9)
	MOVD $const_frameSize, R11
	STP  (R1, R11), 16(R9)
interrupted:
	MOVD $const_messageHeader, R1
	STP  (ZR, ZR), (R1)
	MOVD $2, R11
	STP  (R9, R11), 16(R1)
	MOVD $const_control, R12
	MOVD $const_controlSize, R11
	STP  (R12, R11), 32(R1)
	MOVD ZR, 48(R1)
	MOVD SOCKET, R0
	MOVD $0x40000000, R2 // MSG_CMSG_CLOEXEC
	MOVD $212, R8 // recvmsg
	SVC
	CMN  $4, R0 // EINTR
	BEQ  interrupted
	SUBS $16, R0
	BLT  bad
	MOVBU 48(R1), R9
	MOVD $0x28, R11 // MSG_TRUNC, MSG_CTRUNC
	TST  R11, R9
	BNE  bad
	MOVWU (R10), R9
	AND  $0xffffff, R9
	MOVD $0x015953, R11
	CMP  R11, R9
	BNE  bad
	MOVD TAKEN, R9
	ADD  $1, R9
	MOVD R9, TAKEN
	AND  $0xffff, R9
	MOVHU 6(R10), R11
	REV16W R11, R11
	CMP  R11, R9
	BNE  bad
	MOVWU 12(R10), R9
	REVW R9, R9
	CMP  R9, R0
	BNE  bad
	// As many descriptors as the header says.
	MOVD ZR, R9
	MOVD 40(R1), R11
	CBZ  R11, counted
	MOVD 8(R12), R9
	MOVD $0x100000001, R11 // SOL_SOCKET, SCM_RIGHTS
	CMP  R11, R9
	BNE  bad
	MOVD (R12), R9
	SUB  $16, R9
	LSR  $2, R9
counted:
	MOVBU 5(R10), R11
	CMP  R11, R9
	BNE  bad
	RET
bad:
	MOVD $-1, R0
	RET

// confirm says CONFIG_OK of a configuration of R2 bytes at R1, which may be written to behind its end.
TEXT confirm<>(SB), NOSPLIT|NOFRAME, $0
	MOVD R30, R24
	MOVD ZR, (R1)(R2)
	MOVD $0x9e3779b97f4a7c15, R9
	MUL  R9, R2, R10
	MOVD R2, R11
digest:
	CMP  $0, R11
	BLE  digested
	MOVD.P 8(R1), R12
	EOR  R12, R10
	MUL  R9, R10
	ROR  $32, R10
	MUL  R9, R10
	SUB  $8, R11
	B    digest
digested:
	// A map of two in MessagePack: size, in its shortest form, and digest.
	MOVD $const_payloadOut, R0
	MOVD $0x657a6973a482, R11
	MOVD R11, (R0)
	ADD  $6, R0
	CMP  $128, R2
	BLO  size8
	CMP  $256, R2
	BLO  size16
	MOVD $65536, R11
	CMP  R11, R2
	BLO  size24
	MOVD $0xce, R11
	MOVB.P R11, 1(R0)
	REVW R2, R2
	MOVW.P R2, 4(R0)
	B    sized
size24:
	MOVD $0xcd, R11
	MOVB.P R11, 1(R0)
	REV16W R2, R2
	MOVH.P R2, 2(R0)
	B    sized
size16:
	MOVD $0xcc, R11
	MOVB.P R11, 1(R0)
size8:
	MOVB.P R2, 1(R0)
sized:
	MOVD $0xb0747365676964a6, R11 // the text "digest", and a text of 16 bytes
	MOVD.P R11, 8(R0)
	MOVD $16, R11
hex:
	ROR  $60, R10
	AND  $15, R10, R12
	CMP  $10, R12
	BLO  hexDigit
	ADD  $39, R12
hexDigit:
	ADD  $48, R12
	MOVB.P R12, 1(R0)
	SUB  $1, R11
	CBNZ R11, hex
	MOVD $const_out, R1
	MOVD $const_payloadOut, R2
	SUB  R2, R0, R2
	MOVD $const_kindConfigOK, R9
	MOVD TAKEN, R10
	BL   send<>(SB)
	MOVD R24, R30
	RET

// greet takes HELLO, which must hold the first of the texts at R23, and says HELLO_ACK: the second text, the process's
// number, and the third. R0 is zero then.
TEXT greet<>(SB), NOSPLIT|NOFRAME, $0
	MOVD R30, R24
	MOVD $const_in, R1
	BL   receive<>(SB)
	TBNZ $63, R0, stranger
	MOVD $const_header, R9
	MOVBU 3(R9), R9
	CMP  $const_kindHello, R9
	BNE  stranger
	MOVD $const_in, R1
	LDP  const_atExpected(R23), (R2, R3)
	SUBS R3, R0
	BLT  stranger
	ADD  R1, R0, R4
place:
	CMP  R4, R1
	BHI  stranger
	MOVD ZR, R9
same:
	MOVBU (R1)(R9), R10
	MOVBU (R2)(R9), R11
	CMP  R10, R11
	BNE  elsewhere
	ADD  $1, R9
	CMP  R3, R9
	BNE  same
	MOVD $172, R8 // getpid
	SVC
	MOVD R0, R4
	MOVD $const_payloadOut, R0
	LDP  const_atBefore(R23), (R1, R2)
	BL   copy<>(SB)
	MOVD R4, R1
	BL   decimal<>(SB)
	LDP  const_atBehind(R23), (R1, R2)
	BL   copy<>(SB)
	MOVD $const_out, R1
	MOVD $const_payloadOut, R2
	SUB  R2, R0, R2
	MOVD $const_kindHelloAck, R9
	MOVD $1, R10
	BL   send<>(SB)
	TBNZ $63, R0, stranger
	MOVD ZR, R0
	B    greeted
elsewhere:
	ADD  $1, R1
	B    place
stranger:
	MOVD $-1, R0
greeted:
	MOVD R24, R30
	RET

TEXT childEnd<>(SB), NOSPLIT|NOFRAME, $0
	RET

// func bounds() (start, end uintptr)
TEXT ·bounds(SB), NOSPLIT, $0-16
	MOVD $child<>(SB), R0
	MOVD R0, start+0(FP)
	MOVD $childEnd<>(SB), R0
	MOVD R0, end+8(FP)
	RET
