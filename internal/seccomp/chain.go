package seccomp

import (
	"errors"
	"slices"
)

// This file merges several rules for one call.
//
// libseccomp keeps the rules with conditions for a call as a tree of 32-bit comparisons. Rules share the steps with
// which they begin, and the order of the tree decides when rules with different actions match the same call. It is only
// described by its code (src/db.c), and profiles rely on it, so this file builds the same tree: a list of comparisons
// per level, in a fixed order. A comparison leads to a deeper level, to an action, or to the next one on its level.
// After the last comparison, evaluation continues where the level above left off, and ends with the default action.

// A step is one 32-bit comparison of half an argument.
type step struct {
	arg         uint8
	high        bool // the upper half
	op          Op   // Equal, Greater, GreaterEqual or MaskedEqual
	written     Op   // as in the rule: part of the order
	mask, datum uint32
	full        uint64 // the rule's whole number, for merging
	yes, no     way
	level       *level // the step's own level
	gone        bool   // removed from its level
}

// A way is the target of a comparison: a level, or else an action if acts is set, or else the next comparison. A way to
// a level names one of its steps. Evaluation begins with the first step of the level all the same, but a new rule is
// merged from the named step on. Several ways lead to the same level if a 64-bit comparison can hold in several of its
// steps.
type way struct {
	next   *step
	acts   bool
	action Action
	rule   int32
}

// A level is a list of comparisons that are tried in turn.
type level struct{ steps []*step }

// isolate puts a step on a level of its own.
func (s *step) isolate() { s.level = &level{[]*step{s}} }

// errContradiction is libseccomp's EEXIST: two rules have different actions for the same comparisons.
var errContradiction = errors.New("contradicts")

// leaf reports whether the step leads to no deeper level.
func (s *step) leaf() bool { return s.yes.next == nil && s.no.next == nil }

// position is the first key of the order of a level: the argument, its lower half first.
func (s *step) position() int {
	if s.high {
		return int(s.arg)*2 + 1
	}
	return int(s.arg) * 2
}

// rank is the second key.
func (s *step) rank() int {
	switch s.written {
	case MaskedEqual, Equal, NotEqual:
		return 3
	case LessEqual, Less:
		return 2
	}
	return 1
}

// before reports whether s comes after t on a level, which is ordered from the greatest step to the least.
func (s *step) isAfter(t *step) bool {
	if s.position() != t.position() {
		return s.position() < t.position()
	}
	if s.rank() != t.rank() {
		return s.rank() < t.rank()
	}
	if s.rank() == 2 { // Smaller limits are narrower, so they come first.
		return s.datum > t.datum
	}
	return s.datum < t.datum
}

// same reports whether two steps make the same comparison.
func (s *step) sameComparison(t *step) bool {
	return s.position() == t.position() && s.op == t.op && s.datum == t.datum && s.mask == t.mask
}

// newChain builds the tree of one rule. It returns nil if the rule matches every call: it has no condition, or none
// that can fail. wide is whether the architecture's arguments have 64 bits.
func newChain(conditions []Condition, action Action, rule int32, wide bool) *step {
	var byArgument [6]*Condition
	for i := range conditions {
		byArgument[conditions[i].Index] = &conditions[i]
	}
	var first *step
	var open []*way // lead to the next condition or to the action
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

// narrowSteps only compares the lower half, as libseccomp does on 32-bit architectures. It returns the ways that are
// taken if the condition holds.
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

// wideSteps compares both halves, the upper one first.
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
	s.isolate()
	return s
}

// agree reports whether every action on the step's level and below is the given one.
func (s *step) allActionsAre(action Action) bool {
	if s == nil {
		return true
	}
	for _, x := range s.level.steps {
		for _, w := range [2]*way{&x.yes, &x.no} {
			if w.acts && w.action != action || !w.next.allActionsAre(action) {
				return false
			}
		}
	}
	return true
}

// insert merges the tree of a new rule, which has one step on every level, into the level of at, from at on. It may
// change at to another step of the level.
func insert(at **step, n *step) error {
	x := *at
	l := x.level
	for i := slices.Index(l.steps, x); ; x = l.steps[i] {
		if x.sameComparison(n) {
			return x.merge(n)
		}
		if x.isAfter(n) {
			if n.level == l { // It was inserted by another way. libseccomp makes a cycle and never ends.
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

// merge merges a step of a new rule into the step with the same comparison.
func (s *step) merge(n *step) error {
	if s == n { // reached a second time
		return nil
	}
	if n.yes.acts {
		if err := s.yes.setAction(&n.yes, s, n, n.full > s.full); err != nil {
			return err
		}
	}
	if n.no.acts {
		// libseccomp is meant to let the narrower one decide here too, but then changes the other way.
		if err := s.no.setAction(&n.no, s, n, false); err != nil {
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
		case x.acts: // the earlier rule is wider: it covers the new one
			return nil
		default:
			x.next = add.next
		}
	}
	return nil
}

// setAction sets the action of a new rule on a way. narrower says whether the new rule's number is the narrower one,
// which then decides for the upper half.
func (w *way) setAction(n *way, s, added *step, narrower bool) error {
	if !w.acts {
		if !w.next.allActionsAre(n.action) {
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
