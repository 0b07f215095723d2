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
	for i := range rules {
		c, err := newCheck(&rules[i])
		if err != nil {
			return nil, fmt.Errorf("device rule %d: %w", i, err)
		}
		checked[i] = c
	}
	var prog []insn
	for _, bit := range [...]int32{accRead, accWrite, accMknod} {
		body := decide(checked, bit)
		if len(body) > math.MaxInt16 {
			return nil, fmt.Errorf("%d device rules are more than a program can hold", len(rules))
		}
		prog = append(prog, loadField(ctxAccessType), insn{code: opSet, regs: regField, off: 1, imm: bit << 16},
			insn{code: opJump, off: int16(len(body))})
		prog = append(prog, body...)
	}
	return append(prog, insn{code: opMove, regs: regVerdict, imm: 1}, insn{code: opExit}), nil
}

func loadField(offset int16) insn {
	return insn{code: opLoad32, regs: regField | regContext<<4, off: offset}
}

// check is a rule as instructions: the comparisons, each of which skips to the next rule if it fails, and the kinds of
// access that the rule decides if all of them hold.
type check struct {
	tests  []insn
	access int32
	allow  bool
}

func newCheck(r *DeviceRule) (c check, err error) {
	c.allow = r.Allow
	if c.access, err = accessBits(r.Access); err != nil {
		return c, err
	}
	kind := func(k int32) {
		c.tests = append(c.tests, loadField(ctxAccessType), insn{code: opAnd32, regs: regField, imm: 0xffff},
			insn{code: opNotEqual, regs: regField, imm: k})
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
		c.tests = append(c.tests, loadField(n.offset), insn{code: opNotEqual, regs: regField, imm: int32(uint32(*n.value))})
	}
	return c, nil
}

// decide returns the code for one kind of access. It tries the rules from the last to the first, and either ends the
// program by denying access or continues after its own last instruction.
func decide(rules []check, bit int32) []insn {
	var all []insn
	for i := len(rules) - 1; i >= 0; i-- {
		r := &rules[i]
		if r.access&bit == 0 {
			continue
		}
		act := []insn{{code: opMove, regs: regVerdict, imm: 0}, {code: opExit}}
		if r.allow {
			act = []insn{{code: opJump}}
		}
		for k, t := range r.tests {
			if t.code == opNotEqual {
				t.off = int16(len(r.tests) - 1 - k + len(act))
			}
			all = append(all, t)
		}
		all = append(all, act...)
		if len(r.tests) == 0 {
			break // it matches every device, so earlier rules do not count, and the verifier rejects unreachable code
		}
	}
	for k := range all {
		if all[k].code == opJump {
			all[k].off = int16(len(all) - 1 - k)
		}
	}
	return all
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
