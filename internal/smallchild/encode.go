package smallchild

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// magic is the beginning of every program.
const magic = "PROGRAM1"

const (
	headSize  = 16 // magic, the number of instructions, unused
	instrSize = 40
)

// ErrTooLong is the error for a program that is longer than the small child can take.
var ErrTooLong = errors.New("the program is too long for the small child")

// Encode verifies the program and returns it in the form in which the small child takes it in CONFIG.
func (p *Program) Encode() ([]byte, error) {
	if p.err != nil {
		return nil, p.err
	}
	if err := p.Verify(); err != nil {
		return nil, err
	}
	size := p.size()
	if size > MaxProgram {
		return nil, fmt.Errorf("%d bytes: %w", size, ErrTooLong)
	}
	b := make([]byte, 0, max(size, 256))
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(p.instrs)))
	for n := range p.instrs {
		b = p.encodeInstr(b, &p.instrs[n])
	}
	data := len(b)
	b = append(b, p.data...)
	for _, f := range p.pointers {
		v, _ := p.encodeArg(f.to)
		binary.LittleEndian.PutUint64(b[data+int(f.at):], v)
	}
	return b[:max(len(b), 256)], nil
}

// size returns the length of the encoded program.
func (p *Program) size() int { return headSize + instrSize*len(p.instrs) + len(p.data) }

// encodeInstr appends one instruction. One byte each: operation, register of the result, which arguments are
// registers, whether errors are ignored. Two bytes each: number of the system call, four errors, target. Four bytes
// each, with sign: six arguments.
func (p *Program) encodeInstr(b []byte, i *Instr) []byte {
	mask, ignore := byte(0), byte(0)
	if i.ignore {
		ignore = 1
	}
	head := len(b)
	b = append(b, byte(i.op), byte(i.into), 0, ignore)
	le := binary.LittleEndian
	b = le.AppendUint16(b, i.nr)
	for _, e := range i.errnos {
		b = le.AppendUint16(b, e)
	}
	target := 0
	if i.to != noLabel {
		target = int(p.labels[i.to])
	}
	b = le.AppendUint16(b, uint16(target))
	for n, a := range i.args[:i.count] {
		v, isReg := p.encodeArg(a)
		if isReg {
			mask |= 1 << n
		}
		b = le.AppendUint32(b, uint32(v))
	}
	b[head+2] = mask
	return append(b, make([]byte, instrSize-(len(b)-head))...)
}

func (p *Program) encodeArg(a Arg) (value uint64, isReg bool) {
	switch a.kind {
	case argReg:
		return uint64(a.value), true
	case argData:
		return programAt(p.size()) + headSize + instrSize*uint64(len(p.instrs)) + uint64(a.value), false
	case argMemory:
		return scratch + uint64(a.value), false
	case argSlot:
		return registers + 8*uint64(a.value), false
	case argReply:
		return replyFD, false
	}
	return uint64(a.value), false
}
