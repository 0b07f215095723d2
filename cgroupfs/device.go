package cgroupfs

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
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
	opEqual    = 0x16 // if dst == imm goto +off, 32 bits
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
// The kernel verifies the program in every start of a container, which takes longer than all the rest that a start does
// for its group, and runs it whenever a device is opened. So the program has no test that cannot change the outcome,
// and compares a number once for all the rules that name it. The verifier's work is linear in the length of the
// program, because every group of comparisons loads what it compares: no knowledge is carried from one path to another.
// A program that kept the undecided kinds in a register was quadratic: the verifier rejected 1000 rules after 1.5 s.
func compile(rules []DeviceRule) ([]insn, error) {
	if len(rules) > maxDeviceRules {
		return nil, fmt.Errorf("%d device rules are more than a program can hold; at most %d: %w", len(rules),
			maxDeviceRules, unix.E2BIG)
	}
	var all []exception
	for i := range rules {
		list, err := rules[i].exceptions()
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	// Memory is taken once, for in a short process each further size of it costs a page fault.
	b := deviceProgram{insns: make([]insn, 0, 64+4*len(all))}
	for _, kind := range [...]struct {
		letter byte
		number int32
	}{{'c', devChar}, {'b', devBlock}} {
		b.kind(kind.number, decisions(all, kind.letter))
	}
	return b.finish()
}

// maxDeviceRules bounds the time that compile takes, which is quadratic in the number of rules, and keeps the program
// within what the verifier can follow: at most 8192 jumps whose other way it has yet to look at
// (BPF_COMPLEXITY_LIMIT_JMP_SEQ in kernel/bpf/verifier.c). A rule with a major of its own takes two of them: Linux 6.18
// loads 4095 such rules, and refuses 4096.
const maxDeviceRules = 4000

// decision is a list of rules for one type of node, of which the first match decides, and the kinds of access that it
// decides.
type decision struct {
	access int32
	rules  []exception
}

// decisions returns the lists for one type of node. Kinds of access with the same list share it, and a list that allows
// everything is left out.
func decisions(all []exception, kind byte) (out []decision) {
	for _, bit := range [...]int32{accRead, accWrite, accMknod} {
		list := decisive(all, kind, bit)
		same := slices.IndexFunc(out, func(d decision) bool {
			return slices.EqualFunc(d.rules, list, func(a, b exception) bool {
				return a.deviceKey == b.deviceKey && a.allow == b.allow
			})
		})
		switch {
		case len(list) == 0:
		case same >= 0:
			out[same].access |= bit
		default:
			out = append(out, decision{bit, list})
		}
	}
	return out
}

// decisive returns the rules for one type of node and one kind of access, from the last to the first, without those
// that change nothing: because a later rule covers them, or because what decides without them decides the same.
func decisive(all []exception, kind byte, bit int32) []exception {
	list := make([]exception, 0, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		e := all[i]
		covers := func(later exception) bool { return later.covers(e.deviceKey) }
		if e.kind == kind && e.access&bit != 0 && !slices.ContainsFunc(list, covers) {
			list = append(list, e)
		}
	}
	needed := list[:0]
	for i, e := range list {
		if !decidedAlike(e, list[i+1:]) {
			needed = append(needed, e)
		}
	}
	return needed
}

// decidedAlike reports whether the rules behind e decide the same as e on everything that e matches.
func decidedAlike(e exception, behind []exception) bool {
	for _, o := range behind {
		switch {
		case o.allow != e.allow && o.overlaps(e.deviceKey):
			return false
		case o.allow == e.allow && o.covers(e.deviceKey):
			return true
		}
	}
	return e.allow // as what no rule matches
}

// deviceProgram is a program that is being built.
type deviceProgram struct {
	insns  []insn
	denies []int // the jumps to the refusal at the end
}

func (b *deviceProgram) add(code uint8, off int16, imm int32) int {
	b.insns = append(b.insns, insn{code: code, regs: regField, off: off, imm: imm})
	return len(b.insns) - 1
}

func (b *deviceProgram) load(offset int16) {
	b.insns = append(b.insns, insn{code: opLoad32, regs: regField | regContext<<4, off: offset})
}

// land makes jumps lead to the next instruction.
func (b *deviceProgram) land(jumps ...int) {
	for _, at := range jumps {
		b.insns[at].off = int16(len(b.insns) - 1 - at) // finish bounds the length
	}
}

// kind appends the decisions on one type of node.
func (b *deviceProgram) kind(number int32, list []decision) {
	if len(list) == 0 {
		return
	}
	b.load(ctxAccessType)
	b.add(opAnd32, 0, 0xffff)
	other := b.add(opNotEqual, 0, number)
	for _, d := range list {
		b.load(ctxAccessType)
		b.add(opSet, 1, d.access<<16)
		allowed := []int{b.jump()}
		for rest := d.rules; len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].allow == rest[0].allow {
				n++
			}
			jumps := b.matches(rest[:n])
			if rest[0].allow {
				allowed = append(allowed, jumps...)
			} else {
				b.denies = append(b.denies, jumps...)
			}
			rest = rest[n:]
		}
		b.land(allowed...)
	}
	b.land(other)
}

// matches appends the comparisons of rules that all decide alike, so that their order does not matter, and returns the
// jumps that are taken for a match. What matches none goes on behind them. A rule for all minors must be the only one
// with its major, as decisive leaves it: behind another it would be compared as if it named one minor.
func (b *deviceProgram) matches(rules []exception) (jumps []int) {
	for i, first := range rules {
		sameMajor := func(e exception) bool { return e.major == first.major }
		if slices.ContainsFunc(rules[:i], sameMajor) {
			continue
		}
		next := -1
		if first.major != allNumbers {
			b.load(ctxMajor)
			next = b.add(opNotEqual, 0, int32(uint32(first.major)))
		}
		if first.minor == allNumbers {
			jumps = append(jumps, b.jump())
		} else {
			b.load(ctxMinor)
			for _, e := range rules[i:] {
				if sameMajor(e) {
					jumps = append(jumps, b.add(opEqual, 0, int32(uint32(e.minor))))
				}
			}
		}
		if next >= 0 {
			b.land(next)
		}
	}
	return jumps
}

func (b *deviceProgram) jump() int {
	b.insns = append(b.insns, insn{code: opJump})
	return len(b.insns) - 1
}

// finish appends both verdicts.
func (b *deviceProgram) finish() ([]insn, error) {
	b.verdict(1)
	if len(b.denies) > 0 { // else the verifier would refuse code that cannot be reached
		b.land(b.denies...)
		b.verdict(0)
	}
	if len(b.insns) > math.MaxInt16 {
		return nil, fmt.Errorf("the device rules are more than a program can hold: they take %d instructions, and jumps "+
			"reach over %d: %w", len(b.insns), math.MaxInt16, unix.E2BIG)
	}
	return b.insns, nil
}

func (b *deviceProgram) verdict(value int32) {
	b.insns = append(b.insns, insn{code: opMove, regs: regVerdict, imm: value}, insn{code: opExit})
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
