package model

import (
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
	running  fate = iota // its Session is not over
	done                 // its Session is over, and its end is still open
	ended                // it has closed its end
	killed               // its end was closed for it
	executed             // the child is another program now, which closed its end
	stopped              // it does nothing more, but its end is open: no end of file will come
	leaked               // it is dead, but a copy of its end is open elsewhere: no end of file will come either
)

var fateNames = [...]string{
	"runs", "is done", "ended", "was killed", "executed", "stopped", "died with its socket leaked",
}

// acts says that the side still does something; open that its socket is.
func (f fate) acts() bool { return f <= done }
func (f fate) open() bool { return f.acts() || f >= stopped }

// own reports that the side came to its end by itself, so that its verdict counts.
func (f fate) own() bool { return f == done || f == ended }

// marks are what is remembered of one side beside its Session: what it has done, and what has become of it.
type marks uint16

const (
	shut    marks = 1 << iota // it has shut down its writing
	told                      // its ERROR that ends the conversation has left whole
	spoken                    // its last word has left whole, ERROR or CANCEL
	heard                     // its Session has told its caller of the peer's ERROR
	obeys                     // child: a CANCEL has come, and is to be obeyed
	deaf                      // it cannot read any more, or has stopped doing so: its time is over
	failing                   // it has something to say of its own: a failure, or that it obeys
	drained                   // it has read to the end
	mute                      // its last word found no room in its time
)

// world is everything about one conversation at one moment. It is a plain, comparable value; index 0 is the parent's
// and 1 the child's. Sessions, frames and verdicts are numbers of the table.
type world struct {
	s         [2]uint32           // the Session; zero for a side that does nothing more
	last      [2]uint16           // its verdict then
	queue     [2][capacity]uint16 // whole frames towards each role
	part      [2]uint16           // the frame behind them of which only the beginning has come
	out       [2]uint16           // the frame that is under way, which has not found room, or not all
	is        [2]marks
	fate      [2]fate
	queued    [2]uint8
	why       [2]reason      // for the last word
	asked     [maxRows]uint8 // how often each row's request has arrived
	answered  [maxRows]uint8 // and its reply
	sent, got uint16         // bytes of the configuration that have left, and that have come
	flying    int8           // descriptors sent and neither delivered nor closed
	wrong     uint8          // a law that the last step broke
	committed bool           // the parent's caller has committed
	refused   bool           // a request was answered with ERROR
	hurt      bool           // something but the two roles' own words happened: a death, a failure, a deadline
	lied      bool           // the child has confirmed a configuration that did not come
	asks      bool           // a request has reached its answerer, and no answer the asker
}

// reason is why a side ends the conversation, as the walk knows it: its last word must say the same.
type reason uint8

const (
	noReason   reason = iota
	byFailure         // its caller's
	byCancel          // its caller's wish
	byDeadline        // a wait was too long
	byObeying         // a CANCEL
	byProfile         // the child: the tables differ
	byDigest          // the parent: another configuration was confirmed
)

// codeOfFailure is what the caller of either side says of its failure.
const codeOfFailure = syncproto.CodeSetup

var codes = [...]syncproto.Code{"", codeOfFailure, syncproto.CodeCancelled, syncproto.CodeTimeout,
	syncproto.CodeCancelled, syncproto.CodeProfile, syncproto.CodeDecode}

// step is a transition: what it is called, where it leads, and whether nobody may count on it.
type step struct {
	label
	to       world
	accident bool
}

// label is what a step is called.
type label struct {
	who   syncproto.Role
	does  string
	frame uint16 // that it is about, or zero
}

// text is a label as a Counterexample has it.
func (t *table) text(l label) string {
	s := "the " + l.who.String() + " " + l.does
	if l.frame != 0 {
		p := &t.packets[l.frame]
		s += " " + p.Kind.String()
		if p.name != "" {
			s += " " + p.name
		}
	}
	return s
}

// ended reports that nothing more can happen.
func (w *world) ended() bool { return !w.fate[parent].acts() && !w.fate[child].acts() }

// verdictOf is r's verdict, now or when it ended.
func (k *walk) verdictOf(w *world, r syncproto.Role) syncproto.Verdict {
	if w.s[r] != 0 {
		return k.sides[w.s[r]].verdict
	}
	return k.verdicts[w.last[r]]
}

// pair is what both sides make of it.
func (k *walk) pair(w *world) string {
	var parts []string
	for _, r := range []syncproto.Role{parent, child} {
		v := k.verdictOf(w, r)
		does := fateNames[w.fate[r]] + " in " + v.State.String() + ", " + v.Outcome.String()
		parts = append(parts, "the "+r.String()+" "+does)
	}
	return strings.Join(parts, " | ")
}
