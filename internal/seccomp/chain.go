package seccomp

import (
	"errors"
	"slices"
)

// How several rules of one call combine.
//
// libseccomp keeps the rules with conditions of a call as a tree of 32-bit comparisons, in which rules share what they
// begin with, and whose order decides when rules with different actions match the same call. There is no description
// of it but its code (src/db.c), and profiles behave as it does, so this file arrives at the same tree: a list of
// comparisons per level, in a fixed order; a comparison leads to a deeper level, to an action, or to the next one on
// its level; behind the last, evaluation goes on where the level above left off, and at the very end is the default
// action.

// A step is one 32-bit comparison of half an argument.
type step struct {
	arg         uint8
	high        bool // which half
	op          Op   // Equal, Greater, GreaterEqual or MaskedEqual
	written     Op   // as the rule has it: part of the order
	mask, datum uint32
	full        uint64 // the rule's whole number: part of what happens where two rules meet
	yes, no     way
	level       *level // that it is on
	gone        bool   // taken out of its level
}

// A way is where a comparison leads: to a level, else to an action if there is one, else on. A level is reached by one
// of its steps: evaluation begins with the first on the level all the same, but a new rule is joined from that step on.
// Several ways lead to one level where a comparison of 64 bits holds in several of its steps.
type way struct {
	next   *step
	acts   bool
	action Action
	rule   int32
}

// A level is a list of comparisons that are tried in turn.
type level struct{ steps []*step }

// alone puts a step on a level of its own.
func (s *step) alone() { s.level = &level{[]*step{s}} }

// errContradiction is libseccomp's EEXIST: two rules want different things for the same comparisons.
var errContradiction = errors.New("contradicts")

// leaf says whether nothing is below the step.
func (s *step) leaf() bool { return s.yes.next == nil && s.no.next == nil }

// place is the first part of the order of a level: the argument, its lower half first.
func (s *step) place() int {
	if s.high {
		return int(s.arg)*2 + 1
	}
	return int(s.arg) * 2
}

// rank is the second part.
func (s *step) rank() int {
	switch s.written {
	case MaskedEqual, Equal, NotEqual:
		return 3
	case LessEqual, Less:
		return 2
	}
	return 1
}

// before says whether s belongs behind t on a level: a level is ordered from the greatest down.
func (s *step) before(t *step) bool {
	if s.place() != t.place() {
		return s.place() < t.place()
	}
	if s.rank() != t.rank() {
		return s.rank() < t.rank()
	}
	if s.rank() == 2 { // Smaller limits are narrower, and come first.
		return s.datum > t.datum
	}
	return s.datum < t.datum
}

// same says whether two steps compare the same thing.
func (s *step) same(t *step) bool {
	return s.place() == t.place() && s.op == t.op && s.datum == t.datum && s.mask == t.mask
}

// newChain makes the tree of one rule. nil means that the rule holds for every call: it has no condition, or none that
// can fail. wide is whether the architecture's arguments have 64 bits.
func newChain(conditions []Condition, action Action, rule int32, wide bool) *step {
	var byArgument [6]*Condition
	for i := range conditions {
		byArgument[conditions[i].Index] = &conditions[i]
	}
	var first *step
	var open []*way // where the next condition goes, or the action
	for _, c := range byArgument {
		if c == nil || c.Op == MaskedEqual && (uint32(c.Mask) == 0 && (!wide || c.Mask == 0)) {
			continue
		}
		steps := narrowSteps
		if wide {
			steps = wideSteps
		}
		next, ways := steps(c)
		if first == nil {
			first = next
		}
		for _, w := range open {
			w.next = next
		}
		open = ways
	}
	for _, w := range open {
		w.acts, w.action, w.rule = true, action, rule
	}
	return first
}

// narrowSteps compares the lower half alone, as libseccomp does on architectures of 32 bits. It returns the ways on
// which the condition holds.
func narrowSteps(c *Condition) (*step, []*way) {
	s := newStep(c, false, c.Op)
	switch c.Op {
	case NotEqual:
		s.op = Equal
	case Less:
		s.op = GreaterEqual
	case LessEqual:
		s.op = Greater
	default:
		return s, []*way{&s.yes}
	}
	return s, []*way{&s.no}
}

// wideSteps compares both halves, the upper first.
func wideSteps(c *Condition) (*step, []*way) {
	switch c.Op {
	case Equal, MaskedEqual, NotEqual:
		op := c.Op
		if op == NotEqual {
			op = Equal
		}
		high, low := newStep(c, true, op), newStep(c, false, op)
		high.yes.next = low
		if c.Op == NotEqual {
			return high, []*way{&high.no, &low.no}
		}
		return high, []*way{&low.yes}
	}
	op := Greater
	if c.Op == GreaterEqual || c.Op == Less {
		op = GreaterEqual
	}
	above, equal, low := newStep(c, true, Greater), newStep(c, true, Equal), newStep(c, false, op)
	above.no.next = equal
	equal.yes.next = low
	if c.Op == Less || c.Op == LessEqual {
		return above, []*way{&equal.no, &low.no}
	}
	return above, []*way{&above.yes, &low.yes}
}

func newStep(c *Condition, high bool, op Op) *step {
	s := &step{arg: uint8(c.Index), high: high, op: op, written: c.Op, mask: uint32(c.Mask), datum: uint32(c.Value),
		full: c.Value}
	if high {
		s.mask, s.datum = uint32(c.Mask>>32), uint32(c.Value>>32)
	}
	s.datum &= s.mask
	s.alone()
	return s
}

// agree says whether every action on the step's level and below is the given one.
func (s *step) agree(action Action) bool {
	if s == nil {
		return true
	}
	for _, x := range s.level.steps {
		for _, w := range [2]*way{&x.yes, &x.no} {
			if w.acts && w.action != action || !w.next.agree(action) {
				return false
			}
		}
	}
	return true
}

// insert joins the tree of a new rule, which has one step on every level, to the level that at is on, from at on. at
// may become another step of the level.
func insert(at **step, n *step) error {
	x := *at
	l := x.level
	for i := slices.Index(l.steps, x); ; x = l.steps[i] {
		if x.same(n) {
			return x.join(n)
		}
		if x.before(n) {
			if n.level == l { // It came here by another way. libseccomp makes a ring of the level, and never ends.
				return nil
			}
			l.steps = slices.Insert(l.steps, i, n)
			n.level = l
			if *at == x {
				*at = n
			}
			return nil
		}
		if i++; i == len(l.steps) {
			break
		}
	}
	if n.level != l {
		l.steps = append(l.steps, n)
		n.level = l
	}
	return nil
}

// join joins a step of a new rule to the step of the same comparison.
func (s *step) join(n *step) error {
	if s == n { // Reached a second time.
		return nil
	}
	if n.yes.acts {
		if err := s.yes.act(&n.yes, s, n, n.full > s.full); err != nil {
			return err
		}
	}
	if n.no.acts {
		// libseccomp means to let the narrower one decide here, too, but then changes the other way.
		if err := s.no.act(&n.no, s, n, false); err != nil {
			return err
		}
	}
	for _, pair := range [2][2]*way{{&s.yes, &n.yes}, {&s.no, &n.no}} {
		x, add := pair[0], pair[1]
		switch {
		case add.next == nil:
		case x.next != nil:
			if err := insert(&x.next, add.next); err != nil {
				return err
			}
		case x.acts: // The rule that is there says more: it covers what the new one would.
			return nil
		default:
			x.next = add.next
		}
	}
	return nil
}

// act gives a way the action of a new rule. narrower says whether the new rule's number is the narrower one, which then
// decides for the upper half.
func (w *way) act(n *way, s, added *step, narrower bool) error {
	if !w.acts {
		if !w.next.agree(n.action) {
			return errContradiction
		}
		*w = way{acts: true, action: n.action, rule: n.rule}
		return nil
	}
	if w.action == n.action {
		return nil
	}
	if added.high && narrower {
		w.action, w.rule = n.action, n.rule
	}
	if s.leaf() || added.leaf() {
		return errContradiction
	}
	return nil
}
