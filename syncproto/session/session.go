package session

import (
	"errors"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// Settings are what one side brings into a conversation. They must not be changed once a Session uses them. Sessions
// that share Settings, such as copies of one Session, are not safe for concurrent use.
type Settings struct {
	Profile *syncproto.Profile
	Codecs  []codec.Codec    // in order of preference; a parent that offers only one sends CONFIG without waiting
	Limits  syncproto.Limits // zero fields mean the defaults
	Session string           // parent: an identifier for logs, sent to the child
	PID     int              // child: its pid in its own pid namespace

	// Bodies of REQUEST and REPLY during one call, kept here to avoid an allocation for each.
	in, out syncproto.Call
}

// stage is how far the end of a conversation has come.
type stage uint8

const (
	live      stage = iota
	telling         // the verdict is known, and the last word must still be sent
	listening       // reading what the peer still sends: it may be the true cause
	over            // the conversation has ended
)

// Session is one side of one conversation. Use New; the zero Session is not usable. A Session is not safe for
// concurrent use.
type Session struct {
	m     syncproto.Machine
	set   *Settings
	codec int8 // index of the agreed codec, or of the only one offered; -1: none yet

	// The outgoing frame; Kind is zero if there is none. The machine counts it once its first byte is sent. A frame of
	// which no byte was sent does not count, whatever has arrived meanwhile.
	sending syncproto.Frame
	left    bool
	saying  bool // the outgoing frame is the last word

	greeting bool   // child: HELLO has been accepted, HELLO_ACK is due
	digest   string // parent: digest of the configuration that was sent
	size     uint32 // parent: its size in bytes

	// The end.
	stage    stage
	broken   bool              // sending is impossible
	closed   bool              // because the peer has closed its end
	readDone bool              // the peer's end of file has arrived, or reading is impossible
	gone     bool              // the peer's process has ended
	told     bool              // the last word was sent completely
	verdict  syncproto.Verdict // Outcome Undecided while the conversation goes on
	wordOf   syncproto.Kind    // kind of the last word: ERROR or CANCEL
	word     string            // its payload
}

// New returns a Session at the beginning of a conversation. It refuses settings with which no conversation is possible.
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

// Role returns the side that this Session plays.
func (s *Session) Role() syncproto.Role { return s.m.Role() }

// State returns the state of the conversation.
func (s *Session) State() syncproto.State { return s.m.State() }

// Phase returns the name of the profile's current phase; it is empty before Configured.
func (s *Session) Phase() string { return s.m.Phase() }

// Pending returns the name of the request that waits for its reply, or the empty string.
func (s *Session) Pending() string { return s.m.Pending() }

// ReplyName returns the name that the reply to the pending request must have. It is empty if no request is pending.
func (s *Session) ReplyName() string { return s.m.ReplyName() }

// Cancelled reports whether the parent has told the child to stop.
func (s *Session) Cancelled() bool { return s.m.Cancelled() }

// Limits returns the limits in force.
func (s *Session) Limits() syncproto.Limits { return s.m.Limits() }

// Agreed reports whether a codec is agreed, so that CONFIG may be sent.
func (s *Session) Agreed() bool { return s.codec >= 0 }

// Codec returns the codec of a kind of frame. HELLO, HELLO_ACK, ERROR and CANCEL are always JSON, because they must be
// readable whatever was agreed, and before anything is.
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

// Narrow puts a stricter form of the profile in force, one that suits the configuration. Both sides derive it from the
// same configuration. Narrow must be called before CONFIG_OK.
func (s *Session) Narrow(p *syncproto.Profile) error {
	if p == nil {
		return errors.New("session: no profile")
	}
	return s.m.Narrow(p)
}

// Timer identifies the wait that is running. A driver restarts its clock whenever Timer returns another value than
// before. So each frame of the peer extends the wait for the next one, but no frame extends the wait for the greeting,
// the configuration, the execution or the end. A child that has sent EXEC waits without limit for room to report that
// the execution failed: if it closed its end instead, the parent would take that for success.
type Timer struct {
	Wait syncproto.Wait
	mark uint32
}

// Timer returns the wait that is running.
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

// mustTell reports whether this is a child that has sent EXEC and is still here, so that the execution has failed.
func (s *Session) mustTell() bool {
	return s.Role() == syncproto.Child && s.m.State() == syncproto.Committed
}

// Over reports whether the conversation has ended: Verdict is final.
func (s *Session) Over() bool { return s.stage == over }

// Reading reports whether reading makes sense: the conversation has not ended, and neither has the input.
func (s *Session) Reading() bool { return !s.readDone && s.stage != over }

// Live reports whether the outcome is still open.
func (s *Session) Live() bool { return s.stage == live }

// Told reports whether this side's last word, ERROR or CANCEL, was sent completely.
func (s *Session) Told() bool { return s.told }

// Verdict returns how the conversation ended. Its Outcome is Undecided while the conversation goes on. Until Over,
// further frames of the peer may change it.
func (s *Session) Verdict() syncproto.Verdict {
	if s.verdict.Outcome == syncproto.Undecided {
		return s.m.Verdict()
	}
	return s.verdict
}
