package seccomp

// What a search for a new rule within the tree has found so far.
type pruneState uint8

const (
	pruneMatch pruneState = 1 << iota
	pruneMatchedOnce
	pruneOldFinished
	pruneNewFinished
	pruneOldPrefix // steps of the tree were passed over that the new rule has not
	pruneNewPrefix // steps of the new rule were passed over that the tree has not

	pruneMatchSet  = pruneMatch | pruneMatchedOnce
	pruneRedundant = pruneMatch | pruneOldFinished | pruneNewPrefix
)

// addRule joins the tree of a rule to those before it. Parts that the new rule makes superfluous are taken out first;
// a rule that is superfluous itself, because a shorter one with its action is there, changes nothing.
func (l *level) addRule(chain *level, action Action) error {
	p := pruner{root: l, action: action}
	state := pruneState(0)
	removed := p.prune(l, chain.steps[0], &state)
	if removed > 0 && len(l.steps) == 0 {
		l.steps = chain.steps
		return nil
	}
	if removed == 0 && state&pruneRedundant == pruneRedundant {
		return nil
	}
	return l.insert(chain.steps[0])
}

type pruner struct {
	root   *level
	action Action
}

// prune looks for the new rule's steps on a level and below, and takes out what it covers. It returns how many steps it
// took out.
func (p *pruner) prune(l *level, n *step, state *pruneState) (removed int) {
	found := *state
	defer func() {
		if found&pruneMatch != 0 {
			*state |= found
		} else {
			*state &^= pruneMatch
		}
	}()
	if l == nil || len(l.steps) == 0 || n == nil || *state&pruneMatchSet == pruneMatchedOnce {
		return 0
	}
	for _, x := range append([]*step(nil), l.steps...) {
		if x.gone {
			continue
		}
		var done bool
		switch {
		case x.same(n):
			done = p.pruneSame(l, x, n, state, &found, &removed)
		case x.before(n):
			if *state&pruneNewPrefix != 0 {
				return removed
			}
			done = p.pruneBelow(x, n, *state, &found, &removed)
		default:
			if *state&pruneOldPrefix != 0 {
				return removed
			}
			done = p.pruneAhead(l, x, n, *state, &found, &removed)
		}
		if done {
			return removed
		}
	}
	found &^= pruneMatch
	return removed
}

// pruneSame goes on below a step that both have. It reports whether the search is over.
func (p *pruner) pruneSame(l *level, x, n *step, state, found *pruneState, removed *int) bool {
	*found |= pruneMatchSet
	if n.leaf() {
		*found |= pruneNewFinished
	}
	if x.leaf() {
		*found |= pruneOldFinished
	}
	if (x.yes.acts || x.yes.deeper()) && !(n.yes.acts || n.yes.deeper()) ||
		(x.no.acts || x.no.deeper()) && !(n.no.acts || n.no.deeper()) {
		return true // There is more to the step than the new rule.
	}
	if *found&pruneNewFinished != 0 && *found&pruneOldFinished != 0 &&
		(n.yes.acts != x.yes.acts || n.yes.action != x.yes.action || n.no.acts != x.no.acts || n.no.action != x.no.action) {
		return true
	}
	for _, pair := range [2][2]*way{{&x.yes, &n.yes}, {&x.no, &n.no}} {
		if !pair[1].deeper() {
			continue
		}
		next := *state | pruneMatchSet
		*removed += p.prune(pair[0].level, pair[1].level.steps[0], &next)
		if next&pruneMatch != 0 {
			*found |= next
		}
		if x.gone {
			return false
		}
	}
	if !l.agree(p.action) {
		return false
	}
	switch {
	case *found&pruneMatch != 0 && *found&pruneNewFinished != 0 && *found&pruneOldPrefix != 0:
		*removed += p.root.remove(x)
		return len(p.root.steps) == 0
	case *found&pruneMatch != 0 && *found&pruneOldFinished != 0 && *found&pruneNewPrefix != 0:
		return true
	}
	return false
}

// pruneBelow looks for the new rule below a step that it does not have.
func (p *pruner) pruneBelow(x, n *step, state pruneState, found *pruneState, removed *int) bool {
	for _, w := range [2]*way{&x.yes, &x.no} {
		if !w.deeper() {
			continue
		}
		next := state&^pruneMatch | pruneOldPrefix
		*removed += p.prune(w.level, n, &next)
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
func (p *pruner) pruneAhead(l *level, x, n *step, state pruneState, found *pruneState, removed *int) bool {
	for _, w := range [2]*way{&n.yes, &n.no} {
		if !w.deeper() {
			continue
		}
		next := state&^pruneMatch | pruneNewPrefix
		*removed += p.prune(l, w.level.steps[0], &next)
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

// remove takes a step out of the level or out of a level below, and then the steps that lead nowhere any more.
func (l *level) remove(target *step) (removed int) {
	if l == nil {
		return 0
	}
	for i, x := range l.steps {
		if x != target {
			removed += x.yes.level.remove(target)
			removed += x.no.level.remove(target)
		}
		if x == target || x.leaf() && !x.yes.acts && !x.no.acts {
			l.steps = append(l.steps[:i:i], l.steps[i+1:]...)
			x.gone = true
			return removed + 1
		}
		if removed > 0 {
			return removed
		}
	}
	return 0
}
