package syncproto

import "strconv"

// maxRows is the maximum number of rows in a phase.
const maxRows = 32

// Machine is one side's view of one conversation: which frames have passed, which may pass now, and how it ended. It
// does no I/O, has no clock, starts no goroutine, and is not safe for concurrent use. Both roles run the same code on
// the same tables; only the method called says which side sent a frame.
//
// Call Send before sending a frame, Admit before reading the payload of a received one, Receive once that payload is
// decoded, and EndOfFile or Fail when the conversation ends. Every refusal is a *ProtocolError that names the state,
// the frame and what was expected.
//
// A Machine is a plain value: a copy is independent of the original. The model check relies on this to walk every
// interleaving of two machines.
type Machine struct {
	role    Role
	profile *Profile
	limits  Limits

	state   State
	phase   int8      // index of the profile's phase; valid from Configured on
	seq     [2]uint16 // frames sent by each role
	notes   uint16
	outcome Outcome
	failed  State // the last state before Failed

	config     uint32 // bytes of CONFIG so far
	configSeq  uint16 // seq of the last fragment
	configDone bool
	oneCodec   bool // HELLO offered a single codec, so CONFIG may follow at once
	cancelled  bool // CANCEL has passed

	pending    int8 // row of the request that waits for its reply; -1: none
	pendingSeq uint16
	requested  [maxRows]uint16 // requests of each row since the phase was entered
	replied    [maxRows]uint16 // replies to each row's requests; a refusal does not count
}

// NewMachine returns a machine for one role of a conversation by profile p, with this side's own limits. It returns an
// error if the profile or the limits are not valid.
func NewMachine(role Role, p *Profile, l Limits) (*Machine, error) {
	if err := p.valid(); err != nil {
		return nil, err
	}
	if err := l.Validate(); err != nil {
		return nil, err
	}
	return &Machine{role: role, profile: p, limits: l.WithDefaults(), pending: -1}, nil
}

// Frame holds what the machine needs to know about a frame to be sent. Size is the length of the payload; Name is the
// name of the request or reply, empty for other kinds.
type Frame struct {
	Kind Kind
	Name string
	More bool // a fragment of CONFIG that is not the last
	FDs  int
	Size int
	Fail bool // ERROR only: refuses the pending request; the conversation goes on
}

// Send decides whether this side may send f now. If so, the frame counts as sent and Send returns its header. Otherwise
// the machine is unchanged and the frame must not be sent.
func (m *Machine) Send(f Frame) (Header, error) {
	h := Header{Kind: f.Kind, NFDs: uint8(min(f.FDs, MaxFDs)), Seq: m.seq[m.role] + 1, Length: uint32(max(f.Size, 0))}
	if f.FDs < 0 || f.FDs > MaxFDs || f.Size < 0 || int64(f.Size) > MaxConfig {
		return Header{}, m.refuse(CodeLimit, m.role, f.Kind, strconv.Itoa(f.FDs)+" descriptors and "+strconv.Itoa(f.Size)+
			" bytes do not fit a frame")
	}
	if f.More {
		h.Flags |= FlagMore
	}
	h.Re = m.inReplyTo(f)
	if err := h.check(0); err != nil {
		return Header{}, err
	}
	if m.state == Failed || m.state == Closed {
		return Header{}, m.refuse(CodeState, m.role, f.Kind, "the conversation is over")
	}
	if f.Fail && (f.Kind != KindError || m.pending < 0) {
		// with a zero Re it would end the conversation
		return Header{}, m.refuse(CodeState, m.role, f.Kind, "refuses a request, but no request waits for its reply")
	}
	next := *m
	if err := next.admit(m.role, h); err != nil {
		return Header{}, err
	}
	if err := next.step(m.role, h, f.Name); err != nil {
		return Header{}, err
	}
	*m = next
	return h, nil
}

// Skip counts a frame that the machine did not process: one that was refused after its header had been read, or one
// that was sent although the conversation had ended meanwhile. It keeps the sequence numbers of later frames in order.
func (m *Machine) Skip(sender Role) { m.seq[sender]++ }

// Passed returns a number that changes whenever a frame passes in either direction.
func (m *Machine) Passed() uint32 { return uint32(m.seq[Parent])<<16 | uint32(m.seq[Child]) }

// inReplyTo returns the Re of a frame that this side sends: the sequence number of the peer's frame that f replies to.
func (m *Machine) inReplyTo(f Frame) uint16 {
	switch f.Kind {
	case KindHelloAck:
		return 1
	case KindConfigOK:
		return m.configSeq
	case KindReply:
		return m.pendingSeq
	case KindError:
		if f.Fail {
			return m.pendingSeq
		}
	}
	return 0
}

// Admit judges a frame of the peer by its header alone, before any of the payload is read or stored: its sequence
// number, its limits, its descriptors, and whether such a frame is legal now. It does not change the machine. After an
// error the conversation is over, and the caller must call Fail.
func (m *Machine) Admit(h Header) error { return m.admit(m.role.Peer(), h) }

// Receive processes a frame of the peer whose payload has been decoded; name is the name of the request or reply. After
// an error the conversation is over, and the caller must call Fail.
func (m *Machine) Receive(h Header, name string) error {
	sender := m.role.Peer()
	if err := m.admit(sender, h); err != nil {
		return err
	}
	next := *m
	if err := next.step(sender, h, name); err != nil {
		return err
	}
	*m = next
	return nil
}

// admit makes every check that does not need the payload.
func (m *Machine) admit(sender Role, h Header) error {
	if h.Seq != m.seq[sender]+1 {
		return m.refuse(CodeFrame, sender, h.Kind, "sequence number "+strconv.Itoa(int(h.Seq))+", want "+
			strconv.Itoa(int(m.seq[sender])+1))
	}
	if h.Seq > m.limits.Frames {
		return m.refuse(CodeLimit, sender, h.Kind, "more than "+strconv.Itoa(int(m.limits.Frames))+" frames")
	}
	if err := m.limits.Check(h); err != nil {
		return err
	}
	if !h.Kind.known() || m.state == Failed {
		// Either the kind is skippable (Header.check lets no other unknown kind through), or the conversation is over and
		// frames are only read because an ERROR may follow them.
		return nil
	}
	if _, ok := m.rule(sender, h.Kind); !ok {
		return m.refuse(CodeState, sender, h.Kind, "not in this state")
	}
	return m.admitFDs(sender, h)
}

// admitFDs refuses a frame with more descriptors than any row allows here, so that a flood of them is closed without
// reading the payload.
func (m *Machine) admitFDs(sender Role, h Header) error {
	var most uint8
	switch h.Kind {
	case KindConfig:
		if m.config == 0 && m.configSeq == 0 {
			most = m.profile.ConfigFDs.Max
		}
	case KindRequest:
		for _, r := range m.profile.Phases[m.phase].Rows {
			most = max(most, r.RequestFDs.Max)
		}
	case KindReply:
		if m.pending >= 0 {
			most = m.pendingRow().ReplyFDs.Max
		}
	}
	if h.NFDs > most {
		return m.refuse(CodeDescriptors, sender, h.Kind, strconv.Itoa(int(h.NFDs))+" descriptors, at most "+
			strconv.Itoa(int(most))+" may come with it")
	}
	return nil
}

// rule looks up the row of the table for a frame. A parent may have sent CANCEL or ERROR before it read the child's
// EXEC, so a child may still read one of them after EXEC (it reads when its own frame finds no room). The parent sends
// neither once it has read EXEC.
func (m *Machine) rule(sender Role, k Kind) (to State, ok bool) {
	if m.state == Committed && sender == Parent && m.role == Child {
		switch k {
		case KindCancel:
			return Committed, true
		case KindError:
			return Failed, true
		}
	}
	return rule(m.state, sender, k)
}

func (m *Machine) pendingRow() *Row { return &m.profile.Phases[m.phase].Rows[m.pending] }

// step applies a frame to the state. It does not know which role it runs in.
func (m *Machine) step(sender Role, h Header, name string) error {
	if m.state == Failed || !h.Kind.known() {
		m.seq[sender]++
		return nil
	}
	to, _ := m.rule(sender, h.Kind)
	var err error
	switch h.Kind {
	case KindHelloAck:
		err = m.checkRe(sender, h, 1)
	case KindConfig:
		err = m.stepConfig(sender, h)
	case KindConfigOK:
		if !m.configDone {
			return m.refuse(CodeState, sender, h.Kind, "CONFIG is not complete")
		}
		err = m.checkRe(sender, h, m.configSeq)
	case KindRequest:
		err = m.stepRequest(sender, h, name)
	case KindReply:
		err = m.stepReply(sender, h, name)
	case KindNote:
		if m.notes++; m.notes > m.limits.Notes {
			return m.refuse(CodeLimit, sender, h.Kind, "more than "+strconv.Itoa(int(m.limits.Notes))+" notes")
		}
		err = m.checkRe(sender, h, 0)
	case KindError:
		to, err = m.stepError(sender, h, to)
	case KindExec:
		err = m.stepExec(sender, h)
	case KindCancel:
		m.cancelled = true
		err = m.checkRe(sender, h, 0)
	case KindHello:
		err = m.checkRe(sender, h, 0)
	}
	if err != nil {
		return err
	}
	m.seq[sender]++
	if to == Failed && m.state != Failed {
		m.failed = m.state
		m.outcome = max(m.outcome, outcomeOfError(sender == m.role))
	}
	m.state = to
	return nil
}

// checkRe checks that a frame refers to the frame numbered re.
func (m *Machine) checkRe(sender Role, h Header, re uint16) error {
	if h.Re == re {
		return nil
	}
	return m.refuse(CodeFrame, sender, h.Kind, "re is "+strconv.Itoa(int(h.Re))+", want "+strconv.Itoa(int(re)))
}

func (m *Machine) stepConfig(sender Role, h Header) error {
	if m.configDone {
		return m.refuse(CodeState, sender, h.Kind, "CONFIG is already complete")
	}
	if m.state == Greeted && !m.oneCodec {
		return m.refuse(CodeState, sender, h.Kind, "HELLO offered more than one codec, so CONFIG comes after HELLO_ACK")
	}
	if m.configSeq == 0 && !m.profile.ConfigFDs.allows(int(h.NFDs)) {
		return m.refuse(CodeDescriptors, sender, h.Kind, strconv.Itoa(int(h.NFDs))+" descriptors, want "+
			m.profile.ConfigFDs.String())
	}
	if h.More() && h.Length == 0 {
		return m.refuse(CodeFrame, sender, h.Kind, "a fragment that is not the last is empty")
	}
	if m.config += h.Length; m.config > m.limits.Config {
		return m.refuse(CodeLimit, sender, h.Kind, "configuration of "+utoa(m.config)+" bytes and more is over its limit of "+
			utoa(m.limits.Config))
	}
	m.configSeq, m.configDone = h.Seq, !h.More()
	return m.checkRe(sender, h, 0)
}

func (m *Machine) stepRequest(sender Role, h Header, name string) error {
	ph := &m.profile.Phases[m.phase]
	switch i := ph.rowIndex(name); {
	case ph.Requester != sender:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+": in phase "+strconv.Quote(ph.Name)+
			" the "+ph.Requester.String()+" makes the requests")
	case m.pending >= 0:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" while "+strconv.Quote(m.pendingRow().Request)+
			" waits for its reply")
	case i < 0:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" is not among "+ph.describeRequests())
	case ph.Rows[i].Max != 0 && m.requested[i] >= ph.Rows[i].Max:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" more than "+strconv.Itoa(int(ph.Rows[i].Max))+
			" times")
	case !ph.Rows[i].RequestFDs.allows(int(h.NFDs)):
		return m.refuse(CodeDescriptors, sender, h.Kind, strconv.Quote(name)+" with "+strconv.Itoa(int(h.NFDs))+
			" descriptors, want "+ph.Rows[i].RequestFDs.String())
	default:
		if missing := m.missingRequest(i); ph.Rows[i].Next != "" && missing != "" {
			return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" leaves the phase, but "+strconv.Quote(missing)+
				" is required first")
		}
		m.requested[i]++
		m.pending, m.pendingSeq = int8(i), h.Seq
		return m.checkRe(sender, h, 0)
	}
}

// missingRequest returns the first required request of the phase that has not had enough replies, or the empty string.
// The row with index except is not considered.
func (m *Machine) missingRequest(except int) string {
	for i, r := range m.profile.Phases[m.phase].Rows {
		if i != except && m.replied[i] < r.Min {
			return r.Request
		}
	}
	return ""
}

func (m *Machine) stepReply(sender Role, h Header, name string) error {
	requester := m.profile.Phases[m.phase].Requester
	switch {
	case m.pending < 0 || sender == requester:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" without a request")
	case name != m.pendingRow().Reply:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+", want "+strconv.Quote(m.pendingRow().Reply))
	case !m.pendingRow().ReplyFDs.allows(int(h.NFDs)):
		return m.refuse(CodeDescriptors, sender, h.Kind, strconv.Quote(name)+" with "+strconv.Itoa(int(h.NFDs))+
			" descriptors, want "+m.pendingRow().ReplyFDs.String())
	}
	if err := m.checkRe(sender, h, m.pendingSeq); err != nil {
		return err
	}
	m.replied[m.pending]++
	if next := m.pendingRow().Next; next != "" {
		m.phase = int8(m.profile.phaseIndex(next))
		m.requested, m.replied = [maxRows]uint16{}, [maxRows]uint16{}
	}
	m.pending = -1
	return nil
}

func (m *Machine) stepError(sender Role, h Header, to State) (State, error) {
	if h.Re == 0 {
		return to, nil
	}
	if m.state != Configured || m.pending < 0 || h.Re != m.pendingSeq || sender == m.profile.Phases[m.phase].Requester {
		return to, m.refuse(CodeFrame, sender, h.Kind, "re is "+strconv.Itoa(int(h.Re))+
			", which is not the pending request of the other side")
	}
	m.pending = -1
	return Configured, nil
}

func (m *Machine) stepExec(sender Role, h Header) error {
	ph := &m.profile.Phases[m.phase]
	switch missing := m.missingRequest(-1); {
	case !ph.Commit:
		return m.refuse(CodeState, sender, h.Kind, "phase "+strconv.Quote(ph.Name)+" does not commit")
	case m.pending >= 0:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(m.pendingRow().Request)+" waits for its reply")
	case missing != "":
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(missing)+" is required first")
	}
	return m.checkRe(sender, h, 0)
}

// Known returns name as the profile spells it, if it is a request of the current phase or the reply to the pending one,
// and empty otherwise: a decoder then need not make a string of its own.
func (m *Machine) Known(name []byte) string {
	if m.state != Configured {
		return ""
	}
	for i := range m.profile.Phases[m.phase].Rows {
		if r := &m.profile.Phases[m.phase].Rows[i]; r.Request == string(name) {
			return r.Request
		}
	}
	if m.pending >= 0 && m.pendingRow().Reply == string(name) {
		return m.pendingRow().Reply
	}
	return ""
}

// requests lists a phase's requests for an error.
func (ph *Phase) describeRequests() string {
	s := ""
	for _, r := range ph.Rows {
		s += " " + strconv.Quote(r.Request)
	}
	if s == "" {
		return "the requests of phase " + strconv.Quote(ph.Name) + ", which has none"
	}
	return "the requests of phase " + strconv.Quote(ph.Name) + ":" + s
}
