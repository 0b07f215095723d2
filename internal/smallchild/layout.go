package smallchild

import "github.com/handfast/handfast/syncproto"

// This file is what the machine code has in common with the rest of the package, on every architecture. child_*.s
// include go_asm.h, which the go command makes of the package's constants: scratch is const_scratch there.
//
//lint:file-ignore U1000 some of the constants are for the machine code alone.

// Addresses in the small child.
const (
	imageBase  = 0x400000
	constants  = 0x400100 // see Image
	memoryBase = 0x10000000
	memorySize = 0x400000

	registers     = memoryBase
	messageHeader = memoryBase + 0x800 // struct msghdr of recvmsg(2)
	vector        = memoryBase + 0x840 // two of struct iovec
	control       = memoryBase + 0x880
	controlSize   = 160
	replyFD       = control + 16       // the first descriptor of the last frame that had any
	header        = memoryBase + 0xa00 // of that frame
	option        = memoryBase + 0xb80
	out           = memoryBase + 0x1000 // the frame that is sent
	payloadOut    = out + syncproto.HeaderSize
	in            = memoryBase + 0x2000  // the payload of the last frame that was received
	entries       = memoryBase + 0x12000 // directories that are being read, see entriesSize
	entriesEnd    = memoryBase + 0x1a000
	configBase    = memoryBase + 0x20000 // CONFIG
	scratch       = memoryBase + 0x70000 // the program's

	frameSize = 0x10000                          // the longest payload of one frame
	outSize   = in - out                         // room for a frame that is sent
	maxConfig = scratch - frameSize - configBase // after as many bytes a fragment of CONFIG still fits

	// MaxProgram is the maximum length of a program in bytes.
	MaxProgram = maxConfig - longHead
)

// A directory that is being read takes this much memory: where the next name is, and where the last one ends, both
// counted from the names; then the names as getdents64(2) returns them.
const (
	entriesHead = 16
	entriesRoom = 0x1000 - entriesHead
	entriesSize = entriesHead + entriesRoom
)

// CONFIG is a value of bytes in MessagePack: a head, with a mark and a length of 16 or 32 bits, and the program.
const (
	shortHead = 3
	longHead  = 5
	longMark  = 0xc6 // of the head with 32 bits
)

// programAt returns the address of a program of this size.
func programAt(size int) uint64 {
	if size > 0xffff {
		return configBase + longHead
	}
	return configBase + shortHead
}

// What the machine code knows of the protocol.
const (
	kindHello    = uint8(syncproto.KindHello)
	kindHelloAck = uint8(syncproto.KindHelloAck)
	kindConfig   = uint8(syncproto.KindConfig)
	kindConfigOK = uint8(syncproto.KindConfigOK)
	kindRequest  = uint8(syncproto.KindRequest)
	kindReply    = uint8(syncproto.KindReply)
	kindError    = uint8(syncproto.KindError)
	kindExec     = uint8(syncproto.KindExec)
	kindCancel   = uint8(syncproto.KindCancel)

	maxFDs = lastFD - firstFD + 1 // that may come with CONFIG
)

// GateSeconds is how long whoever connects to the gate may be silent before the child accepts the next one.
const GateSeconds = 5

// The registers between Socket and firstFD are the small child's own.
const (
	regErrno   Reg = iota + 1 // the errno of the last system call that failed
	regPlace                  // the instruction that failed
	regSent                   // number of frames sent
	regTaken                  // number of frames received
	regCount                  // number of instructions
	regGate                   // the listener
	regEnd                    // the end of a home directory's name
	regSignals                // a signalfd(2): a signal there ends the child at its gate
)

// Offsets in an encoded instruction, see encodeInstr.
const (
	atOp     = 0
	atInto   = 1
	atRegs   = 2
	atIgnore = 3
	atNumber = 4
	atErrnos = 6
	atTarget = 14
	atArgs   = 16
)

// Offsets of the texts behind the address constants. Each is an address and a length. A greeting at a gate has the
// first three in the same form.
const (
	atExpected = 16 * iota
	atBefore
	atBehind
	atFailedBefore
	atFailedBehind
	atCancelled
	constantsSize
)
