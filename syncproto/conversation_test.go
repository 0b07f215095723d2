package syncproto_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// packet is a frame on its way.
type packet struct {
	h    syncproto.Header
	name string
}

// talk holds two machines connected by queues, driven by a random schedule.
type talk struct {
	m      [2]*syncproto.Machine
	queue  [2][]packet // towards each role
	closed [2]bool     // the role's end
	told   bool        // the child's last ERROR was sent while the parent could still hear it
	eof    bool        // the parent has read to the end
	exec   bool        // the child executed
}

func newTalk(t *rapid.T) *talk {
	k := &talk{}
	p := rapid.SampledFrom([]*syncproto.Profile{container.InitProfile(), container.SetnsProfile(),
		container.StartProfile(), twoPhases()}).Draw(t, "profile")
	for r := range k.m {
		m, err := syncproto.NewMachine(syncproto.Role(r), p, syncproto.Limits{Notes: 3, Frames: 100})
		if err != nil {
			t.Fatal(err)
		}
		m.Offer(1)
		k.m[r] = m
	}
	if rapid.Bool().Draw(t, "skip the opening") {
		for _, s := range opening {
			h, err := k.m[s.from].Send(s.f)
			if err == nil {
				err = k.m[s.from.Peer()].Receive(h, "")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return k
}

var words = func() []syncproto.Frame {
	var list []syncproto.Frame
	for k := syncproto.KindHello; k <= syncproto.KindCancel; k++ {
		list = append(list, syncproto.Frame{Kind: k, Size: 7}, syncproto.Frame{Kind: k, More: true, Size: 7},
			syncproto.Frame{Kind: k, Fail: true})
	}
	for _, p := range []*syncproto.Profile{container.InitProfile(), container.SetnsProfile(), twoPhases()} {
		for _, ph := range p.Phases {
			for _, r := range ph.Rows {
				list = append(list, syncproto.Frame{Kind: syncproto.KindRequest, Name: r.Request, FDs: int(r.RequestFDs.Min)},
					syncproto.Frame{Kind: syncproto.KindReply, Name: r.Reply, FDs: int(r.ReplyFDs.Max)})
			}
		}
	}
	return list
}()

// send sends a frame if the machine allows it; a refused frame must have no effect.
func (k *talk) send(t *rapid.T, r syncproto.Role) {
	if k.closed[r] {
		return
	}
	f := rapid.SampledFrom(k.randomFrames(t, r)).Draw(t, "word")
	before := *k.m[r]
	h, err := k.m[r].Send(f)
	if err != nil {
		if *k.m[r] != before {
			t.Fatalf("a refusal changed the machine: %v", err)
		}
		return
	}
	if k.closed[r.Peer()] {
		return
	}
	k.queue[r.Peer()] = append(k.queue[r.Peer()], packet{h, f.Name})
	if r == child && f.Kind == syncproto.KindError && !f.Fail {
		k.told, k.closed[child] = true, true
	}
}

var dice = [40]int{}

// chance returns one of forty numbers with equal probability: a rapid range of integers would favour small ones.
func chance(t *rapid.T) int { return rapid.SampledFrom(dice[:]).Draw(t, "chance") }

func init() {
	for i := range dice {
		dice[i] = i
	}
}

// randomFrames returns mostly frames that are legal now, because most frames are not; endings are rare, so that
// conversations get far.
func (k *talk) randomFrames(t *rapid.T, r syncproto.Role) []syncproto.Frame {
	luck := chance(t)
	if luck == 0 {
		return words
	}
	var legal []syncproto.Frame
	for _, f := range words {
		m := *k.m[r]
		if f.Kind == syncproto.KindError && luck > 1 || f.Kind == syncproto.KindCancel && luck > 2 {
			continue
		}
		if _, err := m.Send(f); err == nil {
			legal = append(legal, f)
		}
	}
	if legal == nil {
		return words
	}
	return legal
}

func (k *talk) receive(t *rapid.T, r syncproto.Role) {
	switch {
	case k.closed[r] || r == child && k.m[child].State() == syncproto.Committed:
		return
	case len(k.queue[r]) == 0:
		if k.closed[r.Peer()] {
			k.m[r].EndOfFile()
			k.eof = k.eof || r == parent
			k.close(r)
		}
		return
	}
	in := k.queue[r][0]
	k.queue[r] = k.queue[r][1:]
	over := k.m[r].State() == syncproto.Failed
	if err := k.m[r].Admit(in.h); err != nil {
		t.Fatalf("the %v does not admit what was sent: %v", r, err)
	}
	if err := k.m[r].Receive(in.h, in.name); err != nil {
		t.Fatalf("the %v does not receive what was sent: %v", r, err)
	}
	if over && in.h.Kind == syncproto.KindError && in.h.Re == 0 {
		k.m[r].Fail(syncproto.PeerError)
	}
	if r == child && k.m[child].State() == syncproto.Failed {
		k.close(child)
	}
}

func (k *talk) close(r syncproto.Role) {
	k.closed[r], k.queue[r] = true, nil
}

func (k *talk) check(t *rapid.T) {
	v := k.m[parent].Verdict()
	if v.Outcome == syncproto.Success && (k.m[child].State() != syncproto.Committed || k.told || !k.closed[child]) {
		t.Fatalf("success, and the child is in %v", k.m[child].State())
	}
	if k.told && k.eof && v.Outcome != syncproto.PeerError {
		t.Fatalf("the child's ERROR is lost: %+v", v)
	}
	if k.exec && k.eof && v.Outcome == syncproto.Died {
		t.Fatal("an execution was taken for a death")
	}
	for _, m := range k.m {
		if m.State() == syncproto.Failed && m.Verdict().Outcome <= syncproto.Success ||
			m.State() == syncproto.Closed && m.Verdict().Outcome != syncproto.Success {
			t.Fatalf("state %v with the verdict %+v", m.State(), m.Verdict())
		}
	}
}

func TestRandomConversations(t *testing.T) {
	reached := map[syncproto.State]int{}
	rapid.Check(t, func(t *rapid.T) {
		k := newTalk(t)
		t.Repeat(map[string]func(*rapid.T){
			"parent says":  func(t *rapid.T) { k.send(t, parent) },
			"child says":   func(t *rapid.T) { k.send(t, child) },
			"parent hears": func(t *rapid.T) { k.receive(t, parent) },
			"child hears":  func(t *rapid.T) { k.receive(t, child) },
			"child executes": func(t *rapid.T) {
				if !k.closed[child] && k.m[child].State() == syncproto.Committed {
					k.exec = true
					k.close(child)
				}
			},
			"a side dies": func(t *rapid.T) {
				if chance(t) == 0 {
					k.close(rapid.SampledFrom([]syncproto.Role{parent, child}).Draw(t, "who"))
				}
			},
			"the parent gives up": func(t *rapid.T) {
				if !k.closed[parent] && chance(t) == 0 {
					k.m[parent].Fail(rapid.SampledFrom([]syncproto.Outcome{syncproto.TimedOut, syncproto.Cancelled, syncproto.Broken,
						syncproto.LocalError}).Draw(t, "why"))
				}
			},
			"": k.check,
		})
		// In any case, reading to the end gives each side exactly one verdict.
		k.close(child)
		if !k.closed[parent] {
			for !k.closed[parent] {
				k.receive(t, parent)
			}
			if k.m[parent].Verdict().Outcome == syncproto.Undecided {
				t.Fatal("the end has no verdict")
			}
		}
		k.check(t)
		reached[k.m[parent].Verdict().State]++
	})
	t.Logf("conversations by the parent's last state: %v", reached)
}

func FuzzMachine(f *testing.F) {
	f.Add([]byte{1, 0, 0, 1, 3, 0, 0, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := syncproto.NewMachine(parent, container.InitProfile(), syncproto.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		m.Offer(1)
		names := []string{"", "mount", "hooks", "console", "ready", "run", "seccomp", "Ready"}
		for ; len(b) >= 4; b = b[4:] {
			f := syncproto.Frame{Kind: syncproto.Kind(b[0] & 15), Name: names[b[1]&7], More: b[1]&8 != 0, Fail: b[1]&16 != 0,
				FDs: int(b[2] & 3), Size: int(b[3]) << (b[2] >> 4)}
			before := *m
			if b[1]&128 == 0 {
				_, err = m.Send(f)
			} else {
				h := syncproto.Header{Kind: f.Kind, NFDs: uint8(f.FDs), Seq: uint16(b[2]>>2) & 7, Re: uint16(b[1]>>5) & 3,
					Length: uint32(f.Size)}
				err = m.Receive(h, f.Name)
			}
			if err != nil && *m != before {
				t.Fatalf("a refusal changed the machine: %v", err)
			}
			if m.State() == syncproto.Closed || m.Verdict().Outcome == syncproto.Success {
				t.Fatal("success without an end of file")
			}
		}
		if v := m.EndOfFile(); v.Outcome == syncproto.Success && v.State != syncproto.Closed ||
			v.Outcome == syncproto.Undecided {
			t.Fatalf("%+v", v)
		}
	})
}
