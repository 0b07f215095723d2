package syncproto

// Outcome is how a conversation ended. A greater value outranks a lesser one: an error that the peer reported outranks
// what was observed of the peer's end.
type Outcome uint8

// The outcomes, from the lowest rank to the highest.
const (
	Undecided  Outcome = iota // the conversation goes on
	Success                   // EXEC, then end of file
	Died                      // end of file anywhere else
	Broken                    // reading or writing failed for an unknown reason
	TimedOut                  // a deadline passed
	Cancelled                 // this side's caller gave up
	Violated                  // the peer broke the protocol
	LocalError                // this side reported an error
	PeerError                 // the peer reported an error
)

var outcomeNames = [...]string{"undecided", "success", "died", "broken", "timed out", "cancelled", "violated",
	"local error", "peer error"}

// String returns the outcome in a word or two.
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
	State   State  // the final state; for a failure, the last one before Failed
	Phase   string // the profile's phase at that time; empty before Configured
	Request string // the request that waited for its reply then; empty for none
}

// EndOfFile tells the machine that the peer will send nothing more. After EXEC that is success; anywhere else the
// outcome is Died, unless a better reason is known.
func (m *Machine) EndOfFile() Verdict {
	if m.state == Committed && m.role == Parent {
		m.state, m.outcome = Closed, Success
		return m.Verdict()
	}
	m.Fail(Died)
	return m.Verdict()
}

// Fail tells the machine why the conversation is over for this side. A reason of a higher rank replaces one of a lower
// rank; among reasons of the same rank the first one stands. So an I/O error or a deadline never hides the reported
// error that caused it. Success is final.
func (m *Machine) Fail(why Outcome) {
	if m.state == Closed || why <= Success {
		return
	}
	if m.state != Failed {
		m.failed, m.state = m.state, Failed
	}
	m.outcome = max(m.outcome, why)
}

// Verdict returns how the conversation ended. Its Outcome is Undecided while the conversation goes on.
func (m *Machine) Verdict() Verdict {
	v := Verdict{Outcome: m.outcome, State: m.state}
	if m.state == Failed {
		v.State = m.failed
	}
	if v.State >= Configured {
		v.Phase = m.profile.Phases[m.phase].Name
		if m.pending >= 0 {
			v.Request = m.pendingRow().Request
		}
	}
	return v
}

// State returns the current state.
func (m *Machine) State() State { return m.state }

// Role returns the side whose machine this is.
func (m *Machine) Role() Role { return m.role }

// Phase returns the name of the profile's current phase; it is empty before Configured.
func (m *Machine) Phase() string { return m.Verdict().Phase }

// Limits returns the limits in force: this side's own until Agree, the lower of both sides' after it.
func (m *Machine) Limits() Limits { return m.limits }

// Pending returns the name of the request that waits for its reply, or the empty string.
func (m *Machine) Pending() string { return m.Verdict().Request }

// ReplyName returns the name that the reply to the pending request must have. It is empty if no request is pending.
func (m *Machine) ReplyName() string {
	if m.state != Configured || m.pending < 0 {
		return ""
	}
	return m.pendingRow().Reply
}

// Cancelled reports whether CANCEL has passed.
func (m *Machine) Cancelled() bool { return m.cancelled }

// Offer records how many codecs HELLO offers. If it offers exactly one, CONFIG may follow at once.
func (m *Machine) Offer(codecs int) { m.oneCodec = codecs == 1 }

// Agree puts the limits in force that both sides keep to. The parent calls it with the limits of HELLO_ACK, the child
// with those of HELLO.
func (m *Machine) Agree(peer Limits) error {
	l := m.limits.Meet(peer)
	if err := l.Validate(); err != nil {
		return err
	}
	m.limits = l
	return nil
}

// Narrow replaces the profile by a stricter form of it that suits the configuration (Profile.Require, Profile.Forbid).
// Both sides derive the stricter form from the same CONFIG. Narrow must be called before CONFIG_OK.
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

// Wait is what a side is waiting for, which determines its deadline.
type Wait uint8

// The things that a side can wait for.
const (
	WaitNothing Wait = iota // the conversation is over
	WaitHello               // parent: HELLO_ACK; child: HELLO
	WaitConfig              // parent: CONFIG_OK; child: the rest of CONFIG
	WaitPeer                // the peer's next frame
	WaitSelf                // this side's own next frame
	WaitEnd                 // parent: end of file after EXEC
	WaitTold                // this side's final ERROR or CANCEL to be sent
	WaitGrace               // further frames of the peer after the outcome is known
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

// Waiting returns what this side is waiting for. It depends on the state alone.
func (m *Machine) Waiting() Wait {
	switch m.state {
	case Opened, Greeted:
		return WaitHello
	case Agreed:
		return WaitConfig
	case Configured:
		requester := m.profile.Phases[m.phase].Requester
		if (m.pending >= 0) == (requester == m.role) {
			return WaitPeer
		}
		return WaitSelf
	case Committed:
		return WaitEnd
	}
	return WaitNothing
}
