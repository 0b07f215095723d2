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
	opMoveReg  = 0xbf // dst = src
	opAnd32    = 0x54 // dst &= imm, 32 bits
	opShift32  = 0x74 // dst >>= imm, 32 bits
	opNotEqual = 0x56 // if dst != imm goto +off, 32 bits
	opSet      = 0x46 // if dst & imm goto +off, 32 bits
	opExit     = 0x95
	opJump     = 0x05 // goto +off
)

// Registers: the kernel gives the context in the first, and takes the verdict from the zeroth.
const (
	regVerdict = iota
	regContext
	regType
	regAccess // kinds of access that are asked for and not yet decided
	regMajor
	regMinor
)

// Bits of struct bpf_cgroup_dev_ctx, <linux/bpf.h>: access_type holds the access in its high half and the type in its low one.
const (
	devBlock = 1
	devChar  = 2

	accMknod = 1
	accRead  = 2
	accWrite = 4
	accAll   = accMknod | accRead | accWrite
)

// compile makes a device program of rules. For every kind of access that is asked for the last rule counts that names the device and it; what no rule names is allowed, as in a fresh group of v1.
// So the rules are walked from the last: one that denies something undecided ends with a refusal, one that allows takes its kinds off the undecided, and when none is left the
// answer is yes.
func compile(rules []DeviceRule) ([]insn, error) {
	prog := []insn{
		{code: opLoad32, regs: regType | regContext<<4},
		{code: opMoveReg, regs: regAccess | regType<<4},
		{code: opAnd32, regs: regType, imm: 0xffff},
		{code: opShift32, regs: regAccess, imm: 16},
		{code: opLoad32, regs: regMajor | regContext<<4, off: 4},
		{code: opLoad32, regs: regMinor | regContext<<4, off: 8},
	}
	for i := len(rules) - 1; i >= 0; i-- {
		block, err := compileRule(&rules[i])
		if err != nil {
			return nil, fmt.Errorf("device rule %d: %w", i, err)
		}
		prog = append(prog, block...)
	}
	return append(prog, insn{code: opMove, regs: regVerdict, imm: 1}, insn{code: opExit}), nil
}

// compileRule is one rule: tests that lead behind it where the device is another one, and what it decides.
func compileRule(r *DeviceRule) ([]insn, error) {
	var tests []insn
	switch r.Type {
	case "a", "":
	case "b":
		tests = append(tests, insn{code: opNotEqual, regs: regType, imm: devBlock})
	case "c":
		tests = append(tests, insn{code: opNotEqual, regs: regType, imm: devChar})
	default:
		return nil, fmt.Errorf("type %q is not a, b or c", r.Type)
	}
	for _, n := range [...]struct {
		reg   uint8
		value *int64
	}{{regMajor, r.Major}, {regMinor, r.Minor}} {
		if n.value == nil {
			continue
		}
		if *n.value < 0 || *n.value > math.MaxUint32 {
			return nil, fmt.Errorf("number %d is not one of a device", *n.value)
		}
		tests = append(tests, insn{code: opNotEqual, regs: n.reg, imm: int32(uint32(*n.value))})
	}
	access, err := accessBits(r.Access)
	if err != nil {
		return nil, err
	}
	body := []insn{ // deny: if any undecided kind is among these, the answer is no
		{code: opSet, regs: regAccess, off: 1, imm: access},
		{code: opJump, off: 2},
		{code: opMove, regs: regVerdict, imm: 0},
		{code: opExit},
	}
	if r.Allow { // these kinds are decided; if none is left, the answer is yes
		body = []insn{
			{code: opAnd32, regs: regAccess, imm: ^access},
			{code: opNotEqual, regs: regAccess, off: 2, imm: 0},
			{code: opMove, regs: regVerdict, imm: 1},
			{code: opExit},
		}
	}
	for i := range tests {
		tests[i].off = int16(len(tests) - 1 - i + len(body))
	}
	return append(tests, body...), nil
}

func accessBits(access string) (int32, error) {
	if access == "" {
		return accAll, nil
	}
	if strings.Trim(access, "rwm") != "" {
		return 0, fmt.Errorf("access %q is not letters of rwm", access)
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
