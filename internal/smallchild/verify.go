package smallchild

import (
	"errors"
	"fmt"
)

// defined is a set of registers.
type defined [128 / 64]uint64

func (d *defined) add(r Reg)      { d[r/64] |= 1 << (r % 64) }
func (d *defined) has(r Reg) bool { return d[r/64]&(1<<(r%64)) != 0 }

// Verify refuses a program that the small child must not get: a jump that does not go forward or leads out of the
// program, a register that may be used before it is set, an address outside the program's memory.
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
	for n := range p.instrs {
		i := &p.instrs[n]
		if !at[n].reached {
			return fmt.Errorf("instruction %d: nothing leads here", n)
		}
		if err := p.verifyInstr(n, i, at[n].defined); err != nil {
			return fmt.Errorf("instruction %d: %w", n, err)
		}
		if i.to != noLabel {
			at[p.labels[i.to]].meet(at[n].defined)
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
	if i.to != noLabel {
		if int(i.to) >= len(p.labels) || int(p.labels[i.to]) <= n || int(p.labels[i.to]) >= len(p.instrs) {
			return fmt.Errorf("jumps to label %d, which is not ahead", i.to)
		}
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
	return nil
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
