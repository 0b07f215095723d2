package smallchild

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
)

// This file and interpret_frames.go define what each instruction does and what the small child says, once, in Go. The
// machine code does the same, and tests compare the two: they make the same system calls, with the same arguments, in
// the same order. Nothing of the product calls Interpret.

// MemorySize and MemoryBase are the size and the address of the memory in which a program runs.
const (
	MemorySize = memorySize
	MemoryBase = memoryBase
)

// Kernel carries out the system calls of Interpret.
type Kernel interface {
	// Call makes system call nr. The result is what the kernel returns in a register: an errno is negative, between -4095
	// and -1. Addresses among the arguments are those of the memory that Interpret was given, which starts at MemoryBase.
	// returns is false for a call that does not return: an execution that succeeded, or the end of the process.
	Call(nr uintptr, args ...uint64) (result int64, returns bool)
}

// errEndless is the error for a program that executes more instructions than any program can have, after it has found
// the last name in a directory, or that finds more of these than any test has.
var errEndless = errors.New("the program has no end, or a jump that goes back")

// AccessError is the error for an instruction that uses memory which the small child does not have. The machine code
// may be killed there by a signal.
type AccessError struct {
	Instruction int // -1: none was executed yet
	Address     uint64
	Size        uint64
}

// Error implements error.
func (e *AccessError) Error() string {
	return fmt.Sprintf("instruction %d uses %d bytes at %#x, which is not the child's memory", e.Instruction, e.Size,
		e.Address)
}

// Interpret is the small child in Go: it takes the descriptor of the handshake socket, speaks with the parent in the
// profile p, and carries out the program that comes as CONFIG. memory has MemorySize bytes, and all of them are zero.
//
// It returns nil once a call does not return. An error means that the program is not one that Verify accepts.
// Interpret does not panic, whatever the parent sends.
func Interpret(k Kernel, memory []byte, socket int, p *syncproto.Profile) error {
	if len(memory) != memorySize {
		return fmt.Errorf("memory of %d bytes, want %d", len(memory), memorySize)
	}
	m := &machine{kernel: k, memory: memory, place: -1}
	m.setReg(Socket, uint64(socket))
	if m.adopt() && m.greet(boot(p)) && m.takeProgram() {
		m.run()
	}
	m.die()
	return m.err
}

// machine is a small child.
type machine struct {
	kernel Kernel
	memory []byte
	place  int    // the present instruction
	left   uint64 // how many instructions may follow before the next name of a directory
	found  int    // names in directories
	ended  bool   // by a system call, or because of err
	err    error  // why it cannot continue, if no system call has ended it
}

// call makes a system call.
func (m *machine) call(nr uintptr, args ...uint64) int64 {
	if m.ended {
		return -int64(unix.ESRCH)
	}
	result, returns := m.kernel.Call(nr, args...)
	m.ended = m.ended || !returns
	return result
}

// stop ends the machine with an error.
func (m *machine) stop(err error) {
	if !m.ended {
		m.ended, m.err = true, err
	}
}

// at returns size bytes of memory. If there are none at the address the machine has ended, and the result is other
// memory, of up to one frame.
func (m *machine) at(address, size uint64) []byte {
	if address < memoryBase || address > memoryBase+memorySize || size > memoryBase+memorySize-address {
		m.stop(&AccessError{m.place, address, size})
		return make([]byte, min(size, frameSize))
	}
	return m.memory[address-memoryBase:][:size]
}

func (m *machine) load64(a uint64) uint64     { return binary.LittleEndian.Uint64(m.at(a, 8)) }
func (m *machine) load32(a uint64) uint32     { return binary.LittleEndian.Uint32(m.at(a, 4)) }
func (m *machine) store64(a uint64, v uint64) { binary.LittleEndian.PutUint64(m.at(a, 8), v) }
func (m *machine) store32(a uint64, v uint32) { binary.LittleEndian.PutUint32(m.at(a, 4), v) }
func (m *machine) reg(r Reg) uint64           { return m.load64(registers + 8*uint64(r)) }
func (m *machine) setReg(r Reg, v uint64)     { m.store64(registers+8*uint64(r), v) }

// put writes bytes and a zero byte behind them.
func (m *machine) put(a uint64, text []byte) {
	to := m.at(a, uint64(len(text))+1)
	if m.ended {
		return
	}
	to[copy(to, text)] = 0
}

// run carries out the program.
func (m *machine) run() {
	base := uint64(configBase + shortHead)
	if m.at(configBase, 1)[0] == longMark {
		base = configBase + longHead
	}
	if string(m.at(base, 8)) != magic {
		m.place = 0
		m.fail()
		return
	}
	count := uint64(m.load32(base + 8))
	m.setReg(regCount, count)
	m.left = min(count, maxInstrs)
	for next := uint64(0); next < count && !m.ended; m.left-- {
		if m.left == 0 {
			m.stop(errEndless)
			return
		}
		m.place = int(next)
		i := m.decode(base + headSize + instrSize*next)
		switch m.execute(&i) {
		case goOn:
			next++
		case jump:
			next = uint64(i.target)
		case giveUp:
			m.fail()
			return
		}
	}
}

// encoded is an instruction as the small child gets it.
type encoded struct {
	op      opcode
	into    Reg
	ignore  bool
	nr      uint16
	errnos  [4]uint16
	target  uint16
	args    [6]uint64 // registers have been replaced by their content
	literal [6]uint32 // as they stand in the program
}

// decode reads the instruction at an address. encodeInstr writes it.
func (m *machine) decode(address uint64) encoded {
	b, le := m.at(address, instrSize), binary.LittleEndian
	i := encoded{op: opcode(b[0]), into: Reg(b[1]), ignore: b[3]&1 != 0, nr: le.Uint16(b[4:]), target: le.Uint16(b[14:])}
	for n := range i.errnos {
		i.errnos[n] = le.Uint16(b[6+2*n:])
	}
	for n := range i.args {
		i.literal[n] = le.Uint32(b[16+4*n:])
		i.args[n] = signed(i.literal[n])
		if b[2]&(1<<n) != 0 {
			i.args[n] = m.load64(registers + 8*i.args[n])
		}
	}
	return i
}

// signed returns 32 bits with their sign extended to 64.
func signed(v uint32) uint64 { return uint64(int64(int32(v))) }

// outcome is what follows an instruction.
type outcome int

const (
	goOn   outcome = iota // with the next instruction
	jump                  // to the instruction's target
	giveUp                // send the ERROR of a child that cannot continue, and end
	end                   // the machine has ended
)

// execute carries out one instruction.
func (m *machine) execute(i *encoded) outcome {
	a := &i.args
	switch i.op {
	case opCall:
		return m.result(i, m.call(uintptr(i.nr), a[:]...))
	case opTest:
		mask, value := uint64(i.literal[2])<<32|uint64(i.literal[1]), uint64(i.literal[4])<<32|uint64(i.literal[3])
		if m.load64(a[0])&mask == value {
			return jump
		}
	case opJump:
		return jump
	case opCombine:
		v, w := m.load32(a[1]), m.load32(a[2])
		if i.nr&0xff == 0 {
			m.store32(a[0], v&w)
		} else {
			m.store32(a[0], v|w)
		}
	case opOctal:
		m.put(a[0], fmt.Appendf(nil, "%o", m.load32(a[1])&0xfff))
	case opRequest:
		return m.request(a[0], a[1], a[4], signed(i.literal[2]), i.literal[3])
	case opWord:
		return m.word()
	case opGate:
		return m.gate(i)
	case opHome:
		return m.home(a[0], a[1], m.at(a[2], a[3]), a[4])
	case opReport:
		m.report(a[0], a[1], a[2], a[3], a[4])
		return end
	case opParent:
		return m.checkParent()
	case opNames:
		return m.named(a[0], a[1], a[2], i.into)
	case opEntry:
		return m.entry(i)
	case opCut:
		m.at(a[0]+a[1], 1)[0] = 0
	default:
		return giveUp
	}
	return goOn
}

// result decides what follows a system call.
func (m *machine) result(i *encoded, result int64) outcome {
	if m.ended {
		return end
	}
	if result >= 0 || result < -4095 {
		if i.into != noReg {
			m.setReg(i.into, uint64(result))
		}
		return goOn
	}
	errno := uint16(-result)
	m.setReg(regErrno, uint64(errno))
	m.setReg(regPlace, uint64(m.place))
	for _, e := range i.errnos {
		if e == errno {
			return jump
		}
	}
	switch {
	case i.errnos[0] == anyErrno:
		return jump
	case i.ignore:
		return goOn
	}
	return giveUp
}

// longestHome is the length of the longest name of a home directory, in bytes.
const longestHome = 4000

// home finds the home directory of a user in the length bytes of passwd(5) at from.
func (m *machine) home(from, length uint64, user []byte, to uint64) outcome {
	if from+length <= from { // length may be the negative result of a call
		m.put(to, []byte("/"))
		return goOn
	}
	for rest := m.at(from, length); len(rest) > 0; {
		line := rest
		if n := index(rest, '\n'); n < len(rest) {
			line, rest = rest[:n], rest[n+1:]
		} else {
			rest = nil
		}
		var fields [6][]byte // the last one is the directory, which the line may end with
		n := 0
		for ; n < len(fields) && line != nil; n++ {
			at := index(line, ':')
			if fields[n] = line[:at]; at == len(line) {
				line = nil
			} else {
				line = line[at+1:]
			}
		}
		directory := fields[5]
		if n < len(fields) || string(fields[2]) != string(user) || len(directory) == 0 || directory[0] != '/' {
			continue
		}
		if len(directory) > longestHome {
			return giveUp
		}
		m.put(to, directory)
		return goOn
	}
	m.put(to, []byte("/"))
	return goOn
}

// index returns where c stands in b; len(b) if it does not.
func index(b []byte, c byte) int {
	for n := range b {
		if b[n] == c {
			return n
		}
	}
	return len(b)
}

// named is Program.Names.
func (m *machine) named(from, length, to uint64, r Reg) outcome {
	head := m.at(from, length)
	if m.ended {
		return end
	}
	kind, name, ok := namedIn(head)
	if !ok {
		return giveUp
	}
	if kind != NamesNone {
		m.put(to, name)
	} else if name != nil { // there was a mark, but no name
		m.at(to, 1)[0] = 0
	}
	m.setReg(r, uint64(kind))
	return goOn
}

// namedIn returns which file the first bytes of a program name. ok is false if they do not tell.
func namedIn(head []byte) (kind int, name []byte, ok bool) {
	le := binary.LittleEndian
	switch {
	case len(head) >= 64 && string(head[:4]) == "\x7fELF":
		const size = 56                                                    // of a program header
		if le.Uint16(head[4:]) != 0x0102 || le.Uint16(head[54:]) != size { // ELFCLASS64, ELFDATA2LSB
			return 0, nil, false
		}
		at := le.Uint64(head[32:])
		for range le.Uint16(head[56:]) {
			if at >= uint64(len(head)) || uint64(len(head))-at < size {
				return 0, nil, false
			}
			if h := head[at:]; le.Uint32(h) == 3 { // PT_INTERP
				offset, length := le.Uint64(h[8:]), le.Uint64(h[32:])
				if offset > uint64(len(head)) || length > uint64(len(head))-offset {
					return 0, nil, false
				}
				return NamesLoader, head[offset:][:length], true
			}
			at += size
		}
	case len(head) >= 2 && string(head[:2]) == "#!":
		line := head[2:min(len(head), 256)] // BINPRM_BUF_SIZE
		for len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			line = line[1:]
		}
		if len(line) == 0 {
			return NamesNone, nil, true
		}
		n := 0
		for n < len(line) && line[n] != ' ' && line[n] != '\t' && line[n] != '\n' && line[n] != 0 {
			n++
		}
		if n == 0 {
			return NamesNone, line[:0], true
		}
		return NamesScript, line[:n], true
	}
	return NamesNone, nil, true
}

// maxFound is how many names of directories Interpret finds. There is no such bound in machine code.
const maxFound = 1 << 16

// entry is Program.Entry.
func (m *machine) entry(i *encoded) outcome {
	at := entries + i.args[1]*entriesSize
	for !m.ended {
		next, end := m.load64(at), m.load64(at+8)
		if next >= end {
			n := m.call(unix.SYS_GETDENTS64, i.args[0], at+entriesHead, entriesRoom)
			if n < 0 {
				return m.result(i, n)
			}
			m.store64(at, 0)
			m.store64(at+8, uint64(n))
			if n == 0 {
				return jump
			}
			continue
		}
		e := at + entriesHead + next // struct linux_dirent64
		size := uint64(binary.LittleEndian.Uint16(m.at(e+16, 2)))
		m.store64(at, next+size)
		name := m.at(e+19, 3)
		if name[0] == '.' && (name[1] == 0 || name[1] == '.' && name[2] == 0) && size > 0 {
			continue
		}
		if m.found++; m.found > maxFound {
			m.stop(errEndless)
			break
		}
		m.left = maxInstrs
		m.setReg(i.into, e+19)
		return goOn
	}
	return end
}

// digest is that of CONFIG_OK, over b, whose length is a multiple of eight, for a configuration of n bytes.
func digest(b []byte, n uint64) uint64 {
	const k = 0x9e3779b97f4a7c15
	d := n * k
	for ; len(b) > 0; b = b[8:] {
		d = bits.RotateLeft64((d^binary.LittleEndian.Uint64(b))*k, 32) * k
	}
	return d
}
