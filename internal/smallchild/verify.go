package smallchild

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// defined is a set of registers.
type defined [128 / 64]uint64

func (d *defined) add(r Reg)      { d[r/64] |= 1 << (r % 64) }
func (d *defined) has(r Reg) bool { return d[r/64]&(1<<(r%64)) != 0 }

// covers reports whether all registers of other are in the set.
func (d defined) covers(other defined) bool {
	for w := range d {
		if other[w]&^d[w] != 0 {
			return false
		}
	}
	return true
}

// Verify refuses a program that the small child must not get: a jump that goes neither forward nor to an Entry, or
// leads out of the program, a register that may be used before it is set, an address outside the program's memory,
// and a buffer that does not fit where it is, as far as verifyCall and the instructions themselves say how long it
// is. It holds a buffer in the child's memory to all of that memory, not to the single Scratch.
func (p *Program) Verify() error {
	// For each instruction: the registers that are set on every path to it, and whether there is a path.
	at := make([]place, len(p.instrs)+1)
	at[0].reached = true
	at[0].defined.add(Socket)
	at[0].defined.add(Errno)
	for r := firstFD; r <= lastFD; r++ {
		at[0].defined.add(r)
	}
	if p.memory > memoryBase+memorySize-scratch {
		return fmt.Errorf("uses %d bytes of memory, more than there are", p.memory)
	}
	if err := p.verifyTables(); err != nil {
		return err
	}
	for n := range p.instrs {
		i := &p.instrs[n]
		if !at[n].reached {
			return fmt.Errorf("instruction %d: nothing leads here", n)
		}
		if err := p.verifyInstr(n, i, at[n].defined); err != nil {
			return fmt.Errorf("instruction %d: %w", n, err)
		}
		if to := p.target(i); to > n {
			at[to].meet(at[n].defined)
		} else if to >= 0 && !at[n].defined.covers(at[to].defined) {
			return fmt.Errorf("instruction %d: jumps back to %d, without a register that is set there", n, to)
		}
		if i.op == opJump || i.op == opReport || i.op == opGiveUp {
			continue
		}
		after := at[n].defined
		// If errors are ignored, the call may have failed, and then the register has its old content.
		if i.into != noReg && !i.ignore {
			after.add(i.into)
		}
		at[n+1].meet(after)
	}
	if at[len(p.instrs)].reached {
		return errors.New("the program ends without an execution or an error's report")
	}
	return nil
}

// target returns the instruction to which one jumps; -1: it does not jump.
func (p *Program) target(i *Instr) int {
	if i.to < 0 || int(i.to) >= len(p.labels) {
		return -1
	}
	return int(p.labels[i.to])
}

// place is the set of registers that are set at one place of a program, and whether a path leads there.
type place struct {
	defined defined
	reached bool
}

// meet adds one more path.
func (p *place) meet(d defined) {
	if !p.reached {
		p.defined, p.reached = d, true
		return
	}
	for w := range d {
		p.defined[w] &= d[w]
	}
}

func (p *Program) verifyInstr(n int, i *Instr, d defined) error {
	if err := p.verifyTarget(n, i); err != nil {
		return err
	}
	if i.into != noReg && (i.into < firstReg || i.into > lastReg) {
		return fmt.Errorf("puts its result into r%d, which is not the program's", i.into)
	}
	if int(i.count) > len(i.args) {
		return fmt.Errorf("has %d arguments", i.count)
	}
	if i.op == opCombine && i.into != noReg {
		d.add(i.into) // its address is the first argument
	}
	for n, a := range i.args[:i.count] {
		if err := p.verifyArg(a, d); err != nil {
			return err
		}
		if a.wide {
			return fmt.Errorf("argument %d does not fit in 32 bits", n)
		}
	}
	return p.verifyExtents(n, i)
}

// verifyTarget checks that an instruction that jumps has a target, and that it is ahead, or an Entry: a program ends,
// because every round begins with another name.
func (p *Program) verifyTarget(n int, i *Instr) error {
	if i.to == noLabel {
		if i.op == opTest || i.op == opJump || i.op == opEntry || i.errnos != [4]uint16{} {
			return errors.New("jumps nowhere")
		}
		return nil
	}
	to := p.target(i)
	switch {
	case to > n && to < len(p.instrs):
		return nil
	case i.op == opJump && to >= 0 && to < n && p.instrs[to].op == opEntry:
		return nil
	}
	return fmt.Errorf("jumps to label %d, which is not ahead", i.to)
}

func (p *Program) verifyArg(a Arg, d defined) error {
	switch {
	case (a.kind == argReg || a.kind == argSlot) && (a.value > uint32(lastReg) || !d.has(Reg(a.value))):
		return fmt.Errorf("uses r%d, in which nothing may be yet", a.value)
	case a.kind == argData && int(a.value) >= len(p.data):
		return fmt.Errorf("uses data %d of %d", a.value, len(p.data))
	case a.kind == argMemory && uint64(a.value) >= min(p.memory, memoryBase+memorySize-scratch):
		return fmt.Errorf("uses memory %d of %d", a.value, p.memory)
	}
	return nil
}

// verifyTables checks what the tables in the data hold. A register is not set when the parent writes them.
func (p *Program) verifyTables() error {
	for _, f := range p.pointers {
		switch err := p.verifyArg(f.to, defined{}); {
		case err != nil:
			return fmt.Errorf("a table, at data %d: %w", f.at, err)
		case f.to.wide || f.to.kind == argNumber && int32(f.to.value) < 0:
			return fmt.Errorf("a table, at data %d: the number is negative, or does not fit in 31 bits", f.at)
		}
	}
	return nil
}

// unknown is a length of which nothing is known.
const unknown = math.MaxUint64

// has checks that there are size bytes at an address. The child may write only to its memory and to registers.
func (p *Program) has(a Arg, size uint64, written bool) error {
	room, at := uint64(0), uint64(a.value)
	switch a.kind {
	case argData:
		if room = max(uint64(len(p.data)), at) - at; written {
			if room = p.inMessage(a.value); room == 0 {
				return fmt.Errorf("writes to data %d", at)
			}
		}
	case argMemory:
		room = max(p.memory, at) - at
	case argSlot, argReply:
		if room = 8; written { // most relies on it
			return errors.New("writes to a register other than by its result")
		}
	default:
		return errors.New("uses a number or a register as an address")
	}
	if size > room {
		if size == unknown {
			return errors.New("uses a buffer whose length has no bound")
		}
		return fmt.Errorf("uses %d bytes where there are %d", size, room)
	}
	return nil
}

// inMessage returns how much of a Message there is from an offset in the data on. The rest of the data is constant.
func (p *Program) inMessage(at uint32) uint64 {
	for _, n := range p.names {
		if n.text == messageName && at >= n.at && at < n.at+n.size {
			return uint64(n.at + n.size - at)
		}
	}
	return 0
}

// extents collects the first error of several checks of has.
type extents struct {
	p   *Program
	err error
}

func (e *extents) read(a Arg, size uint64) {
	if e.err == nil {
		e.err = e.p.has(a, size, false)
	}
}

func (e *extents) write(a Arg, size uint64) {
	if e.err == nil {
		e.err = e.p.has(a, size, true)
	}
}

// operands is the number of arguments of each instruction but system calls.
var operands = [...]uint8{opTest: 5, opCombine: 3, opOctal: 2, opRequest: 5, opGate: 3, opHome: 5, opReport: 5,
	opNames: 3, opEntry: 2, opCut: 2}

// verifyExtents checks that an instruction stays within its operands.
func (p *Program) verifyExtents(n int, i *Instr) error {
	e, a := extents{p: p}, &i.args
	if i.op == opCall {
		p.verifyCall(n, i, &e)
		return e.err
	}
	want := uint8(0)
	if int(i.op) < len(operands) {
		want = operands[i.op]
	}
	if i.count != want {
		return fmt.Errorf("has %d arguments, want %d", i.count, want)
	}
	number := func(n int) uint64 {
		if a[n].kind != argNumber && e.err == nil {
			e.err = fmt.Errorf("argument %d is no number", n)
		}
		return uint64(a[n].value)
	}
	if i.into != noReg && i.op != opNames && i.op != opEntry && (i.op != opCombine || a[0] != slot(i.into)) {
		return fmt.Errorf("puts into r%d what is no result", i.into)
	}
	switch i.op {
	case opTest:
		e.read(a[0], 8)
	case opCombine:
		if i.into == noReg {
			e.write(a[0], 4)
		}
		e.read(a[1], 4)
		e.read(a[2], 4)
	case opOctal:
		e.write(a[0], 5)
		e.read(a[1], 4)
	case opRequest:
		e.write(a[0], 16+number(1)) // the child fills in the header of the frame
		e.read(a[2], number(3))
	case opGate:
		p.verifyGreeting(a[1], &e)
	case opHome:
		e.read(a[0], p.most(n, a[1]))
		e.read(a[2], number(3))
		e.write(a[4], longestHome+1)
	case opReport:
		if room := uint64(outSize - 16); number(1)+number(3)+p.longestText(a[4], &e) > room && e.err == nil {
			e.err = fmt.Errorf("reports more than %d bytes", room)
		}
		e.read(a[0], number(1))
		e.read(a[2], number(3))
	case opEntry:
		if depth := number(1); depth >= maxDepth && e.err == nil {
			e.err = fmt.Errorf("reads a directory at depth %d of %d", depth, maxDepth)
		}
		if i.into == noReg {
			return errors.New("has no register for its result")
		}
	case opCut:
		length := p.most(n, a[1])
		e.write(a[0], min(length, unknown-1)+1)
	case opNames:
		if i.into == noReg {
			return errors.New("has no register for its result")
		}
		length := p.most(n, a[1])
		e.read(a[0], length)
		e.write(a[2], min(length, unknown-1)+1)
	}
	return e.err
}

// verifyGreeting checks the table of Gate, which has three texts, each with its length.
func (p *Program) verifyGreeting(table Arg, e *extents) {
	e.read(table, 6*8)
	if e.err != nil {
		return
	}
	for n := 0; n < 3 && e.err == nil; n++ {
		text, isText := p.entry(table.At(16 * n))
		size, isSize := p.entry(table.At(16*n + 8))
		if !isText || !isSize || size.kind != argNumber {
			e.err = errors.New("uses as a greeting what is none")
			return
		}
		e.read(text, uint64(size.value))
	}
}

// longestText checks the table of Report, and returns the length of its longest text.
func (p *Program) longestText(table Arg, e *extents) (most uint64) {
	for at := table; e.err == nil; at = at.At(16) {
		if e.read(at, 16); e.err != nil {
			break
		}
		text, isText := p.entry(at.At(8))
		if !isText {
			e.err = errors.New("uses as a table of errors what is none")
			break
		}
		head := binary.LittleEndian.Uint64(p.data[at.value:])
		e.read(text, head>>32)
		most = max(most, head>>32)
		if uint32(head) == 0 { // the entry for any other errno
			break
		}
	}
	return most
}

// entry returns what a table holds at an address; ok is false if it is not that of an entry.
func (p *Program) entry(at Arg) (to Arg, ok bool) {
	for _, f := range p.pointers {
		if at.kind == argData && f.at == at.value {
			return f.to, true
		}
	}
	return Arg{}, false
}

// most returns the highest value that a length, an argument of instruction n, can have. A register has a bound if every
// instruction that may have set it last is Set, or a system call that reads a number of bytes.
func (p *Program) most(n int, length Arg) (bound uint64) {
	if length.kind == argNumber {
		return uint64(length.value)
	}
	if length.kind != argReg {
		return unknown
	}
	for m := n - 1; m >= 0; m-- {
		i := &p.instrs[m]
		if i.op == opEntry && p.setAgain(m, n, Reg(length.value)) {
			return unknown
		}
		if i.into != Reg(length.value) {
			continue
		}
		switch {
		case i.op == opCall && (i.name == "read" || i.name == "pread64") && i.count > 2 && i.args[2].kind == argNumber:
			bound = max(bound, uint64(i.args[2].value))
		case i.op == opCall && i.name == "readlinkat" && i.count > 3 && i.args[3].kind == argNumber:
			bound = max(bound, uint64(i.args[3].value))
		case i.op == opCombine && i.args[1].kind == argData && i.args[1] == i.args[2]: // Set
			set, ok := p.entry(i.args[1])
			if !ok || set.kind != argNumber {
				return unknown
			}
			bound = max(bound, uint64(set.value))
		default:
			return unknown
		}
		if !i.ignore && !p.jumpsOver(m, n) {
			return bound
		}
	}
	return unknown
}

// setAgain reports whether a register may have been set after instruction n, in a round before that began with the
// Entry m.
func (p *Program) setAgain(m, n int, r Reg) bool {
	set := false
	for k := n; k < len(p.instrs); k++ {
		set = set || p.instrs[k].into == r
		if set && p.target(&p.instrs[k]) == m {
			return true
		}
	}
	return false
}

// jumpsOver reports whether a path leads to instruction n past instruction m, which is before it.
func (p *Program) jumpsOver(m, n int) bool {
	for k := range p.instrs[:m+1] {
		if to := p.instrs[k].to; to >= 0 && int(to) < len(p.labels) && int(p.labels[to]) > m && int(p.labels[to]) <= n {
			return true
		}
	}
	return false
}
