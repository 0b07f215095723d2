package syncproto

import "strconv"

// maxRows is the most requests that one phase may have.
const maxRows = 32

// Machine is one side's view of one conversation: what has passed, what may pass now, and how it ended. It does no I/O,
// has no clock, starts nothing and is not safe for use by two goroutines at once. Both roles run the same code on the
// same tables; only the method tells who sends.
//
// Its caller asks before it sends (Send), before it reads a frame's payload (Admit) and once the payload is decoded
// (Receive), and tells it of the end (EndOfFile, Fail). Every refusal is a *ProtocolError that says the state, what
// came and what could have come.
//
// A Machine is a plain value: a copy goes on separately, which is how the model check walks every interleaving of two
// of them.
type Machine struct {
	role    Role
	profile *Profile
	limits  Limits

	state   State
	phase   int8      // index of the profile's phase, meaningful in Configured and later
	seq     [2]uint16 // frames sent by each role
	notes   uint16
	outcome Outcome
	failed  State // the state in which the conversation failed

	config     uint32 // bytes of CONFIG so far
	configSeq  uint16 // seq of the last fragment
	configDone bool
	oneCodec   bool // HELLO offered a single codec, so CONFIG may follow at once
	cancelled  bool // CANCEL has passed

	pending    int8 // row of the request that waits for its answer; -1: none
	pendingSeq uint16
	counts     [maxRows]uint16 // how often each row was asked since the phase was entered
	answered   [maxRows]uint16 // and how often it was answered with its reply: a refusal is no answer
}

// NewMachine is a machine for one role of a conversation by a profile, under this side's own limits. It refuses a
// profile or limits that are not valid.
func NewMachine(role Role, p *Profile, l Limits) (*Machine, error) {
	if err := p.valid(); err != nil {
		return nil, err
	}
	if err := l.Validate(); err != nil {
		return nil, err
	}
	return &Machine{role: role, profile: p, limits: l.WithDefaults(), pending: -1}, nil
}

// Frame is what the machine must know of a frame. Size is the payload's length, Name the request's or reply's (empty
// for other kinds).
type Frame struct {
	Kind Kind
	Name string
	More bool // a fragment of CONFIG that is not the last
	FDs  int
	Size int
	Fail bool // ERROR only: the answer to the pending request, not the end of the conversation
}

// Send decides whether this side may send f now. If so the frame counts as sent and its header is returned; if not,
// nothing has changed and nothing may leave.
func (m *Machine) Send(f Frame) (Header, error) {
	h := Header{Kind: f.Kind, NFDs: uint8(min(f.FDs, MaxFDs)), Seq: m.seq[m.role] + 1, Length: uint32(max(f.Size, 0))}
	if f.FDs < 0 || f.FDs > MaxFDs || f.Size < 0 || int64(f.Size) > MaxConfig {
		return Header{}, m.refuse(CodeLimit, m.role, f.Kind, strconv.Itoa(f.FDs)+" descriptors and "+strconv.Itoa(f.Size)+
			" bytes do not fit a frame")
	}
	if f.More {
		h.Flags |= FlagMore
	}
	h.Re = m.answers(f)
	if err := h.check(0); err != nil {
		return Header{}, err
	}
	if m.state == Failed || m.state == Closed {
		return Header{}, m.refuse(CodeState, m.role, f.Kind, "the conversation is over")
	}
	if f.Fail && (f.Kind != KindError || m.pending < 0) {
		// with Re zero it would end the conversation
		return Header{}, m.refuse(CodeState, m.role, f.Kind, "answers a request, but none is unanswered")
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

// Skip counts a frame of a side that was not taken in: one that was refused after its header had been read, or that
// left although the conversation ended meanwhile. What follows it is in order.
func (m *Machine) Skip(sender Role) { m.seq[sender]++ }

// Passed is another number whenever a frame has passed since.
func (m *Machine) Passed() uint32 { return uint32(m.seq[Parent])<<16 | uint32(m.seq[Child]) }

// answers is the sequence number that a frame of this side refers to.
func (m *Machine) answers(f Frame) uint16 {
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

// Admit judges a frame of the peer by its header alone, before a byte of the payload is read or kept: order, limits,
// descriptors, and whether such a frame may come now. It changes nothing. After an error the conversation is over and
// the caller says so with Fail.
func (m *Machine) Admit(h Header) error { return m.admit(m.role.Peer(), h) }

// Receive takes in a frame of the peer whose payload is decoded; name is the request's or reply's. After an error the
// conversation is over and the caller says so with Fail.
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

// admit is the part of the judgement that needs no payload.
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
		// skippable (Header.check lets no other through), or over: what still comes is taken off the queue for the sake of an
		// ERROR behind it
		return nil
	}
	if _, ok := m.rule(sender, h.Kind); !ok {
		return m.refuse(CodeState, sender, h.Kind, "not in this state")
	}
	return m.admitFDs(sender, h)
}

// admitFDs refuses descriptors where no row could allow so many, so that a flood of them is closed unread.
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
			most = m.row().ReplyFDs.Max
		}
	}
	if h.NFDs > most {
		return m.refuse(CodeDescriptors, sender, h.Kind, strconv.Itoa(int(h.NFDs))+" descriptors, at most "+
			strconv.Itoa(int(most))+" may come with it")
	}
	return nil
}

// rule is the row of the table for a frame. What the parent said before it read EXEC may cross it, so a child that
// still reads then, because a frame of its own finds no room, takes a CANCEL or an ERROR for what it is. A parent that
// has read EXEC says neither.
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

func (m *Machine) row() *Row { return &m.profile.Phases[m.phase].Rows[m.pending] }

// step carries a frame out. It does not know which role it runs in.
func (m *Machine) step(sender Role, h Header, name string) error {
	if m.state == Failed || !h.Kind.known() {
		m.seq[sender]++
		return nil
	}
	to, _ := m.rule(sender, h.Kind)
	var err error
	switch h.Kind {
	case KindHelloAck:
		err = m.wantRe(sender, h, 1)
	case KindConfig:
		err = m.stepConfig(sender, h)
	case KindConfigOK:
		if !m.configDone {
			return m.refuse(CodeState, sender, h.Kind, "CONFIG is not complete")
		}
		err = m.wantRe(sender, h, m.configSeq)
	case KindRequest:
		err = m.stepRequest(sender, h, name)
	case KindReply:
		err = m.stepReply(sender, h, name)
	case KindNote:
		if m.notes++; m.notes > m.limits.Notes {
			return m.refuse(CodeLimit, sender, h.Kind, "more than "+strconv.Itoa(int(m.limits.Notes))+" notes")
		}
		err = m.wantRe(sender, h, 0)
	case KindError:
		to, err = m.stepError(sender, h, to)
	case KindExec:
		err = m.stepExec(sender, h)
	case KindCancel:
		m.cancelled = true
		err = m.wantRe(sender, h, 0)
	case KindHello:
		err = m.wantRe(sender, h, 0)
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

func (m *Machine) wantRe(sender Role, h Header, re uint16) error {
	if h.Re == re {
		return nil
	}
	return m.refuse(CodeFrame, sender, h.Kind, "answers frame "+strconv.Itoa(int(h.Re))+", want "+strconv.Itoa(int(re)))
}

func (m *Machine) stepConfig(sender Role, h Header) error {
	if m.configDone {
		return m.refuse(CodeState, sender, h.Kind, "CONFIG is already complete")
	}
	if m.state == Greeted && !m.oneCodec {
		return m.refuse(CodeState, sender, h.Kind, "HELLO offered more than one codec, so CONFIG comes after HELLO_ACK")
	}
	if m.configSeq == 0 && !m.profile.ConfigFDs.holds(int(h.NFDs)) {
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
	return m.wantRe(sender, h, 0)
}

func (m *Machine) stepRequest(sender Role, h Header, name string) error {
	ph := &m.profile.Phases[m.phase]
	switch i := ph.row(name); {
	case ph.Asker != sender:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+": the "+ph.Asker.String()+" asks in phase "+
			strconv.Quote(ph.Name))
	case m.pending >= 0:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" while "+strconv.Quote(m.row().Request)+
			" is unanswered")
	case i < 0:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" is not among "+ph.requests())
	case ph.Rows[i].Max != 0 && m.counts[i] >= ph.Rows[i].Max:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" more than "+strconv.Itoa(int(ph.Rows[i].Max))+
			" times")
	case !ph.Rows[i].RequestFDs.holds(int(h.NFDs)):
		return m.refuse(CodeDescriptors, sender, h.Kind, strconv.Quote(name)+" with "+strconv.Itoa(int(h.NFDs))+
			" descriptors, want "+ph.Rows[i].RequestFDs.String())
	default:
		if missing := m.missing(i); ph.Rows[i].Next != "" && missing != "" {
			return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" leaves the phase, but "+strconv.Quote(missing)+
				" is required first")
		}
		m.counts[i]++
		m.pending, m.pendingSeq = int8(i), h.Seq
		return m.wantRe(sender, h, 0)
	}
}

// missing is the first required row of the phase that was not answered often enough, but for the row except; empty if
// there is none.
func (m *Machine) missing(except int) string {
	for i, r := range m.profile.Phases[m.phase].Rows {
		if i != except && m.answered[i] < r.Min {
			return r.Request
		}
	}
	return ""
}

func (m *Machine) stepReply(sender Role, h Header, name string) error {
	asker := m.profile.Phases[m.phase].Asker
	switch {
	case m.pending < 0 || sender == asker:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+" without a request")
	case name != m.row().Reply:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(name)+", want "+strconv.Quote(m.row().Reply))
	case !m.row().ReplyFDs.holds(int(h.NFDs)):
		return m.refuse(CodeDescriptors, sender, h.Kind, strconv.Quote(name)+" with "+strconv.Itoa(int(h.NFDs))+
			" descriptors, want "+m.row().ReplyFDs.String())
	}
	if err := m.wantRe(sender, h, m.pendingSeq); err != nil {
		return err
	}
	m.answered[m.pending]++
	if next := m.row().Next; next != "" {
		m.phase = int8(m.profile.phase(next))
		m.counts, m.answered = [maxRows]uint16{}, [maxRows]uint16{}
	}
	m.pending = -1
	return nil
}

func (m *Machine) stepError(sender Role, h Header, to State) (State, error) {
	if h.Re == 0 {
		return to, nil
	}
	if m.state != Configured || m.pending < 0 || h.Re != m.pendingSeq || sender == m.profile.Phases[m.phase].Asker {
		return to, m.refuse(CodeFrame, sender, h.Kind, "answers frame "+strconv.Itoa(int(h.Re))+
			", which is no open request of the other side")
	}
	m.pending = -1
	return Configured, nil
}

func (m *Machine) stepExec(sender Role, h Header) error {
	ph := &m.profile.Phases[m.phase]
	switch missing := m.missing(-1); {
	case !ph.Commit:
		return m.refuse(CodeState, sender, h.Kind, "phase "+strconv.Quote(ph.Name)+" does not commit")
	case m.pending >= 0:
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(m.row().Request)+" is unanswered")
	case missing != "":
		return m.refuse(CodeState, sender, h.Kind, strconv.Quote(missing)+" is required first")
	}
	return m.wantRe(sender, h, 0)
}

// Known is name as the profile spells it, if it is a request of the present phase or the answer to the pending one, and
// empty otherwise: a decoder then need not make a string of its own.
func (m *Machine) Known(name []byte) string {
	if m.state != Configured {
		return ""
	}
	for i := range m.profile.Phases[m.phase].Rows {
		if r := &m.profile.Phases[m.phase].Rows[i]; r.Request == string(name) {
			return r.Request
		}
	}
	if m.pending >= 0 && m.row().Reply == string(name) {
		return m.row().Reply
	}
	return ""
}

// requests lists a phase's requests for an error.
func (ph *Phase) requests() string {
	s := ""
	for _, r := range ph.Rows {
		s += " " + strconv.Quote(r.Request)
	}
	if s == "" {
		return "the requests of phase " + strconv.Quote(ph.Name) + ", which has none"
	}
	return "the requests of phase " + strconv.Quote(ph.Name) + ":" + s
}
