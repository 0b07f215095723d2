package seccomp

import "fmt"

// Data is the input of a filter for one call: struct seccomp_data of linux/seccomp.h.
type Data struct {
	Number             uint32 // of the architecture; with bit 30 set for x32
	AuditArch          uint32 // see Arch.AuditArch
	InstructionPointer uint64
	Args               [6]uint64
}

// word returns the 32-bit word at an offset, as on a kernel with this byte order.
func (d *Data) word(offset uint32, big bool) uint32 {
	half := func(value uint64, second bool) uint32 {
		if second != big {
			return uint32(value >> 32)
		}
		return uint32(value)
	}
	switch {
	case offset == offsetNumber:
		return d.Number
	case offset == offsetArch:
		return d.AuditArch
	case offset < offsetArgs:
		return half(d.InstructionPointer, offset%8 != 0)
	}
	return half(d.Args[(offset-offsetArgs)/8], offset%8 != 0)
}

// Verdict is the result of a program for a call.
type Verdict struct {
	Action Action
	Steps  int // instructions executed, including the return
}

// Run interprets the program as the kernel would. It returns an error if the kernel would not load the program.
func (p *Program) Run(d Data) (Verdict, error) {
	if err := Verify(p.Filter); err != nil {
		return Verdict{}, err
	}
	return run(p.Filter, &d, archs[p.Host].big), nil
}

// run interprets a verified program.
func run(filter []Instruction, d *Data, big bool) Verdict {
	var a uint32
	for pc, steps := 0, 1; ; pc, steps = pc+1, steps+1 {
		in := &filter[pc]
		var taken bool
		switch in.Code {
		case returnConstant:
			return Verdict{Action(in.K), steps}
		case loadWord:
			a = d.word(in.K, big)
			continue
		case andConstant:
			a &= in.K
			continue
		case jumpAlways:
			pc += int(in.K)
			continue
		case jumpEqual:
			taken = a == in.K
		case jumpGreater:
			taken = a > in.K
		case jumpGreaterEqual:
			taken = a >= in.K
		case jumpSet:
			taken = a&in.K != 0
		}
		if taken {
			pc += int(in.JT)
		} else {
			pc += int(in.JF)
		}
	}
}

// Verify checks a filter by the kernel's rules (bpf_check_classic and seccomp_check_filter). It only knows the
// instructions that this package writes; others are an error too.
func Verify(filter []Instruction) error {
	n := len(filter)
	if n == 0 || n > maxInstructions {
		return fmt.Errorf("seccomp: a program of %d instructions: want 1 to %d", n, maxInstructions)
	}
	for pc, in := range filter {
		left := uint32(n - pc - 1) // instructions after this one
		switch in.Code {
		case returnConstant, andConstant:
		case loadWord:
			if in.K%4 != 0 || in.K >= offsetArgs+6*8 {
				return fmt.Errorf("seccomp: instruction %d loads from offset %d", pc, in.K)
			}
		case jumpAlways:
			if in.K >= left {
				return fmt.Errorf("seccomp: instruction %d jumps behind the end", pc)
			}
		case jumpEqual, jumpGreater, jumpGreaterEqual, jumpSet:
			if uint32(in.JT) >= left || uint32(in.JF) >= left {
				return fmt.Errorf("seccomp: instruction %d jumps behind the end", pc)
			}
		default:
			return fmt.Errorf("seccomp: instruction %d has the code %#x", pc, in.Code)
		}
	}
	if filter[n-1].Code != returnConstant {
		return fmt.Errorf("seccomp: the last instruction is no return")
	}
	return nil
}
