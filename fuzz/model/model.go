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
	// Narrowed is the stricter form of the profile that the configuration asks for, nil for the profile itself. A request that may be made without limit is made once.
	Narrowed *syncproto.Profile

	// Child is the child's own table where it is not the parent's: two versions of a program that meet. Nil is the same.
	Child *syncproto.Profile

	// Commit is the request that the parent may grant only after its caller has committed, such as "ready" in Init; empty where there is none.
	Commit string

	// Codecs is how many HELLO offers: with one, CONFIG may go out at once. Zero is one.
	Codecs int

	// Room is how many frames wait in one direction before a sender must wait, 1 to 3; zero is 2. A socket holds more; one that holds less blocks its writers more often, which is
	// what the walk is after.
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

// Check explores all conversations by a profile. The error is a *Counterexample, or says that the profile cannot be run.
func Check(p *syncproto.Profile, o Options) (Result, error) {
	r, err := newRules(p, o)
	if err != nil {
		return Result{}, err
	}
	first, err := r.first()
	if err != nil {
		return Result{}, err
	}
	k := &walk{rules: r, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}, ends: map[string]int{}}
	err = k.run(first)
	return Result{Worlds: len(k.seen), Transitions: k.transitions, Ends: k.ends}, err
}

// walk visits every world that can be reached, each once.
type walk struct {
	*rules
	seed        maphash.Seed
	seen        map[uint64]struct{}
	todo        []visit
	trail       []link
	transitions int
	ends        map[string]int
}

type visit struct {
	w  world
	at int32 // in trail
}

// link is how a world was first reached.
type link struct {
	from int32
	name string
}

// add queues a world that was not seen before. Worlds are told apart by 64 bits of hash with a seed of its own for every walk: that two of a million share one is less likely
// than one in ten million, and another run would part them.
func (k *walk) add(w world, from int32, name string) {
	key := maphash.Comparable(k.seed, w)
	if _, ok := k.seen[key]; ok {
		return
	}
	k.seen[key] = struct{}{}
	k.trail = append(k.trail, link{from, name})
	k.todo = append(k.todo, visit{w, int32(len(k.trail) - 1)})
}

func (k *walk) run(first world) error {
	k.add(first, -1, "")
	for len(k.todo) > 0 {
		v := k.todo[len(k.todo)-1]
		k.todo = k.todo[:len(k.todo)-1]
		if err := k.visit(v); err != nil {
			return err
		}
	}
	return nil
}

func (k *walk) visit(v visit) error {
	if v.w.wrong != "" {
		return k.counter(v, v.w.wrong)
	}
	if v.w.ended() {
		k.ends[v.w.pair()]++
		if why := k.verdicts(&v.w); why != "" {
			return k.counter(v, why+": "+v.w.pair())
		}
		return nil
	}
	moves := 0
	for _, s := range k.steps(v.w) {
		if !s.accident {
			moves++
		}
		k.transitions++
		k.add(s.to, v.at, s.name)
	}
	if moves == 0 {
		return k.counter(v, "deadlock: "+v.w.pair())
	}
	return nil
}

func (k *walk) counter(v visit, why string) error {
	c := &Counterexample{Why: why}
	for at := v.at; at >= 0; at = k.trail[at].from {
		if k.trail[at].name != "" {
			c.Trail = append(c.Trail, k.trail[at].name)
		}
	}
	slices.Reverse(c.Trail)
	return c
}
