package seccomp

import "slices"

// A pruneState is what a search for a new rule in the tree has found so far.
type pruneState uint8

const (
	pruneMatch pruneState = 1 << iota
	pruneMatchedOnce
	pruneOldFinished
	pruneNewFinished
	pruneOldPrefix // steps that only the tree has were skipped
	pruneNewPrefix // steps that only the new rule has were skipped

	pruneMatchSet  = pruneMatch | pruneMatchedOnce
	pruneRedundant = pruneMatch | pruneOldFinished | pruneNewPrefix
)

// addRule merges the tree of a rule into that of the earlier rules. It first removes parts that the new rule makes
// redundant. A rule that is redundant itself, because there is a shorter one with its action, changes nothing.
func addRule(chain **step, n *step, action Action) error {
	p := pruner{root: chain, action: action}
	state := pruneState(0)
	removed := p.prune(*chain, n, &state)
	switch {
	case removed > 0 && *chain == nil:
		*chain = n
		return nil
	case removed == 0 && state&pruneRedundant == pruneRedundant:
		return nil
	}
	return insert(chain, n)
}

type pruner struct {
	root   **step
	action Action
}

// prune looks for the new rule's steps on a level and below, and removes what the rule covers. It returns how many
// steps it has removed.
func (p *pruner) prune(at, n *step, state *pruneState) (removed int) {
	found := *state
	defer func() {
		if found&pruneMatch != 0 {
			*state |= found
		} else {
			*state &^= pruneMatch
		}
	}()
	if at == nil || n == nil || *state&pruneMatchSet == pruneMatchedOnce {
		return 0
	}
	for _, x := range slices.Clone(at.level.steps) {
		if x.gone {
			continue
		}
		var done bool
		switch {
		case x.sameComparison(n):
			done = p.pruneSame(x, n, state, &found, &removed)
		case x.isAfter(n):
			done = *state&pruneNewPrefix != 0 || p.pruneBelow(x, n, *state, &found, &removed)
		default:
			done = *state&pruneOldPrefix != 0 || p.pruneAhead(x, n, *state, &found, &removed)
		}
		if done {
			return removed
		}
	}
	found &^= pruneMatch
	return removed
}

// pruneSame continues below a step that both have. It reports whether the search is over.
func (p *pruner) pruneSame(x, n *step, state, found *pruneState, removed *int) bool {
	*found |= pruneMatchSet
	if n.leaf() {
		*found |= pruneNewFinished
	}
	if x.leaf() {
		*found |= pruneOldFinished
	}
	if (x.yes.acts || x.yes.next != nil) && !(n.yes.acts || n.yes.next != nil) ||
		(x.no.acts || x.no.next != nil) && !(n.no.acts || n.no.next != nil) {
		return true // The step has targets that the new rule lacks.
	}
	if *found&pruneNewFinished != 0 && *found&pruneOldFinished != 0 &&
		(n.yes.acts != x.yes.acts || n.yes.action != x.yes.action || n.no.acts != x.no.acts || n.no.action != x.no.action) {
		return true
	}
	for _, pair := range [2][2]*way{{&x.yes, &n.yes}, {&x.no, &n.no}} {
		if pair[1].next == nil {
			continue
		}
		next := *state | pruneMatchSet
		*removed += p.prune(pair[0].next, pair[1].next, &next)
		if next&pruneMatch != 0 {
			*found |= next
		}
		if x.gone {
			return false
		}
	}
	if !x.allActionsAre(p.action) {
		return false
	}
	switch {
	case *found&pruneMatch != 0 && *found&pruneNewFinished != 0 && *found&pruneOldPrefix != 0:
		*removed += remove(p.root, x)
		return *p.root == nil
	case *found&pruneMatch != 0 && *found&pruneOldFinished != 0 && *found&pruneNewPrefix != 0:
		return true
	}
	return false
}

// pruneBelow looks for the new rule below a step that it does not contain.
func (p *pruner) pruneBelow(x, n *step, state pruneState, found *pruneState, removed *int) bool {
	for _, w := range [2]*way{&x.yes, &x.no} {
		if w.next == nil {
			continue
		}
		next := state&^pruneMatch | pruneOldPrefix
		*removed += p.prune(w.next, n, &next)
		if next&pruneMatch != 0 {
			*found |= next
			return true
		}
		if x.gone {
			return false
		}
	}
	return false
}

// pruneAhead looks for the rest of the new rule on the level.
func (p *pruner) pruneAhead(x, n *step, state pruneState, found *pruneState, removed *int) bool {
	for _, w := range [2]*way{&n.yes, &n.no} {
		if w.next == nil {
			continue
		}
		next := state&^pruneMatch | pruneNewPrefix
		*removed += p.prune(x, w.next, &next)
		if next&pruneMatch != 0 {
			*found |= next
			return true
		}
		if x.gone {
			return false
		}
	}
	return false
}

// remove removes a step from the level of at or a level below, and then the steps that lead nowhere any more. If it
// removes the step at, at becomes a neighbour of it.
func remove(at **step, target *step) (removed int) {
	if *at == nil {
		return 0
	}
	l := (*at).level
	for i, x := range l.steps {
		if x != target {
			removed += remove(&x.yes.next, target)
			removed += remove(&x.no.next, target)
		}
		if x == target || x.leaf() && !x.yes.acts && !x.no.acts {
			if *at == x {
				switch {
				case i > 0:
					*at = l.steps[i-1]
				case len(l.steps) > 1:
					*at = l.steps[1]
				default:
					*at = nil
				}
			}
			l.steps = slices.Delete(slices.Clone(l.steps), i, i+1)
			x.isolate()
			x.gone = true
			return removed + 1
		}
		if removed > 0 {
			return removed
		}
	}
	return 0
}
