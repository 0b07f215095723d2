package session

import (
	"errors"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// Settings are what one side brings into a conversation. They are not changed once a Session uses them. Sessions that
// share them, as a copy shares those of its original, are not safe for use by two goroutines at once.
type Settings struct {
	Profile *syncproto.Profile
	Codecs  []codec.Codec    // in order of preference; a parent that offers one alone sends CONFIG without waiting
	Limits  syncproto.Limits // zero fields take the defaults
	Session string           // parent: an identifier for logs, sent to the child
	PID     int              // child: its process, as it sees it

	// What a REQUEST or REPLY is bound to during one call, kept so that it is not made anew for each.
	in, out syncproto.Call
}

// stage is how far the end of a conversation has come.
type stage uint8

const (
	live      stage = iota
	telling         // the verdict is known, and the peer is to be told
	listening       // what the peer still says is read: it may be the true cause
	over            // nothing more happens
)

// Session is one side of one conversation. The zero Session is of no use: New makes one.
// It is not safe for use by two goroutines at once.
type Session struct {
	m     syncproto.Machine
	set   *Settings
	codec int8 // index of the agreed one, or of the only one offered; -1: none yet

	// The frame that is under way; Kind zero is none. The machine counts it once its first byte has left: a frame of
	// which nothing left was never sent, whatever has arrived meanwhile.
	sending syncproto.Frame
	left    bool
	saying  bool // it is the last word

	greeting bool   // child: HELLO has been accepted, HELLO_ACK is due
	digest   string // parent: of the configuration that was sent
	size     uint32 // parent: its bytes

	// The end.
	stage   stage
	broken  bool              // nothing can be sent any more
	closed  bool              // because the peer has closed its end
	deaf    bool              // the peer's end of file has come, or nothing can be read any more
	gone    bool              // the peer's process has ended
	told    bool              // this side's ERROR or CANCEL has left whole
	verdict syncproto.Verdict // Outcome Undecided while the conversation goes on
	wordOf  syncproto.Kind    // ERROR or CANCEL, this side's last word
	word    string            // its payload
}

// New is the beginning of a conversation. It refuses settings that no conversation is possible with.
func New(role syncproto.Role, set *Settings) (Session, error) {
	if set == nil || set.Profile == nil {
		return Session{}, errors.New("session: no profile")
	}
	if len(set.Codecs) == 0 {
		return Session{}, errors.New("session: no codec")
	}
	for i, c := range set.Codecs {
		if c == nil {
			return Session{}, errors.New("session: a codec is nil")
		}
		if n := c.Name(); n == "" || len(n) > codec.MaxName {
			return Session{}, errors.New("session: a codec's name has 1 to 32 bytes")
		}
		for _, d := range set.Codecs[:i] {
			if c.Name() == d.Name() {
				return Session{}, errors.New("session: two codecs are called " + c.Name())
			}
		}
	}
	m, err := syncproto.NewMachine(role, set.Profile, set.Limits)
	if err != nil {
		return Session{}, err
	}
	s := Session{m: *m, set: set, codec: -1}
	if role == syncproto.Parent {
		s.m.Offer(len(set.Codecs))
		if len(set.Codecs) == 1 {
			s.codec = 0
		}
	}
	return s, nil
}

// Role is the side that this is.
func (s *Session) Role() syncproto.Role { return s.m.Role() }

// State is how far the conversation has come.
func (s *Session) State() syncproto.State { return s.m.State() }

// Phase is the profile's phase; empty before there is one.
func (s *Session) Phase() string { return s.m.Phase() }

// Pending is the request that waits for its reply; empty for none.
func (s *Session) Pending() string { return s.m.Pending() }

// ReplyName is the name that the reply to the pending request must have; empty where none is pending.
func (s *Session) ReplyName() string { return s.m.Answer() }

// Cancelled reports whether the parent has asked the child to stop.
func (s *Session) Cancelled() bool { return s.m.Cancelled() }

// Limits are those in force now.
func (s *Session) Limits() syncproto.Limits { return s.m.Limits() }

// Agreed reports whether a codec is agreed, so that CONFIG may be sent.
func (s *Session) Agreed() bool { return s.codec >= 0 }

// Codec is the encoding of a kind of frame. What must be readable before anything is agreed, and whatever was
// agreed, is JSON: HELLO, HELLO_ACK, ERROR and CANCEL.
func (s *Session) Codec(k syncproto.Kind) codec.Codec {
	switch k {
	case syncproto.KindHello, syncproto.KindHelloAck, syncproto.KindError, syncproto.KindCancel:
		return codec.JSON()
	}
	if s.codec < 0 {
		return codec.JSON() // the machine refuses the frame
	}
	return s.set.Codecs[s.codec]
}

// Narrow puts a stricter form of the profile in force, as the configuration asks for. Both sides derive it from the
// same configuration; it must happen before CONFIG_OK.
func (s *Session) Narrow(p *syncproto.Profile) error {
	if p == nil {
		return errors.New("session: no profile")
	}
	return s.m.Narrow(p)
}

// Timer says which wait runs now. A driver begins it anew whenever the Timer is another value than before: so each
// frame of the peer extends the wait for the next one, and none extends the greeting, the configuration, the
// execution, or the end. A child that has said EXEC waits without a bound for room to say that the execution failed:
// if it closed its end instead, that would be success.
type Timer struct {
	Wait syncproto.Wait
	mark uint32
}

// Timer is the wait that runs now.
func (s *Session) Timer() Timer {
	switch s.stage {
	case telling:
		if s.mustTell() {
			return Timer{Wait: syncproto.WaitNothing}
		}
		return Timer{Wait: syncproto.WaitTold}
	case listening:
		return Timer{Wait: syncproto.WaitGrace}
	case over:
		return Timer{Wait: syncproto.WaitNothing}
	}
	t := Timer{Wait: s.m.Waiting()}
	if t.Wait == syncproto.WaitPeer {
		t.mark = s.m.Passed()
	}
	return t
}

// mustTell reports that this is a child that has said EXEC and has not been executed.
func (s *Session) mustTell() bool {
	return s.Role() == syncproto.Child && s.m.State() == syncproto.Committed
}

// Over reports that nothing more happens: Verdict is final.
func (s *Session) Over() bool { return s.stage == over }

// Reading reports that there is a sense in reading: the end of file has not come, nor the end of all.
func (s *Session) Reading() bool { return !s.deaf && s.stage != over }

// Live reports that the conversation goes on.
func (s *Session) Live() bool { return s.stage == live }

// Told reports that this side's last word, ERROR or CANCEL, has left whole.
func (s *Session) Told() bool { return s.told }

// Verdict is how the conversation ended; its Outcome is Undecided while it goes on. Until Over, what the peer still
// says may change it.
func (s *Session) Verdict() syncproto.Verdict {
	if s.verdict.Outcome == syncproto.Undecided {
		return s.m.Verdict()
	}
	return s.verdict
}
