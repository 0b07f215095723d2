package smallchild

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// opcode is the kind of an instruction.
type opcode uint8

const (
	opCall    opcode = iota // a system call
	opTest                  // jump if the memory at an address, under a mask, has a value
	opJump                  // jump
	opCombine               // and, or: of 32 bits of memory
	opOctal                 // write permissions as text
	opRequest               // send REQUEST and wait for the reply
	opWord                  // send EXEC
	opGate                  // wait at a gate
	opHome                  // find a user's home directory in passwd(5)
	opReport                // send ERROR and end
	opGiveUp                // send the ERROR of a child that cannot continue, and end
	opParent                // end if the parent has ended
	opNames                 // find the interpreter or the loader of a program
	opEntry                 // find the next name in a directory
	opCut                   // end a text
)

// Reg is a register. It holds the result of a system call, in most cases a descriptor.
type Reg uint8

// The registers. Some of them are set from the beginning.
const (
	Socket Reg = 0        // the handshake socket
	Errno  Reg = regErrno // the errno of the last system call that failed; zero at first

	firstFD  Reg = 16 // the descriptors of CONFIG, in order
	lastFD   Reg = 47
	firstReg Reg = 48 // the registers that the program can use
	lastReg  Reg = 120
	noReg    Reg = 0xff
)

// Config returns the register of the n-th descriptor that came with CONFIG, counted from one.
func Config(n int) Reg { return firstFD + Reg(n-1) }

// Label is a place in a program, to jump to.
type Label int16

// Arg is an argument of an instruction: a number, a register, or the address of memory.
type Arg struct {
	value uint32
	kind  argKind
	wide  bool // the number does not fit in 32 bits
}

type argKind uint8

const (
	argNumber argKind = iota
	argReg
	argData   // value is an offset in the program's data
	argMemory // value is an offset in the child's scratch memory
	argSlot   // value is a register; the argument is its address
	argReply  // the address of the descriptor that came with the last reply
)

// Int returns a number as an argument.
func Int[N ~int | ~uint32 | ~uint64 | ~uint](n N) Arg {
	v := int64(n)
	return Arg{value: uint32(v), wide: v != int64(int32(v)) && v != int64(uint32(v))}
}

// words returns the two halves of 64 bits.
func words(n uint64) (low, high Arg) { return Arg{value: uint32(n)}, Arg{value: uint32(n >> 32)} }

// Val returns the content of a register as an argument.
func Val(r Reg) Arg { return Arg{kind: argReg, value: uint32(r)} }

// slot returns the address of a register as an argument.
func slot(r Reg) Arg { return Arg{kind: argSlot, value: uint32(r)} }

// At returns the address of the byte at an offset.
func (m Memory) At(offset int) Arg { return Arg{kind: argMemory, value: uint32(m) + uint32(offset)} }

// Memory is a piece of the child's memory, made by Scratch. It is zero at first.
type Memory uint64

// Instr is one instruction.
type Instr struct {
	name   string // name of the system call
	args   [6]Arg // for a test: the address, and two words each of the mask and of the value
	nr     uint16 // number of the system call; for opCombine: 0 is and, 1 is or
	op     opcode
	count  uint8 // number of arguments
	into   Reg
	errnos [4]uint16 // after these errors the program continues at to; the first may be anyErrno
	to     Label     // noLabel: no target
	ignore bool      // continue after any other error
}

const anyErrno = 0xffff

// noLabel is the target of an instruction that does not jump.
const noLabel Label = -1

// Into stores the result in r.
func (i *Instr) Into(r Reg) *Instr { i.into = r; return i }

// On makes the program continue at l after one of up to four errors, or after any error if none is given.
func (i *Instr) On(l Label, errnos ...unix.Errno) *Instr {
	if len(errnos) == 0 {
		i.errnos[0] = anyErrno
	}
	for n, e := range errnos {
		i.errnos[n] = uint16(e)
	}
	i.to = l
	return i
}

// Ignore makes the program continue after any error.
func (i *Instr) Ignore() *Instr { i.ignore = true; return i }

// Program is the list of what a small child does, in order. Methods append instructions.
type Program struct {
	instrs   []Instr
	labels   []int16 // instruction of each label, -1: not placed
	steps    []step
	blames   []blame
	data     []byte
	pointers []pointer
	known    map[string]uint32 // offsets of the data by content; a key for Bytes begins with a zero byte
	names    []name
	memory   uint64
	regs     Reg
	err      error // why it can no longer be encoded
	spare    Instr // what add returns then
}

// Bounds of a program. What exceeds them is not added, so a program never takes much more memory than its encoded form,
// whatever it is made of.
const (
	maxInstrs = MaxProgram / instrSize
	maxLabels = 2 * maxInstrs
)

// Err returns the error that Encode will return because of what was added so far: ErrTooLong, or a text with a zero
// byte. Nothing more is added then, so the caller can stop.
func (p *Program) Err() error { return p.err }

// fits reports whether the program may grow to this much of a resource.
func (p *Program) fits(n, most int) bool {
	if n > most && p.err == nil {
		p.err = ErrTooLong
	}
	return p.err == nil
}

// step is a step of the plan, with its first instruction.
type step struct {
	at   int
	text func() string
	err  func(call string, e unix.Errno) error
}

// blame is the error for a failure of one instruction.
type blame struct {
	at  int
	err func(unix.Errno) error
}

// name describes a piece of data for printing.
type name struct {
	at, size uint32
	text     string
}

// New returns an empty program.
func New() *Program {
	return &Program{
		// Make room for what most containers need: a slice that grows touches pages that were not in use before.
		regs: firstReg, instrs: make([]Instr, 0, 512), labels: make([]int16, 0, 256), data: make([]byte, 0, 12<<10),
		known: make(map[string]uint32, 160),
	}
}

// Step begins a step of the plan. text returns how it is printed, and err returns the error for a failed system
// call of the step.
func (p *Program) Step(text func() string, err func(call string, e unix.Errno) error) {
	p.steps = append(p.steps, step{len(p.instrs), text, err})
}

// Blame gives the last instruction an error of its own, for a failure that the error of its step does not explain
// well enough.
func (p *Program) Blame(err func(unix.Errno) error) {
	p.blames = append(p.blames, blame{len(p.instrs) - 1, err})
}

// Explain returns the error for a failure of instruction n with this errno.
func (p *Program) Explain(n int, e unix.Errno) error {
	for _, b := range p.blames {
		if b.at == n {
			return b.err(e)
		}
	}
	var s step
	for _, next := range p.steps {
		if next.at <= n {
			s = next
		}
	}
	if n < 0 || n >= len(p.instrs) || s.err == nil {
		return fmt.Errorf("instruction %d of the small child: %w", n, e)
	}
	call := p.instrs[n].name
	if call == "" {
		call = opcodes[p.instrs[n].op]
	}
	return s.err(call, e)
}

// Reg returns a register that is not in use.
func (p *Program) Reg() Reg {
	if !p.fits(int(p.regs), int(lastReg)) {
		return lastReg
	}
	p.regs++
	return p.regs - 1
}

// Mark returns how many registers are in use, for Release.
func (p *Program) Mark() Reg { return p.regs }

// Release frees the registers that were taken since Mark.
func (p *Program) Release(m Reg) { p.regs = m }

// Scratch reserves memory of size bytes, rounded up to a multiple of 8.
func (p *Program) Scratch(size int) Memory {
	m := Memory(p.memory)
	if p.fits(int(p.memory)+size+7, memoryBase+memorySize-scratch) {
		p.memory += uint64(size+7) &^ 7
	}
	return m
}

// Label returns a new label, for Place.
func (p *Program) Label() Label {
	if !p.fits(len(p.labels)+1, maxLabels) {
		return noLabel
	}
	p.labels = append(p.labels, -1)
	return Label(len(p.labels) - 1)
}

// Place puts a label before the next instruction.
func (p *Program) Place(l Label) {
	if l != noLabel {
		p.labels[l] = int16(len(p.instrs))
	}
}

// Str returns the address of a text that ends with a zero byte.
func (p *Program) Str(s string) Arg {
	at, known := p.known[s]
	if !known {
		if strings.IndexByte(s, 0) >= 0 && p.err == nil {
			p.err = fmt.Errorf("%q holds a zero byte, at which a text ends", s)
		}
		if !p.fits(len(p.data)+len(s)+1, MaxProgram) {
			return Arg{}
		}
		at = uint32(len(p.data))
		p.known[s] = at
		p.data = append(append(p.data, s...), 0)
	}
	return Arg{kind: argData, value: at}
}

// Bytes returns the address of data that the program does not change, aligned to eight bytes. text describes it in
// print.
func (p *Program) Bytes(b []byte, text string) Arg {
	if !p.fits(len(b), MaxProgram) {
		return Arg{}
	}
	if at, known := p.known["\x00"+string(b)]; known {
		return Arg{kind: argData, value: at}
	}
	at := p.place(b, text)
	p.known["\x00"+string(b)] = at.value
	return at
}

// place appends data, aligned to eight bytes.
func (p *Program) place(b []byte, text string) Arg {
	if !p.fits(len(p.data)+len(b)+7, MaxProgram) {
		return Arg{}
	}
	for len(p.data)%8 != 0 {
		p.data = append(p.data, 0)
	}
	at := uint32(len(p.data))
	p.data = append(p.data, b...)
	p.names = append(p.names, name{at, uint32(len(b)), text})
	return Arg{kind: argData, value: at}
}

// At returns the address offset bytes behind a.
func (a Arg) At(offset int) Arg {
	a.value += uint32(offset)
	return a
}

// Words returns numbers of 64 bits in the machine's byte order.
func Words(n ...uint64) []byte {
	var b []byte
	for _, w := range n {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// pointer is an address in the data, which the encoder fills in.
type pointer struct {
	at uint32
	to Arg
}

// Table returns the address of a table of numbers and addresses, each of 64 bits.
func (p *Program) Table(text string, entries ...Arg) Arg {
	if !p.fits(8*len(entries), MaxProgram) {
		return Arg{}
	}
	table := p.place(make([]byte, 8*len(entries)), text)
	for i, e := range entries {
		p.pointers = append(p.pointers, pointer{table.value + uint32(8*i), e})
	}
	return table
}

func (p *Program) add(op opcode, args ...Arg) *Instr {
	i := &p.spare
	if p.fits(len(p.instrs)+1, maxInstrs) {
		p.instrs = append(p.instrs, Instr{})
		i = &p.instrs[len(p.instrs)-1]
	}
	*i = Instr{op: op, count: uint8(len(args)), into: noReg, to: noLabel}
	copy(i.args[:], args)
	return i
}
