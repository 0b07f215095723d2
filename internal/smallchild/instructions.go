package smallchild

import (
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
)

// This file holds the methods that add the instructions of a program. Interpret says what each one does.

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
