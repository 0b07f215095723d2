package smallchild

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
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

// Call adds a system call. If it fails, the program ends, unless On or Ignore says otherwise.
func (p *Program) Call(name string, nr uintptr, args ...Arg) *Instr {
	i := p.add(opCall, args...)
	i.nr, i.name = uint16(nr), name
	return i
}

// IfMem jumps if the 64 bits at an address, under a mask, equal value.
func (p *Program) IfMem(at Arg, mask, value uint64, to Label) {
	p.test(at, mask).value(value).to = to
}

// test adds a test of 64 bits under a mask. The method value sets the value to compare with.
func (p *Program) test(at Arg, mask uint64) *Instr {
	low, high := words(mask)
	return p.add(opTest, at, low, high, Arg{}, Arg{})
}

func (i *Instr) value(n uint64) *Instr {
	i.args[3], i.args[4] = words(n)
	return i
}

// IfReg jumps if a register has a value.
func (p *Program) IfReg(r Reg, value uint64, to Label) {
	p.test(slot(r), ^uint64(0)).value(value).to = to
}

// Jump continues at a label, which is ahead, or is that of an Entry.
func (p *Program) Jump(to Label) { p.add(opJump).to = to }

// maxDepth is how many directories can be read at the same time.
const maxDepth = (entriesEnd - entries) / entriesSize

// Entry puts into r the address of the next name in a directory, other than "." and "..". After the last one it
// continues at done. Entries of the same depth read one directory after the other, each up to its end. An Entry is the
// only place to which a program may jump back, so that every round takes a name.
func (p *Program) Entry(dir Reg, depth int, r Reg, done Label) {
	i := p.add(opEntry, Val(dir), Int(depth))
	i.into, i.to = r, done
}

// Cut puts a zero byte behind the length bytes at an address.
func (p *Program) Cut(at Arg, length Reg) { p.add(opCut, at, Val(length)) }

// Load puts into a register 32 bits of memory, under a mask that is in memory, too.
func (p *Program) Load(r Reg, from, mask Arg) { p.add(opCombine, slot(r), from, mask).into = r }

// And writes to to the 32 bits at a, masked by those at b.
func (p *Program) And(to, a, b Arg) { p.add(opCombine, to, a, b) }

// Or writes to to the 32 bits at a, combined with those at b.
func (p *Program) Or(to, a, b Arg) { p.add(opCombine, to, a, b).nr = 1 }

// GiveUp ends the child with an ERROR that names the instruction.
func (p *Program) GiveUp() { p.add(opGiveUp) }

// CheckParent ends the child if its parent has ended.
func (p *Program) CheckParent() { p.add(opParent) }

// Set puts the address of data, or a number of 32 bits, into a register.
func (p *Program) Set(r Reg, a Arg) {
	from := p.Table("address", a)
	i := p.add(opCombine, slot(r), from, from)
	i.nr, i.into = 1, r
}

// IfIs jumps if a register holds the address of this data.
func (p *Program) IfIs(r Reg, a Arg, to Label) {
	i := p.test(slot(r), ^uint64(0))
	i.args[3], i.to = a, to
}

// Octal writes the permissions of a mode to an address as text, with a zero byte at the end.
func (p *Program) Octal(to, mode Arg) { p.add(opOctal, to, mode) }

// Home writes the home directory of a user to the address to, or "/" if there is none. The content of passwd(5) is
// length bytes at from.
func (p *Program) Home(from Arg, length Reg, uid string, to Arg) {
	p.add(opHome, from, Val(length), p.Str(uid), Int(len(uid)), to)
}

// Message is the payload of a request, which the program may change before it is sent.
type Message struct {
	frame Arg // a header, then the payload, then room for an Octal that begins at its last byte
	size  int
}

// messageName is how the data of a Message are printed.
const messageName = "request"

// Message reserves memory for a request with this payload.
func (p *Program) Message(payload string) Message {
	frame := append(append(make([]byte, syncproto.HeaderSize), payload...), 0, 0, 0, 0)
	return Message{p.place(frame, messageName), len(payload)}
}

// At returns the address of the byte of the payload at an offset.
func (m Message) At(offset int) Arg { return m.frame.At(syncproto.HeaderSize + offset) }

// Send sends a request, and waits for the reply, whose payload must be exactly as given. The descriptor fd is sent
// along, unless it is zero. One that comes with the reply is for Received.
func (p *Program) Send(m Message, fd Arg, reply string) {
	p.add(opRequest, m.frame, Int(m.size), p.Bytes([]byte(reply), "reply"), Int(len(reply)), fd)
}

// Request sends a request with this payload and no descriptor, as Send does.
func (p *Program) Request(payload, reply string) { p.Send(p.Message(payload), Int(0), reply) }

// Received puts into a register the descriptor that came with the reply to the request just before.
func (p *Program) Received(r Reg) {
	from := Arg{kind: argReply}
	i := p.add(opCombine, slot(r), from, from)
	i.nr, i.into = 1, r
}

// The values that Names puts into its register.
const (
	NamesNone   = 0 // the file is not a script and names no loader
	NamesScript = 1 // the path is that of a script's interpreter
	NamesLoader = 2 // the path is that of an ELF file's loader
)

// Names finds the path of the interpreter or the loader that a program names in its first bytes, which are length
// bytes at head. It writes the path to the address to, with a zero byte at the end, and puts into r which of the
// two it is. It gives up if the bytes do not tell. There must be room at to for length+1 bytes.
func (p *Program) Names(head Arg, length Reg, to Arg, r Reg) {
	p.add(opNames, head, Val(length), to).into = r
}

// Word sends EXEC.
func (p *Program) Word() { p.add(opWord) }

// Gate waits at a gate, which is a listening socket, for a parent with the profile "start". It first closes the
// socket of the previous parent, and at the end the listening socket. A signal that arrives at signals, a
// signalfd(2), ends the child, with 128 and its number as the status; a number that is no open descriptor means none.
func (p *Program) Gate(listener, signals Arg) *Instr {
	g := atGate()
	return p.add(opGate, listener, p.Table("greeting", p.Str(g.expected), Int(len(g.expected)), p.Str(g.before),
		Int(len(g.before)), p.Str(g.behind), Int(len(g.behind))), signals)
}

// ErrorTexts returns the table of the texts that Report sends for each errno, and for every other errno. An entry
// consists of the errno and the length of the text, 32 bits each, then the address of the text.
func (p *Program) ErrorTexts(text func(unix.Errno) string, errnos []unix.Errno, other string) Arg {
	entries := make([]byte, 0, 16*(len(errnos)+1))
	for _, e := range errnos {
		entries = append(entries, Words(uint64(len(text(e)))<<32|uint64(e), 0)...)
	}
	table := p.place(append(entries, Words(uint64(len(other))<<32, 0)...), "errors")
	for n, e := range errnos {
		p.pointers = append(p.pointers, pointer{table.value + uint32(16*n+8), p.Str(text(e))})
	}
	p.pointers = append(p.pointers, pointer{table.value + uint32(16*len(errnos)+8), p.Str(other)})
	return table
}

// Report sends an ERROR and ends the child. The payload is before, the text of the last error, and behind.
func (p *Program) Report(before, behind string, table Arg) {
	p.add(opReport, p.Str(before), Int(len(before)), p.Str(behind), Int(len(behind)), table)
}
