package cgroupfs

import (
	"fmt"
	"math"
	"strings"
)

// insn is one instruction of the kernel's BPF machine (Documentation/bpf/standardization/instruction-set.rst).
type insn struct {
	code uint8
	regs uint8 // destination in the low half, source in the high
	off  int16
	imm  int32
}

// The instructions that a device program is made of.
const (
	opLoad32   = 0x61 // dst = *(u32 *)(src + off)
	opMove     = 0xb7 // dst = imm
	opAnd32    = 0x54 // dst &= imm, 32 bits
	opNotEqual = 0x56 // if dst != imm goto +off, 32 bits
	opSet      = 0x46 // if dst & imm goto +off, 32 bits
	opExit     = 0x95
	opJump     = 0x05 // goto +off
)

// Registers: the kernel passes the context in r1 and takes the verdict from r0.
const (
	regVerdict = iota
	regContext
	regField // the word of the context that is examined
)

// The words of struct bpf_cgroup_dev_ctx, <linux/bpf.h>.
const (
	ctxAccessType = 0
	ctxMajor      = 4
	ctxMinor      = 8
)

// Bits of access_type, which holds the access in its high half and the type in its low one.
const (
	devBlock = 1
	devChar  = 2

	accMknod = 1
	accRead  = 2
	accWrite = 4
	accAll   = accMknod | accRead | accWrite
)

// compile compiles rules into a device program. For each kind of access that a process requests, the last rule that
// matches the device and that kind decides; access that no rule matches is allowed, as in a new v1 group.
//
// The program decides each kind separately, and every comparison reloads what it compares. So the verifier carries no
// knowledge from one path to another, and its work is linear in the number of rules. A program that kept the undecided
// kinds in a register was quadratic: the verifier rejected 1000 rules after 1.5 s.
func compile(rules []DeviceRule) ([]insn, error) {
	checked := make([]check, len(rules))
	most := 0 // instructions for one kind of access
	for i := range rules {
		c, err := newCheck(&rules[i])
		if err != nil {
			return nil, fmt.Errorf("device rule %d: %w", i, err)
		}
		checked[i] = c
		most += c.n + maxActs
	}
	kinds := [...]int32{accRead, accWrite, accMknod}
	// Memory is taken once, for in a short process each further size of it costs a page fault.
	prog := make([]insn, 0, len(kinds)*(3+most)+2)
	for _, bit := range kinds {
		prog = append(prog, loadField(ctxAccessType), insn{code: opSet, regs: regField, off: 1, imm: bit << 16},
			insn{code: opJump})
		start := len(prog)
		prog = appendVerdict(prog, checked, bit)
		length := len(prog) - start
		if length > math.MaxInt16 {
			return nil, fmt.Errorf("%d device rules are more than a program can hold", len(rules))
		}
		prog[start-1].off = int16(length)
	}
	return append(prog, insn{code: opMove, regs: regVerdict, imm: 1}, insn{code: opExit}), nil
}

func loadField(offset int16) insn {
	return insn{code: opLoad32, regs: regField | regContext<<4, off: offset}
}

// maxTests and maxActs bound the instructions of one rule: three compare the type, and two each of the numbers.
const maxTests, maxActs = 3 + 2*2, 2

// check is a rule in instructions: the comparisons, of which one that fails leads to the next rule, and the kinds of
// access that are decided if none does.
type check struct {
	tests  [maxTests]insn
	n      int // how many of tests there are
	access int32
	allow  bool
}

func newCheck(r *DeviceRule) (c check, err error) {
	c.allow = r.Allow
	if c.access, err = accessBits(r.Access); err != nil {
		return c, err
	}
	add := func(i insn) {
		c.tests[c.n] = i
		c.n++
	}
	kind := func(k int32) {
		add(loadField(ctxAccessType))
		add(insn{code: opAnd32, regs: regField, imm: 0xffff})
		add(insn{code: opNotEqual, regs: regField, imm: k})
	}
	switch r.Type {
	case "a", "":
	case "b":
		kind(devBlock)
	case "c":
		kind(devChar)
	default:
		return c, fmt.Errorf("type %q is not a, b or c", r.Type)
	}
	for _, n := range [...]struct {
		offset int16
		value  *int64
	}{{ctxMajor, r.Major}, {ctxMinor, r.Minor}} {
		if n.value == nil {
			continue
		}
		if *n.value < 0 || *n.value > math.MaxUint32 {
			return c, fmt.Errorf("%d is not a device number", *n.value)
		}
		add(loadField(n.offset))
		add(insn{code: opNotEqual, regs: regField, imm: int32(uint32(*n.value))})
	}
	return c, nil
}

// appendVerdict appends the verdict on one kind of access, by the rules from the last to the first: it ends the program
// with a refusal, or goes on behind its own end.
func appendVerdict(prog []insn, rules []check, bit int32) []insn {
	start := len(prog)
	for i := len(rules) - 1; i >= 0; i-- {
		r := &rules[i]
		if r.access&bit == 0 {
			continue
		}
		acts := 2
		if r.allow {
			acts = 1
		}
		for k, t := range r.tests[:r.n] {
			if t.code == opNotEqual {
				t.off = int16(r.n - 1 - k + acts)
			}
			prog = append(prog, t)
		}
		if r.allow {
			prog = append(prog, insn{code: opJump})
		} else {
			prog = append(prog, insn{code: opMove, regs: regVerdict, imm: 0}, insn{code: opExit})
		}
		if r.n == 0 {
			break // it names every device: nothing before it counts, and the verifier refuses code that cannot be reached
		}
	}
	for k := start; k < len(prog); k++ {
		if prog[k].code == opJump {
			prog[k].off = int16(len(prog) - 1 - k)
		}
	}
	return prog
}

func accessBits(access string) (int32, error) {
	if access == "" {
		return accAll, nil
	}
	if strings.Trim(access, "rwm") != "" {
		return 0, fmt.Errorf("access %q: want letters of rwm", access)
	}
	var bits int32
	for _, c := range access {
		switch c {
		case 'r':
			bits |= accRead
		case 'w':
			bits |= accWrite
		case 'm':
			bits |= accMknod
		}
	}
	return bits, nil
}
