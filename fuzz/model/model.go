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

// Options control what is explored.
type Options struct {
	// Narrowed is the stricter form of the profile for the configuration, or nil for the profile itself. A request that
	// may be made without limit is made at most once.
	Narrowed *syncproto.Profile

	// Child is the child's table if it differs from the parent's, as with two versions of a program. Nil means the
	// parent's table.
	Child *syncproto.Profile

	// Commit is the request to which the parent may reply only after its caller has committed, such as "ready" in the
	// profile init; empty if there is none.
	Commit string

	// Codecs is how many codecs HELLO offers: with one, CONFIG may be sent at once. Zero means one.
	Codecs int

	// Room is how many frames fit in one direction before a sender must wait, 1 to 3; zero means 2. A socket holds more,
	// but one that holds less blocks its writers more often, which is what the walk tests.
	Room int
}

// Result says how much was explored.
type Result struct {
	Worlds      int            // different worlds visited
	Transitions int            // steps between them
	Ends        map[string]int // how often each end was reached, by the verdicts of both sides
}

// String returns one line, and one for each kind of end.
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

// Counterexample is a world that violates a law, and the steps that led to it.
type Counterexample struct {
	Why   string   // the law that is violated
	Trail []string // every step from the first world
}

// Error returns the law and the steps.
func (c *Counterexample) Error() string { return c.Why + " after: " + strings.Join(c.Trail, "; ") }

// Check explores all conversations with a profile. The error is a *Counterexample, or says why the profile cannot be
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
	first, err := k.firstWorld()
	if err != nil {
		return Result{}, err
	}
	err = k.run(first)
	return Result{Worlds: len(k.seen), Transitions: k.transitions, Ends: k.ends}, err
}

// walk visits every reachable world once, depth first.
type walk struct {
	*table
	seed        maphash.Seed
	seen        map[uint64]bool // worlds by their hash; true while a world is on the current path
	way         []stop          // the current path
	list        []step          // the steps that are being collected
	laws        []string
	transitions int
	ends        map[string]int
}

// stop is a world on the current path, and the steps from it.
type stop struct {
	key   uint64
	steps []step
	next  int // index of the next step to take
}

// key returns the hash of a world. Worlds are told apart by a 64-bit hash with a new seed for every walk: the
// probability that two of ten million collide is below one in a hundred thousand, and another run would tell them
// apart.
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
			return k.counterexample("a conversation that need not end: " + k.describeEnd(&s.to))
		case !seen:
			if err := k.enter(&s.to, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// enter visits a world that the walk has not seen before.
func (k *walk) enter(w *world, key uint64) error {
	k.seen[key] = true
	if w.wrong != 0 {
		return k.counterexample(k.laws[w.wrong])
	}
	n := len(k.way)
	if n == cap(k.way) {
		k.way = append(k.way, stop{})
	}
	k.way = k.way[:n+1]
	at := &k.way[n]
	k.list = at.steps[:0] // reuse the memory of a stop
	if w.ended() {
		k.ends[k.describeEnd(w)]++
		if why := k.judge(w); why != "" {
			k.way = k.way[:n]
			return k.counterexample(why + ": " + k.describeEnd(w))
		}
	} else {
		k.steps(*w)
		if !slices.ContainsFunc(k.list, func(s step) bool { return !s.accident }) {
			k.way = k.way[:n]
			return k.counterexample("deadlock: " + k.describeEnd(w))
		}
	}
	*at = stop{key: key, steps: k.list}
	return nil
}

func (k *walk) counterexample(why string) error {
	c := &Counterexample{Why: why}
	for _, at := range k.way {
		c.Trail = append(c.Trail, k.text(at.steps[at.next-1].label))
	}
	return c
}

// lawNumber returns the number of a law that a step violates, to be stored in its world.
func (k *walk) lawNumber(why string) uint8 {
	if i := slices.Index(k.laws, why); i >= 0 {
		return uint8(i)
	}
	k.laws = append(k.laws, why)
	return uint8(len(k.laws) - 1)
}
