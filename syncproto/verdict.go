package syncproto

// Outcome is how a conversation ended. Greater values outrank lesser ones: what a peer reported outranks what was seen
// of its end.
type Outcome uint8

// The outcomes, in rising rank.
const (
	Undecided  Outcome = iota // not ended
	Success                   // EXEC, then end of file
	Died                      // end of file anywhere else
	Broken                    // reading or writing failed, and nothing said why
	TimedOut                  // a deadline passed
	Cancelled                 // this side's caller gave up
	Violated                  // the peer broke the protocol
	LocalError                // this side reported an error
	PeerError                 // the peer reported an error
)

var outcomeNames = [...]string{"undecided", "success", "died", "broken", "timed out", "cancelled", "violated",
	"local error", "peer error"}

// String is the outcome in a word or two.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "outcome"
}

func outcomeOfError(mine bool) Outcome {
	if mine {
		return LocalError
	}
	return PeerError
}

// Verdict is the end of a conversation as one side knows it.
type Verdict struct {
	Outcome Outcome
	State   State  // the state it ended in; for a failure, the last one before Failed
	Phase   string // the profile's phase then; empty before Configured
	Request string // the request that was unanswered then; empty for none
}

// EndOfFile tells the machine that the peer will send no more. After EXEC that is success; anywhere else the peer died,
// unless a better reason is known.
func (m *Machine) EndOfFile() Verdict {
	if m.state == Committed && m.role == Parent {
		m.state, m.outcome = Closed, Success
		return m.Verdict()
	}
	m.Fail(Died)
	return m.Verdict()
}

// Fail tells the machine why the conversation is over for this side. The first reason of a rank stands, a higher rank
// replaces a lower one: an error that the peer reported is never hidden by an I/O error or a deadline that came of it.
// Success is final.
func (m *Machine) Fail(why Outcome) {
	if m.state == Closed || why <= Success {
		return
	}
	if m.state != Failed {
		m.failed, m.state = m.state, Failed
	}
	m.outcome = max(m.outcome, why)
}

// Verdict is how the conversation ended; its Outcome is Undecided while it goes on.
func (m *Machine) Verdict() Verdict {
	v := Verdict{Outcome: m.outcome, State: m.state}
	if m.state == Failed {
		v.State = m.failed
	}
	if v.State >= Configured {
		v.Phase = m.profile.Phases[m.phase].Name
		if m.pending >= 0 {
			v.Request = m.row().Request
		}
	}
	return v
}

// State is how far the conversation has come.
func (m *Machine) State() State { return m.state }

// Role is whose machine it is.
func (m *Machine) Role() Role { return m.role }

// Phase is the profile's phase by name; empty before Configured.
func (m *Machine) Phase() string { return m.Verdict().Phase }

// Limits are those in force: this side's own until Agree, the lower of both after it.
func (m *Machine) Limits() Limits { return m.limits }

// Pending is the name of the request that waits for an answer; empty for none.
func (m *Machine) Pending() string { return m.Verdict().Request }

// Answer is the name that the reply to the pending request must have; empty where none is pending.
func (m *Machine) Answer() string {
	if m.state != Configured || m.pending < 0 {
		return ""
	}
	return m.row().Reply
}

// Cancelled reports whether CANCEL has passed.
func (m *Machine) Cancelled() bool { return m.cancelled }

// Offer notes how many codecs HELLO offers; with a single one CONFIG may follow it at once.
func (m *Machine) Offer(codecs int) { m.oneCodec = codecs == 1 }

// Agree puts the limits in force that both sides hold to. The parent calls it with what HELLO_ACK says, the child with
// what HELLO says.
func (m *Machine) Agree(peer Limits) error {
	l := m.limits.Meet(peer)
	if err := l.Validate(); err != nil {
		return err
	}
	m.limits = l
	return nil
}

// Narrow replaces the profile by a stricter form of it, as the configuration asks for (Profile.Require,
// Profile.Forbid). Both sides derive it from the same CONFIG; it must happen before CONFIG_OK.
func (m *Machine) Narrow(p *Profile) error {
	if err := p.valid(); err != nil {
		return err
	}
	if m.state >= Configured || p.Name != m.profile.Name {
		return &ProtocolError{Code: CodeProfile, State: m.state, Text: "the profile can be narrowed only to its own name, " +
			"and only before CONFIG_OK"}
	}
	m.profile = p
	return nil
}

// Wait is what a side waits for, and so which deadline runs.
type Wait uint8

// The waits.
const (
	WaitNothing Wait = iota // the conversation is over
	WaitHello               // parent: HELLO_ACK; child: HELLO
	WaitConfig              // parent: CONFIG_OK; child: the rest of CONFIG
	WaitPeer                // the peer's next frame
	WaitSelf                // this side's own next frame
	WaitEnd                 // parent: end of file after EXEC
	WaitTold                // this side's last word to leave
	WaitGrace               // what the peer still says after the end is known
)

var waitNames = [...]string{"nothing", "the greeting", "the configuration to arrive", "the peer", "this side",
	"the execution", "the last word to leave", "the peer's last words"}

// String names the wait for an error: "timed out waiting for the greeting".
func (w Wait) String() string {
	if int(w) < len(waitNames) {
		return waitNames[w]
	}
	return "wait"
}

// Waiting says which deadline runs now. It follows from the state alone.
func (m *Machine) Waiting() Wait {
	switch m.state {
	case Opened, Greeted:
		return WaitHello
	case Agreed:
		return WaitConfig
	case Configured:
		asker := m.profile.Phases[m.phase].Asker
		if (m.pending >= 0) == (asker == m.role) {
			return WaitPeer
		}
		return WaitSelf
	case Committed:
		return WaitEnd
	}
	return WaitNothing
}
