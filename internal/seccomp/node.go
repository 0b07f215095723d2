package seccomp

// The offsets in seccomp_data (linux/seccomp.h) from which a filter loads words.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// A test is one conditional jump of BPF on a 32-bit word of seccomp_data.
type test struct {
	offset uint8
	jump   uint16 // jumpEqual, jumpGreater, jumpGreaterEqual or jumpSet
	mask   uint32 // applied before the comparison; all ones for no mask
	value  uint32
}

// A node is a decision: a test with its two targets, or, as a leaf, an action. Equal nodes are created once, so parts
// of a program that end alike share their ends.
type node struct {
	leaf    bool
	action  Action
	test    test
	yes, no *node
	size    int32 // upper limit of the instructions below, which decides the layout
	at      [variants]int32
}

type nodeKey struct {
	test    test
	yes, no *node
}

// maxNodes limits the work for profiles whose program would be too long to load anyway.
const maxNodes = 16 * maxInstructions

// A builder creates nodes.
type builder struct {
	nodes  map[nodeKey]*node
	spare  []node // allocated in advance, for fewer allocations
	leaves []*node
	full   bool // set if there are more nodes than any program has
}

func (b *builder) leaf(action Action) *node {
	for _, n := range b.leaves {
		if n.action == action {
			return n
		}
	}
	n := &node{leaf: true, action: action, size: 1}
	b.leaves = append(b.leaves, n)
	return n
}

// decide returns a node for the test: a new one, an equal one that exists, or one of the targets if the result of the
// test is known.
func (b *builder) decide(t test, yes, no *node) *node {
	t, constant, always := t.simplify()
	switch {
	case constant && always:
		return yes
	case constant:
		return no
	}
	yes, no = t.skip(yes, true), t.skip(no, false)
	if yes == no {
		return yes
	}
	key := nodeKey{t, yes, no}
	if n := b.nodes[key]; n != nil {
		return n
	}
	if len(b.nodes) >= maxNodes {
		b.full = true
		return yes
	}
	n := b.make(t, yes, no)
	if b.nodes == nil {
		b.nodes = make(map[nodeKey]*node)
	}
	b.nodes[key] = n
	return n
}

// make creates a node without looking for an equal one.
func (b *builder) make(t test, yes, no *node) *node {
	if len(b.spare) == 0 {
		b.spare = make([]node, 128)
	}
	n := &b.spare[0]
	b.spare = b.spare[1:]
	*n = node{test: t, yes: yes, no: no, size: min(yes.size+no.size+2, 1<<20)}
	return n
}

// simplify reports whether the test always has the same result, and which.
func (t test) simplify() (simple test, constant, result bool) {
	switch {
	case t.mask == 0:
		return t, true, t.holds(0)
	case t.jump == jumpGreaterEqual && t.value == 0:
		return t, true, true
	case t.jump == jumpGreater && t.value == ^uint32(0):
		return t, true, false
	case t.jump == jumpSet && t.value == 0:
		return t, true, false
	}
	return t, false, false
}

// skip skips tests whose result follows from the given result of t, which comes right before them.
func (t test) skip(n *node, result bool) *node {
	for !n.leaf && n.test.offset == t.offset {
		next, known := t.implies(n.test, result)
		switch {
		case !known:
			return n
		case next:
			n = n.yes
		default:
			n = n.no
		}
	}
	return n
}

// implies reports whether the result of t decides another test of the same word, and its result.
func (t test) implies(other test, result bool) (next, known bool) {
	if t == other {
		return result, true
	}
	if t.mask != ^uint32(0) || t.jump == jumpSet {
		return false, false
	}
	low, high := t.interval(result)
	if low > high {
		return false, false
	}
	if low == high {
		return other.holds(low), true
	}
	if other.mask != ^uint32(0) || other.jump == jumpSet {
		return false, false
	}
	from, to := other.interval(true)
	switch {
	case from > to:
		return false, true
	case from <= low && high <= to:
		return true, true
	case high < from || to < low:
		return false, true
	}
	return false, false
}

// interval returns the range of words for which the test has the result. It is the whole range if they are no interval,
// and empty, with low above high, if there is no such word.
func (t test) interval(result bool) (low, high uint32) {
	const all = ^uint32(0)
	switch {
	case t.jump == jumpGreater && result && t.value == all, t.jump == jumpGreaterEqual && !result && t.value == 0:
		return 1, 0
	case t.jump == jumpEqual && result:
		return t.value, t.value
	case t.jump == jumpGreater && result:
		return t.value + 1, all
	case t.jump == jumpGreater:
		return 0, t.value
	case t.jump == jumpGreaterEqual && result:
		return t.value, all
	case t.jump == jumpGreaterEqual:
		return 0, t.value - 1
	}
	return 0, all
}

// holds evaluates the test.
func (t test) holds(word uint32) bool {
	word &= t.mask
	switch t.jump {
	case jumpEqual:
		return word == t.value
	case jumpGreater:
		return word > t.value
	case jumpGreaterEqual:
		return word >= t.value
	}
	return word&t.value != 0
}

// chainNode creates the graph of a level from step i on. next follows the last step.
func (b *builder) chainNode(l *level, i int, next *node, big bool, memo map[chainKey]*node) *node {
	if i == len(l.steps) {
		return next
	}
	key := chainKey{l, i, next}
	if n := memo[key]; n != nil {
		return n
	}
	if len(memo) >= maxNodes {
		b.full = true
		return next
	}
	s := l.steps[i]
	after := b.chainNode(l, i+1, next, big, memo)
	yes, no := b.wayNode(&s.yes, after, big, memo), b.wayNode(&s.no, after, big, memo)
	n := b.stepNode(s, yes, no, big)
	memo[key] = n
	return n
}

type chainKey struct {
	level *level
	i     int
	next  *node
}

func (b *builder) wayNode(w *way, after *node, big bool, memo map[chainKey]*node) *node {
	switch {
	case w.next != nil:
		return b.chainNode(w.next.level, 0, after, big, memo)
	case w.acts:
		return b.leaf(w.action)
	}
	return after
}

// stepNode creates the node of one comparison. Masked comparisons with zero or of one bit need no AND.
func (b *builder) stepNode(s *step, yes, no *node, big bool) *node {
	t := test{offset: offsetArgs + 8*s.arg, mask: s.mask, value: s.datum}
	if s.high != big {
		t.offset += 4
	}
	switch s.op {
	case Greater:
		t.jump = jumpGreater
	case GreaterEqual:
		t.jump = jumpGreaterEqual
	default:
		t.jump = jumpEqual
		switch {
		case s.mask == ^uint32(0) || s.mask == 0:
		case s.datum == 0:
			return b.decide(test{t.offset, jumpSet, ^uint32(0), s.mask}, no, yes)
		case s.datum == s.mask && s.mask&(s.mask-1) == 0:
			return b.decide(test{t.offset, jumpSet, ^uint32(0), s.mask}, yes, no)
		}
	}
	return b.decide(t, yes, no)
}
