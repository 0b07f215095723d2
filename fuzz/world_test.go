package fuzz

import (
	"fmt"

	"github.com/handfast/handfast/syncproto"
)

const (
	parent = syncproto.Parent
	child  = syncproto.Child
)

// capacity is how many frames wait in one direction. A socket holds more; one that holds less blocks its writers more often, which is what the walk is after.
const capacity = 3

// fate is what has become of a side.
type fate uint8

const (
	running fate = iota
	over         // its verdict is known, and it reads on for what the peer still says
	ended        // it has closed its end
	killed       // its end was closed for it
	execed       // the child is another program now, which closed its end
)

var fateNames = [...]string{"running", "over", "ended", "killed", "executed"}

func (f fate) open() bool { return f <= over }

// mistake is one that handshakes of this kind have made, and that the walk must find.
type mistake uint8

const (
	none         mistake = iota
	stopsAtReset         // a write that fails ends the reading, and with it what the child still had to say
	believesEOF          // end of file is success, whatever came before
	neverAnswers         // the parent knows no replies
	losesEXEC            // the child executes without a word
)

type message struct {
	h    syncproto.Header
	name string
}

// world is everything about one conversation at one moment: both machines, what is between them, and what the walk wants to know about the past. It is a plain,
// comparable value.
type world struct {
	m       [2]syncproto.Machine
	fate    [2]fate
	queue   [2][capacity]message // towards each role
	queued  [2]uint8
	told    [2]bool // the role's ERROR that ends the conversation is queued or has arrived
	eof     [2]bool // the role has read to the end
	slip    mistake // what is done wrong on purpose
	refused bool    // a request was answered with ERROR
	claims  bool    // the parent believes in success by mistake
	hurt    bool    // something but the two roles' own words happened: a death, a deadline, a cancellation
}

// step is a transition: what it is called, where it leads, and whether it needs no accident.
type step struct {
	name     string
	to       world
	accident bool
}

func newWorld(p, narrowed *syncproto.Profile) (world, error) {
	var w world
	for r := range w.m {
		m, err := syncproto.NewMachine(syncproto.Role(r), p, syncproto.Limits{Notes: 1, Config: 1024, Frames: 32})
		if err != nil {
			return w, err
		}
		m.Offer(1)
		if err := m.Narrow(narrowed); err != nil {
			return w, err
		}
		w.m[r] = *m
	}
	return w, nil
}

// vocabulary is everything that a role might say; its machine decides what it may.
func vocabulary(r syncproto.Role, p *syncproto.Profile) []syncproto.Frame {
	list := []syncproto.Frame{{Kind: syncproto.KindError}, {Kind: syncproto.KindError, Fail: true}}
	if r == parent {
		list = append(list, syncproto.Frame{Kind: syncproto.KindHello}, syncproto.Frame{Kind: syncproto.KindConfig, Size: 512, More: true}, syncproto.Frame{Kind: syncproto.KindConfig, Size: 512}, syncproto.Frame{Kind: syncproto.KindConfig})
	} else {
		list = append(list, syncproto.Frame{Kind: syncproto.KindHelloAck}, syncproto.Frame{Kind: syncproto.KindConfigOK}, syncproto.Frame{Kind: syncproto.KindNote}, syncproto.Frame{Kind: syncproto.KindExec})
	}
	for _, ph := range p.Phases {
		for _, row := range ph.Rows {
			if ph.Asker == r {
				list = append(list, syncproto.Frame{Kind: syncproto.KindRequest, Name: row.Request, FDs: int(row.RequestFDs.Min)})
			} else {
				list = append(list, syncproto.Frame{Kind: syncproto.KindReply, Name: row.Reply, FDs: int(row.ReplyFDs.Min)})
			}
		}
	}
	return list
}

// send is r saying f; ok is false where it may not, or where it would have to wait.
func (w world) send(r syncproto.Role, f syncproto.Frame) (world, bool) {
	h, err := w.m[r].Send(f)
	to := r.Peer()
	if err != nil || w.fate[to].open() && w.queued[to] == capacity {
		return w, false
	}
	last := f.Kind == syncproto.KindError && !f.Fail
	if !w.fate[to].open() {
		w.m[r].Fail(syncproto.Broken) // EPIPE: what the peer said before is still to be read
		w.fate[r] = over
		if w.slip == stopsAtReset {
			w = w.close(r, ended)
			w.eof[r] = true
		}
		return w, true
	}
	w.queue[to][w.queued[to]] = message{h, f.Name}
	w.queued[to]++
	w.refused = w.refused || f.Fail
	if last {
		w.told[r] = true
		if w.fate[r] = over; r == child {
			w = w.close(child, ended)
		}
	}
	return w, true
}

// close is the end of r's end: what was on its way to it is gone.
func (w world) close(r syncproto.Role, f fate) world {
	w.fate[r] = f
	w.queue[r], w.queued[r] = [capacity]message{}, 0
	return w
}

// receive is r reading: a frame, or end of file. A refusal of what an honest peer sent is an error of the tables.
func (w world) receive(r syncproto.Role) (world, bool, error) {
	if w.queued[r] == 0 {
		if w.fate[r.Peer()].open() || w.eof[r] {
			return w, false, nil
		}
		w.claims = w.slip == believesEOF && r == parent && w.m[parent].State() != syncproto.Failed
		w.m[r].EndOfFile()
		w.eof[r] = true
		return w.close(r, ended), true, nil
	}
	in := w.queue[r][0]
	copy(w.queue[r][:], w.queue[r][1:])
	w.queued[r]--
	w.queue[r][w.queued[r]] = message{}
	if err := w.m[r].Admit(in.h); err != nil {
		return w, true, fmt.Errorf("not admitted: %w", err)
	}
	if err := w.m[r].Receive(in.h, in.name); err != nil {
		return w, true, fmt.Errorf("not received: %w", err)
	}
	if w.m[r].State() != syncproto.Failed {
		return w, true, nil
	}
	if in.h.Kind == syncproto.KindError && in.h.Re == 0 && w.m[r].Verdict().Outcome < syncproto.Violated {
		w.m[r].Fail(syncproto.PeerError)
	}
	if w.fate[r] = over; r == child {
		w = w.close(child, ended)
	}
	return w, true, nil
}

// decide is r ending the conversation without a word of the peer: a deadline, or its caller's wish. A parent says CANCEL if there is room.
func (w world) decide(r syncproto.Role, why syncproto.Outcome) world {
	if next, ok := w.send(r, syncproto.Frame{Kind: syncproto.KindCancel}); ok && r == parent {
		w = next
	}
	w.m[r].Fail(why)
	w.fate[r], w.hurt = over, true
	return w
}
