package model

import (
	"strings"

	"github.com/handfast/handfast/syncproto"
)

// maxRows is the maximum number of rows of a profile, in all phases together: a walk counts each of them.
const maxRows = 12

// capacity is the maximum of Options.Room.
const capacity = 3

// fate is what has become of a side.
type fate uint8

const (
	running  fate = iota // its Session is not over
	done                 // its Session is over, and its end is still open
	ended                // it has closed its end
	killed               // its end was closed for it
	executed             // the child has become another program, which closed its end
	stopped              // it does nothing more, but its end is open: end of file will not arrive
	leaked               // it is dead, but a copy of its end is open elsewhere: end of file will not arrive either
)

var fateNames = [...]string{
	"runs", "is done", "ended", "was killed", "executed", "stopped", "died with its socket leaked",
}

// acts reports whether the side still does something, open whether its socket is open.
func (f fate) acts() bool { return f <= done }
func (f fate) open() bool { return f.acts() || f >= stopped }

// own reports whether the side came to its end by itself, so that its verdict counts.
func (f fate) own() bool { return f == done || f == ended }

// marks record about one side what its Session does not: what it has done, and what has happened to it.
type marks uint16

const (
	shut    marks = 1 << iota // it has shut down its sending
	told                      // its ERROR that ends the conversation was sent completely
	spoken                    // its last word, ERROR or CANCEL, was sent completely
	heard                     // its Session has reported the peer's ERROR to its caller
	obeys                     // child: a CANCEL has arrived and must be obeyed
	deaf                      // it cannot read any more, or has stopped because its time is over
	failing                   // it has something of its own to report: a failure, or that it obeys
	drained                   // it has read to the end
	mute                      // its last word found no room in its time
)

// world is the complete state of one conversation at one moment. It is a plain, comparable value; index 0 is the
// parent's and 1 the child's. Sessions, frames and verdicts are represented by their numbers in the table.
type world struct {
	s         [2]uint32           // the Session; zero for a side that does nothing more
	last      [2]uint16           // its verdict then
	queue     [2][capacity]uint16 // whole frames towards each role
	part      [2]uint16           // the frame after them, of which only the beginning has arrived
	out       [2]uint16           // the outgoing frame, for which there was no room, or not enough
	is        [2]marks
	fate      [2]fate
	queued    [2]uint8
	why       [2]reason      // the reason for the last word
	requested [maxRows]uint8 // how often each row's request has arrived
	replied   [maxRows]uint8 // and its reply
	sent, got uint16         // bytes of the configuration that were sent, and that have arrived
	flying    int8           // descriptors sent and neither delivered nor closed
	wrong     uint8          // the law that the last step violated
	committed bool           // the parent's caller has committed
	refused   bool           // a request was refused
	hurt      bool           // something other than the two roles' frames happened: a death, a failure, a deadline
	lied      bool           // the child has confirmed a configuration other than the one sent
	pending   bool           // a request has arrived, and its reply has not
}

// reason is why a side ends the conversation, as the walk knows it: its last word must agree.
type reason uint8

const (
	noReason   reason = iota
	byFailure         // its caller's
	byCancel          // its caller cancelled
	byDeadline        // a wait was too long
	byObeying         // a CANCEL
	byProfile         // the child: the tables differ
	byDigest          // the parent: another configuration was confirmed
)

// codeOfFailure is the code of failures of either side's caller.
const codeOfFailure = syncproto.CodeSetup

var codes = [...]syncproto.Code{"", codeOfFailure, syncproto.CodeCancelled, syncproto.CodeTimeout,
	syncproto.CodeCancelled, syncproto.CodeProfile, syncproto.CodeDecode}

// step is a transition: its label, where it leads, and whether it is an accident that may never happen.
type step struct {
	label
	to       world
	accident bool
}

// label describes a step.
type label struct {
	who   syncproto.Role
	does  string
	frame uint16 // that it is about, or zero
}

// text returns a label as printed in a Counterexample.
func (t *table) text(l label) string {
	s := "the " + l.who.String() + " " + l.does
	if l.frame != 0 {
		p := &t.frames[l.frame]
		s += " " + p.Kind.String()
		if p.name != "" {
			s += " " + p.name
		}
	}
	return s
}

// ended reports whether nothing more can happen.
func (w *world) ended() bool { return !w.fate[parent].acts() && !w.fate[child].acts() }

// verdictOf returns r's verdict, now or when it ended.
func (k *walk) verdictOf(w *world, r syncproto.Role) syncproto.Verdict {
	if w.s[r] != 0 {
		return k.sides[w.s[r]].verdict
	}
	return k.verdicts[w.last[r]]
}

// describeEnd returns the fates and verdicts of both sides.
func (k *walk) describeEnd(w *world) string {
	var parts []string
	for _, r := range []syncproto.Role{parent, child} {
		v := k.verdictOf(w, r)
		does := fateNames[w.fate[r]] + " in " + v.State.String() + ", " + v.Outcome.String()
		parts = append(parts, "the "+r.String()+" "+does)
	}
	return strings.Join(parts, " | ")
}
