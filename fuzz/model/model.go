package model

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/handfast/handfast/syncproto"
)

const (
	parent = syncproto.Parent
	child  = syncproto.Child
)

// Options say what is explored.
type Options struct {
	// Narrowed is the stricter form of the profile that the configuration asks for, nil for the profile itself. A
	// request that may be made without limit is made once.
	Narrowed *syncproto.Profile

	// Child is the child's own table where it is not the parent's: two versions of a program that meet. Nil is the
	// same.
	Child *syncproto.Profile

	// Commit is the request that the parent may grant only after its caller has committed, such as "ready" in the
	// profile init; empty where there is none.
	Commit string

	// Codecs is how many HELLO offers: with one, CONFIG may go out at once. Zero is one.
	Codecs int

	// Room is how many frames wait in one direction before a sender must wait, 1 to 3; zero is 2. A socket holds more;
	// one that holds less blocks its writers more often, which is what the walk is after.
	Room int
}

// Result says how much was explored.
type Result struct {
	Worlds      int            // different worlds visited
	Transitions int            // steps between them
	Ends        map[string]int // how often each way to end was reached, by what both sides make of it
}

// String is one line, and one for each way to end.
func (r Result) String() string {
	keys := make([]string, 0, len(r.Ends))
	for k := range r.Ends {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	s := fmt.Sprintf("%d states, %d transitions, %d ways to end", r.Worlds, r.Transitions, len(r.Ends))
	for _, k := range keys {
		s += fmt.Sprintf("\n%9d  %s", r.Ends[k], k)
	}
	return s
}

// Counterexample is a world that must not be, and the way to it.
type Counterexample struct {
	Why   string   // the law that is broken
	Trail []string // every step from the first world
}

// Error is the law and the way.
func (c *Counterexample) Error() string { return c.Why + " after: " + strings.Join(c.Trail, "; ") }

// Check explores all conversations by a profile. The error is a *Counterexample, or says why the profile cannot be
// walked.
func Check(p *syncproto.Profile, o Options) (Result, error) {
	r, err := newRules(p, o)
	if err != nil {
		return Result{}, err
	}
	k := &walk{
		table: newTable(r), seed: maphash.MakeSeed(),
		seen: map[uint64]bool{}, ends: map[string]int{}, laws: []string{""},
	}
	first, err := k.first()
	if err != nil {
		return Result{}, err
	}
	err = k.run(first)
	return Result{Worlds: len(k.seen), Transitions: k.transitions, Ends: k.ends}, err
}

// walk visits every world that can be reached, each once, in depth first.
type walk struct {
	*table
	seed        maphash.Seed
	seen        map[uint64]bool // worlds by their hash; true while the walk is on its way through one
	way         []stop          // to where the walk is
	list        []step          // that is being made
	laws        []string
	transitions int
	ends        map[string]int
}

// stop is a world on the way, and the steps from it.
type stop struct {
	key   uint64
	steps []step
	next  int // of steps
}

// key is a world's. Worlds are told apart by 64 bits of hash with a seed of its own for every walk: that two of ten
// million share one is less likely than one in a hundred thousand, and another run would part them.
func (k *walk) key(w *world) uint64 { return maphash.Comparable(k.seed, *w) }

func (k *walk) run(first world) error {
	if err := k.enter(&first, k.key(&first)); err != nil {
		return err
	}
	for len(k.way) > 0 {
		at := &k.way[len(k.way)-1]
		if at.next == len(at.steps) {
			k.seen[at.key] = false
			k.way = k.way[:len(k.way)-1]
			continue
		}
		s := &at.steps[at.next]
		at.next++
		k.transitions++
		key := k.key(&s.to)
		switch entered, seen := k.seen[key]; {
		case entered:
			return k.counter("a conversation that need not end: " + k.pair(&s.to))
		case !seen:
			if err := k.enter(&s.to, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// enter is the walk coming to a world that it has not seen.
func (k *walk) enter(w *world, key uint64) error {
	k.seen[key] = true
	if w.wrong != 0 {
		return k.counter(k.laws[w.wrong])
	}
	n := len(k.way)
	if n == cap(k.way) {
		k.way = append(k.way, stop{})
	}
	k.way = k.way[:n+1]
	at := &k.way[n]
	k.list = at.steps[:0] // a stop's room is used again
	if w.ended() {
		k.ends[k.pair(w)]++
		if why := k.judge(w); why != "" {
			k.way = k.way[:n]
			return k.counter(why + ": " + k.pair(w))
		}
	} else {
		k.steps(*w)
		if !slices.ContainsFunc(k.list, func(s step) bool { return !s.accident }) {
			k.way = k.way[:n]
			return k.counter("deadlock: " + k.pair(w))
		}
	}
	*at = stop{key: key, steps: k.list}
	return nil
}

func (k *walk) counter(why string) error {
	c := &Counterexample{Why: why}
	for _, at := range k.way {
		c.Trail = append(c.Trail, k.text(at.steps[at.next-1].label))
	}
	return c
}

// breaks is the number of a law that a step breaks, for its world to hold.
func (k *walk) breaks(why string) uint8 {
	if i := slices.Index(k.laws, why); i >= 0 {
		return uint8(i)
	}
	k.laws = append(k.laws, why)
	return uint8(len(k.laws) - 1)
}
