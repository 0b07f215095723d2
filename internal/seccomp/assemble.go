package seccomp

import "errors"

// The codes of the classic BPF instructions in a filter (linux/bpf_common.h): class, size or operation, mode or source.
const (
	loadWord         uint16 = 0x20 // BPF_LD | BPF_W | BPF_ABS
	andConstant      uint16 = 0x54 // BPF_ALU | BPF_AND | BPF_K
	jumpAlways       uint16 = 0x05 // BPF_JMP | BPF_JA
	jumpEqual        uint16 = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	jumpGreater      uint16 = 0x25 // BPF_JMP | BPF_JGT | BPF_K
	jumpGreaterEqual uint16 = 0x35 // BPF_JMP | BPF_JGE | BPF_K
	jumpSet          uint16 = 0x45 // BPF_JMP | BPF_JSET | BPF_K
	returnConstant   uint16 = 0x06 // BPF_RET | BPF_K
)

// maxInstructions is BPF_MAXINSNS of linux/bpf_common.h.
const maxInstructions = 4096

// maxJump is the largest distance of a conditional jump.
const maxJump = 255

var errTooLong = errors.New("too long")

// The ways to enter a node: with its word in the accumulator and masked, with the word not yet masked, and with any
// content.
const (
	entryReady = iota
	entryWord
	entryAny
	variants
)

// An accumulator describes the known content of BPF's accumulator: a word of seccomp_data and the mask on it.
type accumulator struct {
	offset uint8
	mask   uint32 // 0: unknown
}

// An assembler writes a program from its end to its start. Jumps only go forward, so the distance to the target of a
// jump is known when the jump is written. Positions count from the end.
type assembler struct {
	code []Instruction // the last instruction first
	rets []placed      // the latest position of each action
}

type placed struct {
	action Action
	at     int32
}

func (a *assembler) put(code uint16, jt, jf uint8, k uint32) int32 {
	a.code = append(a.code, Instruction{code, jt, jf, k})
	return int32(len(a.code) - 1)
}

// distance returns how many instructions a jump skips to reach a position, if it is the next instruction written.
func (a *assembler) distance(at int32) int { return len(a.code) - int(at) - 1 }

// reach returns a position at most limit away from which the node's code is entered. If there is none, it writes one.
func (a *assembler) reach(n *node, at int32, limit int) int32 {
	if n.leaf {
		for i := range a.rets {
			if a.rets[i].action != n.action {
				continue
			}
			if a.distance(a.rets[i].at) > limit {
				a.rets[i].at = a.put(returnConstant, 0, 0, uint32(n.action))
			}
			return a.rets[i].at
		}
		at = a.put(returnConstant, 0, 0, uint32(n.action))
		a.rets = append(a.rets, placed{n.action, at})
		return at
	}
	if a.distance(at) > limit {
		at = a.put(jumpAlways, 0, 0, uint32(a.distance(at)))
	}
	return at
}

// write writes a node, unless it is already written, and returns the position to enter it with this accumulator.
func (a *assembler) write(n *node, acc accumulator) (int32, error) {
	if n.leaf {
		return 0, nil // reach writes it.
	}
	need := accumulator{n.test.offset, n.test.mask}
	entry := entryAny
	switch {
	case acc == need:
		entry = entryReady
	case acc == accumulator{need.offset, ^uint32(0)}:
		entry = entryWord
	}
	if n.at[entry] != 0 {
		return n.at[entry] - 1, nil
	}
	at := n.at[entryReady] - 1
	if at < 0 || int(at) != len(a.code)-1 {
		var err error
		if at, err = a.branch(n, need); err != nil {
			return 0, err
		}
		n.at[entryReady] = at + 1
	}
	if entry != entryReady && need.mask != ^uint32(0) {
		at = a.put(andConstant, 0, 0, need.mask)
		n.at[entryWord] = at + 1
	}
	if entry == entryAny {
		at = a.put(loadWord, 0, 0, uint32(need.offset))
		n.at[entryAny] = at + 1
	}
	return at, nil
}

// branch writes the two targets of a node and then its conditional jump. The larger target comes first, so that the
// jump over the smaller one is short.
func (a *assembler) branch(n *node, acc accumulator) (int32, error) {
	first, second := n.yes, n.no
	if first.size < second.size {
		first, second = second, first
	}
	firstAt, err := a.write(first, acc)
	if err != nil {
		return 0, err
	}
	secondAt, err := a.write(second, acc)
	if err != nil {
		return 0, err
	}
	// The second target may add an instruction or two, which must not put the first one out of reach.
	secondAt = a.reach(second, secondAt, maxJump-1)
	firstAt = a.reach(first, firstAt, maxJump)
	if len(a.code) > maxInstructions {
		return 0, errTooLong
	}
	yes, no := firstAt, secondAt
	if first != n.yes {
		yes, no = no, yes
	}
	return a.put(n.test.jump, uint8(a.distance(yes)), uint8(a.distance(no)), n.test.value), nil
}

// assemble writes the program that starts with the node.
func assemble(root *node) ([]Instruction, error) {
	a := &assembler{code: make([]Instruction, 0, 512)}
	at, err := a.write(root, accumulator{})
	if err != nil {
		return nil, err
	}
	a.reach(root, at, 0) // Without a jump, a root that is an action is not written yet.
	if len(a.code) > maxInstructions {
		return nil, errTooLong
	}
	program := make([]Instruction, len(a.code))
	for i, in := range a.code {
		program[len(a.code)-1-i] = in
	}
	return program, nil
}
