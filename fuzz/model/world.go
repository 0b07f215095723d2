package model

import (
	"fmt"
	"strings"

	"github.com/handfast/handfast/syncproto"
)

// maxRows is the most rows that a profile may have, all phases together, for a walk to keep its own count of each.
const maxRows = 12

// capacity is the most that Options.Room can be.
const capacity = 3

// fate is what has become of a side.
type fate uint8

const (
	running  fate = iota
	over          // its verdict is known, and it reads on for what the peer still says
	ended         // it has closed its end
	killed        // its end was closed for it
	executed      // the child is another program now, which closed its end
	stopped       // it does nothing more, but its end is open: no end of file will come
	leaked        // it is dead, but a copy of its end is open elsewhere: no end of file will come either
)

var fateNames = [...]string{"runs", "is done", "ended", "was killed", "executed", "stopped", "died with its socket leaked"}

// acts says that the side still does something; open that its socket is.
func (f fate) acts() bool { return f <= over }
func (f fate) open() bool { return f.acts() || f >= stopped }

// message is a frame on its way. An echo is the ERROR with which a child obeys CANCEL.
type message struct {
	h    syncproto.Header
	name string
	echo bool
}

// world is everything about one conversation at one moment. It is a plain, comparable value; index 0 is the parent's and 1 the child's.
type world struct {
	m         [2]syncproto.Machine
	verdict   [2]syncproto.Verdict // of a side that does nothing more; its machine is forgotten, so that worlds that differ in nothing else are one
	fate      [2]fate
	queue     [2][capacity]message // towards each role
	queued    [2]uint8
	torn      [2]bool        // what comes last towards the role is a frame cut short
	shut      [2]bool        // the role has shut down its writing
	told      [2]bool        // the role's ERROR that ends the conversation left in whole
	eof       [2]bool        // the role has read to the end
	cause     [2]bool        // the role has something to report, and will say nothing else
	flying    int8           // descriptors sent and neither delivered nor closed
	committed bool           // the parent's caller has committed
	refused   bool           // a request was answered with ERROR
	hurt      bool           // something but the two roles' own words happened: a death, a failure, a deadline, a cancellation
	asks      bool           // a request has reached its answerer, and no answer the asker
	asked     [maxRows]uint8 // how often each row's request has arrived
	answered  [maxRows]uint8 // and its reply
	wrong     string         // a law that the last step broke
}

// step is a transition: what it is called, where it leads, and whether nobody may count on it.
type step struct {
	name     string
	to       world
	accident bool
}

// rules are what does not change during a walk.
type rules struct {
	profile [2]*syncproto.Profile
	words   [2][]syncproto.Frame
	rows    []phaseRow // of the parent's table, all phases
	commit  string
	room    uint8
	codecs  int
}

// phaseRow is a row and the phase that it stands in.
type phaseRow struct {
	phase string
	syncproto.Row
}

func newRules(p *syncproto.Profile, o Options) (*rules, error) {
	r := &rules{profile: [2]*syncproto.Profile{p, p}, commit: o.Commit, room: uint8(min(max(o.Room, 0), capacity)), codecs: max(o.Codecs, 1)}
	if r.room == 0 {
		r.room = 2
	}
	if o.Narrowed != nil {
		r.profile = [2]*syncproto.Profile{o.Narrowed, o.Narrowed}
	}
	if o.Child != nil {
		r.profile[child] = o.Child
	}
	for i, p := range r.profile {
		if err := p.Validate(); err != nil {
			return nil, err
		}
		r.profile[i] = bounded(p)
		r.words[i] = vocabulary(syncproto.Role(i), r.profile[i])
	}
	for _, ph := range r.profile[parent].Phases {
		for _, row := range ph.Rows {
			r.rows = append(r.rows, phaseRow{ph.Name, row})
		}
	}
	if len(r.rows) > maxRows {
		return nil, fmt.Errorf("model: profile %q has %d rows; a walk keeps count of %d", p.Name, len(r.rows), maxRows)
	}
	return r, nil
}

// bounded is the profile in which what may be asked without limit may be asked once.
func bounded(p *syncproto.Profile) *syncproto.Profile {
	q := *p
	q.Phases = append([]syncproto.Phase(nil), p.Phases...)
	for i := range q.Phases {
		q.Phases[i].Rows = append([]syncproto.Row(nil), q.Phases[i].Rows...)
		for j := range q.Phases[i].Rows {
			if r := &q.Phases[i].Rows[j]; r.Max == 0 {
				r.Max = max(1, r.Min)
			}
		}
	}
	return &q
}

func (r *rules) first() (world, error) {
	var w world
	for i, p := range r.profile {
		m, err := syncproto.NewMachine(syncproto.Role(i), p, syncproto.Limits{Notes: 1, Config: 1024, Frames: 64})
		if err != nil {
			return w, err
		}
		m.Offer(r.codecs)
		w.m[i] = *m
	}
	return w, nil
}

// vocabulary is everything that a role might say; its machine decides what it may.
func vocabulary(r syncproto.Role, p *syncproto.Profile) []syncproto.Frame {
	list := []syncproto.Frame{{Kind: syncproto.KindRequest}, {Kind: syncproto.KindReply}} // without a name
	if r == parent {
		fds := int(p.ConfigFDs.Max)
		list = append(list, syncproto.Frame{Kind: syncproto.KindHello}, syncproto.Frame{Kind: syncproto.KindConfig, Size: 600, More: true, FDs: fds}, syncproto.Frame{Kind: syncproto.KindConfig, Size: 400})
	} else {
		list = append(list, syncproto.Frame{Kind: syncproto.KindHelloAck}, syncproto.Frame{Kind: syncproto.KindConfigOK}, syncproto.Frame{Kind: syncproto.KindNote}, syncproto.Frame{Kind: syncproto.KindExec})
	}
	for _, ph := range p.Phases {
		for _, row := range ph.Rows {
			if ph.Asker == r {
				list = append(list, syncproto.Frame{Kind: syncproto.KindRequest, Name: row.Request, FDs: int(row.RequestFDs.Max)})
			} else {
				list = append(list, syncproto.Frame{Kind: syncproto.KindReply, Name: row.Reply, FDs: int(row.ReplyFDs.Max)})
			}
		}
	}
	return list
}

// ended reports that nothing more can happen.
func (w *world) ended() bool { return !w.fate[parent].acts() && !w.fate[child].acts() }

// last is r's verdict, now or when it ended.
func (w *world) last(r syncproto.Role) syncproto.Verdict {
	if w.fate[r].acts() {
		return w.m[r].Verdict()
	}
	return w.verdict[r]
}

// pair is what both sides make of it.
func (w *world) pair() string {
	var parts []string
	for _, r := range []syncproto.Role{parent, child} {
		v := w.last(r)
		parts = append(parts, "the "+r.String()+" "+fateNames[w.fate[r]]+" in "+v.State.String()+", "+v.Outcome.String())
	}
	return strings.Join(parts, " | ")
}
