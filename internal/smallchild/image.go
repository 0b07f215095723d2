//go:build linux && (amd64 || arm64) && !race && !msan && !asan && !handfast_nofork

package smallchild

import (
	"encoding/binary"
	"unsafe"

	"github.com/handfast/handfast/syncproto"
)

// Available reports whether this build has the small child. An instrumented build has none, because instrumentation
// changes the code.
const Available = true

// bounds returns where the machine code of child_*.s begins and ends in this program.
func bounds() (start, end uintptr)

// machineCode returns that code. It refers to itself only by relative addresses, so it runs at any address.
func machineCode() []byte {
	start, end := bounds()
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&start)), end-start)
}

// Image returns the static program, elf(5), that becomes the small child: a header of 64 bytes, three program
// headers of 56 bytes, the constants from address constants on, the code, and the texts to which the constants
// point. p is the profile of its conversation.
func Image(p *syncproto.Profile) []byte {
	const entry = constants + constantsSize
	code := machineCode()
	b := make([]byte, constants-imageBase, 5<<10)
	g := boot(p)
	texts := []string{g.expected, g.before, g.behind, failedBefore, failedBehind, cancelledText}
	at := uint64(entry + len(code))
	for _, t := range texts {
		b = binary.LittleEndian.AppendUint64(b, at)
		b = binary.LittleEndian.AppendUint64(b, uint64(len(t)))
		at += uint64(len(t))
	}
	b = append(b, code...)
	for _, t := range texts {
		b = append(b, t...)
	}
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 2) // ET_EXEC
	le.PutUint16(b[18:], elfMachine)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], entry)
	le.PutUint64(b[32:], 64) // offset of the program headers
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 3)
	segment(b[64:], 1, 5, imageBase, uint64(len(b)), uint64(len(b)))
	segment(b[120:], 1, 6, memoryBase, 0, memorySize)
	segment(b[176:], 0x6474e551, 6, 0, 0, 0) // PT_GNU_STACK: the stack is not executable
	return b
}

// segment writes one Elf64_Phdr.
func segment(b []byte, kind, flags uint32, address, inFile, inMemory uint64) {
	le := binary.LittleEndian
	le.PutUint32(b, kind)
	le.PutUint32(b[4:], flags)
	le.PutUint64(b[16:], address)
	le.PutUint64(b[24:], address)
	le.PutUint64(b[32:], inFile)
	le.PutUint64(b[40:], inMemory)
	le.PutUint64(b[48:], 0x10000) // the largest page of any kernel
}
