package fuzz

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sort"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
)

// walk visits every world that can be reached, each once.
type walk struct {
	profile     *syncproto.Profile
	words       [2][]syncproto.Frame
	seeds       [2]maphash.Seed
	seen        map[[2]uint64]struct{}
	todo        []world
	transitions int
	ends        map[string]int
}

func newWalk(p *syncproto.Profile) *walk {
	return &walk{profile: p, words: [2][]syncproto.Frame{vocabulary(parent, p), vocabulary(child, p)},
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, seen: map[[2]uint64]struct{}{}, ends: map[string]int{}}
}

// add queues a world that was not seen before. Worlds are told apart by 128 bits of hash.
func (k *walk) add(w world) {
	key := [2]uint64{maphash.Comparable(k.seeds[0], w), maphash.Comparable(k.seeds[1], w)}
	if _, ok := k.seen[key]; ok {
		return
	}
	k.seen[key] = struct{}{}
	k.todo = append(k.todo, w)
}

func (k *walk) run(first world) error {
	k.add(first)
	for len(k.todo) > 0 {
		w := k.todo[len(k.todo)-1]
		k.todo = k.todo[:len(k.todo)-1]
		if !w.fate[parent].open() && !w.fate[child].open() {
			k.ends[w.pair()]++
			if err := w.check(); err != nil {
				return fmt.Errorf("%s: %w", w.pair(), err)
			}
			continue
		}
		steps, err := k.steps(w)
		if err != nil {
			return err
		}
		moves := 0
		for _, s := range steps {
			if !s.accident {
				moves++
			}
			k.transitions++
			k.add(s.to)
		}
		if moves == 0 {
			return fmt.Errorf("deadlock: parent %v in %v, child %v in %v", fateNames[w.fate[parent]], w.m[parent].State(), fateNames[w.fate[child]], w.m[child].State())
		}
	}
	return nil
}

// steps are all that can happen next.
func (k *walk) steps(w world) (list []step, err error) {
	for _, r := range []syncproto.Role{parent, child} {
		if !w.fate[r].open() {
			continue
		}
		if w.fate[r] == running {
			list = k.says(list, w, r)
		}
		// A child that has said EXEC reads no more.
		if r == parent || w.m[child].State() != syncproto.Committed {
			next, ok, err := w.receive(r)
			if err != nil {
				return nil, fmt.Errorf("the %v in %v: %w", r, w.m[r].State(), err)
			}
			if ok {
				list = append(list, step{"receives", next, false})
			}
		}
		if w.fate[r] == over {
			list = append(list, step{"closes", w.close(r, ended), false}) // the grace is over; for a child there is none
		}
		dead := w.close(r, killed)
		dead.hurt = true
		list = append(list, step{"dies", dead, true})
	}
	return list, nil
}

// says are r's own moves: every word that its machine allows, execution, and giving up.
func (k *walk) says(list []step, w world, r syncproto.Role) []step {
	for _, f := range k.words[r] {
		if w.slip == neverAnswers && (f.Kind == syncproto.KindReply || f.Fail) {
			continue
		}
		if next, ok := w.send(r, f); ok {
			// Giving up is always possible, and so no proof that anything moves; but after a refusal it is all that may be left.
			list = append(list, step{f.Kind.String(), next, f.Kind == syncproto.KindError && !f.Fail && !w.refused})
		}
	}
	if w.slip == losesEXEC && r == child && w.m[child].MayExec() {
		return append(list, step{"executes", w.close(child, execed), false})
	}
	if r == child && w.m[child].State() == syncproto.Committed {
		return append(list, step{"executes", w.close(child, execed), false})
	}
	if r == parent && w.m[parent].Waiting() > syncproto.WaitNothing && w.m[parent].Waiting() != syncproto.WaitSelf {
		list = append(list, step{"deadline", w.decide(parent, syncproto.TimedOut), true})
	}
	if r == parent {
		list = append(list, step{"cancel", w.decide(parent, syncproto.Cancelled), true})
	}
	return list
}

func (w *world) pair() string {
	s := ""
	for _, r := range []syncproto.Role{parent, child} {
		if s != "" {
			s += " | "
		}
		s += r.String() + " " + fateNames[w.fate[r]] + ", " + w.m[r].Verdict().Outcome.String()
	}
	return s
}

// check is what must hold at every end.
func (w *world) check() error {
	p, c := w.m[parent].Verdict(), w.m[child].Verdict()
	committed := w.fate[child] != ended && c.State == syncproto.Committed
	switch {
	case w.fate[parent] == ended && p.Outcome == syncproto.Undecided:
		return errors.New("the parent ended without a verdict")
	case w.fate[child] == ended && c.Outcome == syncproto.Undecided:
		return errors.New("the child ended without a verdict")
	case (p.Outcome == syncproto.Success || w.claims) && !committed:
		return errors.New("success without EXEC and its end of file")
	case p.Outcome == syncproto.Success && w.told[child]:
		return errors.New("success over the child's ERROR")
	case c.Outcome == syncproto.Success:
		return errors.New("the child cannot know of success")
	case p.Outcome == syncproto.Violated || c.Outcome == syncproto.Violated:
		return errors.New("two honest peers broke the protocol")
	case w.told[child] && w.eof[parent] && p.Outcome != syncproto.PeerError && p.Outcome != syncproto.LocalError:
		return errors.New("the child's ERROR is lost")
	case w.fate[child] == execed && !w.hurt && p.Outcome != syncproto.Success && p.Outcome != syncproto.LocalError:
		return errors.New("an execution that nothing disturbed is no success")
	case p.Outcome == syncproto.PeerError && !w.told[child], c.Outcome == syncproto.PeerError && !w.told[parent]:
		return errors.New("an ERROR that nobody sent")
	}
	return nil
}

// asked is a conversation in which the parent asks first.
func asked() *syncproto.Profile {
	return &syncproto.Profile{Name: "asked", Phases: []syncproto.Phase{
		{Name: "questions", Asker: parent, Rows: []syncproto.Row{
			{Request: "what", Reply: "that", Max: 1, ReplyFDs: syncproto.FDCount{Max: 1}},
			{Request: "go", Reply: "going", Min: 1, Max: 1, Next: "last"},
		}},
		{Name: "last", Asker: child, Commit: true, Rows: []syncproto.Row{{Request: "may", Reply: "yes", Max: 1}, {Request: "again", Reply: "so", Max: 1, Next: "questions"}}},
	}}
}

// Every conversation that two machines can have over channels of three frames: every order of sending and receiving, a death of either side at every point, cancellation,
// a deadline wherever one runs, an ERROR of either side.
func TestEveryConversation(t *testing.T) {
	for _, tt := range []struct {
		name        string
		p, narrowed *syncproto.Profile
	}{
		{"init", syncproto.Init(), syncproto.Init().Forbid("mount").Forbid("console").Require("hooks")},
		{"setns", syncproto.Setns(), syncproto.Setns().Forbid("seccomp")},
		{"start", syncproto.Start(), syncproto.Start()},
		{"the parent asks", asked(), asked().Forbid("again")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first, err := newWorld(tt.p, tt.narrowed)
			if err != nil {
				t.Fatal(err)
			}
			k := newWalk(tt.narrowed)
			if err := k.run(first); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d worlds, %d transitions, %d ways to end", len(k.seen), k.transitions, len(k.ends))
			for _, end := range sorted(k.ends) {
				t.Logf("%8d  %s", k.ends[end], end)
			}
		})
	}
}

// The walk is worth what it can find.
func TestTheWalkFindsMistakes(t *testing.T) {
	for slip, want := range map[mistake]string{
		stopsAtReset: "the child's ERROR is lost", believesEOF: "success without EXEC and its end of file", neverAnswers: "deadlock", losesEXEC: "an execution that nothing disturbed is no success",
	} {
		narrowed := syncproto.Init().Forbid("mount").Forbid("console").Forbid("hooks").Forbid("seccomp")
		first, err := newWorld(syncproto.Init(), narrowed)
		if err != nil {
			t.Fatal(err)
		}
		first.slip = slip
		if err := newWalk(narrowed).run(first); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mistake %d: %v, want %s", slip, err, want)
		}
	}
}

func sorted(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
