package session

import (
	"errors"
	"strconv"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// EventKind is the type of an Event.
type EventKind uint8

// The events, and the fields of Event that each one fills.
const (
	Nothing   EventKind = iota // the frame concerns only the Session
	Greeted                    // child: HELLO was accepted; HELLO_ACK is due
	Agreed                     // parent: the child has chosen a codec
	Config                     // child: a fragment of the configuration; Bytes, Last
	Confirmed                  // parent: the configuration arrived complete
	Request                    // the peer's request; Name, Arg
	Reply                      // the reply to this side's request; Name, Arg
	Refused                    // the refusal of this side's request; the conversation goes on; Report
	Note                       // parent: a line for the log; Note
	Exec                       // parent: the child is about to execute
	Cancel                     // child: the parent tells it to stop; Text
	Error                      // the peer's last word; Report
)

// Event reports a received frame to the caller.
type Event struct {
	Kind   EventKind
	Name   string
	Arg    syncproto.Value
	Bytes  []byte // part of the frame's payload, and valid as long as that
	Last   bool
	Note   syncproto.Note
	Report syncproto.Report
	Text   string
}

// Admit judges a frame by its header, before the payload is read or stored. An error is a *syncproto.ProtocolError;
// after it the conversation is over, an ERROR is due (Due), and nothing more can be read.
func (s *Session) Admit(h syncproto.Header) error {
	if s.stage == over {
		return errOver
	}
	err := s.m.Admit(h)
	if err != nil {
		s.Violate(err)
	}
	return err
}

// Receive processes a frame that Admit accepted. An error is a violation by the peer: the conversation is over, and an
// ERROR is due (Due).
func (s *Session) Receive(h syncproto.Header, payload []byte) (Event, error) {
	if s.stage == over {
		return Event{}, nil
	}
	before := s.m.Passed()
	ev, err := s.handle(h, payload)
	if err != nil {
		return Event{}, s.refuse(h, err, before)
	}
	return s.filterEvent(ev), nil
}

// refuse ends the conversation because of a frame that was not processed.
func (s *Session) refuse(h syncproto.Header, err error, before uint32) error {
	var d *disagreement
	if errors.As(err, &d) {
		s.fail(syncproto.LocalError, syncproto.KindError, s.errorPayload(d.Code, d.Error()))
		return &d.ProtocolError
	}
	err = asViolation(err, h.Kind, s.Role().Peer(), s.m.Verdict())
	s.Violate(err)
	if s.m.Passed() == before {
		s.m.Skip(s.Role().Peer()) // an ERROR that explains it may follow
	}
	return err
}

// filterEvent returns the part of an event that concerns the caller: all of it until the outcome is known, and only
// what may still change the outcome after that.
func (s *Session) filterEvent(ev Event) Event {
	switch {
	case ev.Kind == Error:
		return ev
	case s.stage == live && s.gone && ev.Kind == Request:
		s.setVerdict(s.m.Verdict(), syncproto.Died) // the requester no longer exists
		s.stage = listening
		return Event{}
	case s.stage == live:
		return ev
	case ev.Kind == Cancel && s.stage == listening && s.verdict.Outcome == syncproto.Broken:
		s.verdict.Outcome = syncproto.Cancelled // this is why the parent has closed its end
		return ev
	}
	return Event{} // it was read only because an ERROR may follow
}

// disagreement is the child's error for a greeting that violates no rule but that the child cannot accept.
type disagreement struct{ syncproto.ProtocolError }

// handle decodes a frame and lets the machine process it.
func (s *Session) handle(h syncproto.Header, payload []byte) (ev Event, err error) {
	if s.m.State() == syncproto.Failed && h.Kind != syncproto.KindError {
		return ev, s.m.Receive(h, "")
	}
	switch h.Kind {
	case syncproto.KindRequest, syncproto.KindReply:
		return s.handleCall(h, payload)
	case syncproto.KindConfig:
		if err := s.m.Receive(h, ""); err != nil {
			return ev, err
		}
		return Event{Kind: Config, Bytes: payload, Last: !h.More()}, nil
	case syncproto.KindError:
		return s.handleError(h, payload)
	case syncproto.KindExec:
		if len(payload) > 0 {
			return ev, &syncproto.ProtocolError{Code: syncproto.CodeFrame, Text: "has a payload"}
		}
		return Event{Kind: Exec}, s.m.Receive(h, "")
	case syncproto.KindHello, syncproto.KindHelloAck, syncproto.KindConfigOK, syncproto.KindNote, syncproto.KindCancel:
		return s.handleBody(h, payload)
	}
	return ev, s.m.Receive(h, "") // skippable
}

// handleCall handles a REQUEST or REPLY. If the codec can decode a well-formed body without an intermediate Value, it
// does so.
func (s *Session) handleCall(h syncproto.Header, payload []byte) (Event, error) {
	kind := Request
	if h.Kind == syncproto.KindReply {
		kind = Reply
	}
	call := &s.set.in
	*call = syncproto.Call{}
	if err := codec.DecodeKnown(s.Codec(h.Kind), payload, call, s.m.Limits(), false, &s.m); err != nil {
		return Event{}, err
	}
	return Event{Kind: kind, Name: call.Name, Arg: call.Arg}, s.m.Receive(h, call.Name)
}

// handleBody handles a frame whose body the protocol itself defines.
func (s *Session) handleBody(h syncproto.Header, payload []byte) (ev Event, err error) {
	switch h.Kind {
	case syncproto.KindHello:
		return s.handleHello(h, payload)
	case syncproto.KindHelloAck:
		return s.handleHelloAck(h, payload)
	case syncproto.KindConfigOK:
		return s.handleConfigOK(h, payload)
	case syncproto.KindNote:
		ev.Kind = Note
		if err = decode(s, h, payload, &ev.Note, false); err == nil {
			err = ev.Note.Validate()
		}
		return ev, err
	}
	var c syncproto.Cancel
	err = decode(s, h, payload, &c, true)
	return Event{Kind: Cancel, Text: c.Reason}, err
}

// decode lets the machine process a frame and decodes its body into t. If the body is malformed, that error is returned
// even if the frame is not legal now. If the body is well-formed but does not fit T, the frame's illegality takes
// precedence.
func decode[T any](s *Session, h syncproto.Header, payload []byte, t *T, lenient bool) error {
	err := codec.Decode(s.Codec(h.Kind), payload, t, s.m.Limits(), lenient)
	var unfit *syncproto.BindError
	if err != nil && !errors.As(err, &unfit) {
		return err
	}
	if e := s.m.Receive(h, ""); e != nil {
		return e
	}
	return err
}

// handleHello is the child's half of the greeting: it accepts, and HELLO_ACK becomes due.
func (s *Session) handleHello(h syncproto.Header, payload []byte) (ev Event, err error) {
	var hello syncproto.Hello
	if err := decode(s, h, payload, &hello, true); err != nil {
		return ev, err
	}
	ack, err := hello.Acknowledge(s.set.Profile, s.set.codecNames(), s.set.Limits, s.set.PID)
	var p *syncproto.ProtocolError
	if errors.As(err, &p) {
		return ev, &disagreement{*p}
	} else if err != nil {
		return ev, err
	}
	s.m.Offer(len(hello.Codecs))
	s.greeting, s.codec = true, s.set.codecIndex(ack.Codec)
	// The limits are in force from HELLO_ACK on, which the child sends next, so it may agree now.
	return Event{Kind: Greeted}, s.m.Agree(hello.Limits)
}

func (s *Session) handleHelloAck(h syncproto.Header, payload []byte) (ev Event, err error) {
	var ack syncproto.HelloAck
	if err := decode(s, h, payload, &ack, true); err != nil {
		return ev, err
	}
	if err := s.hello().Check(ack); err != nil {
		return ev, err
	}
	s.codec = s.set.codecIndex(ack.Codec)
	return Event{Kind: Agreed}, s.m.Agree(ack.Limits)
}

// handleConfigOK compares the size and digest of what the child received with what was sent.
func (s *Session) handleConfigOK(h syncproto.Header, payload []byte) (ev Event, err error) {
	var ok syncproto.ConfigOK
	if err := decode(s, h, payload, &ok, true); err != nil {
		return ev, err
	}
	if ok.Digest != s.digest || ok.Size != s.size {
		return ev, &syncproto.ProtocolError{Code: syncproto.CodeDecode, Text: "confirms a configuration of " +
			strconv.Itoa(int(ok.Size)) + " bytes and digest " + strconv.Quote(ok.Digest) + ", but " +
			strconv.Itoa(int(s.size)) + " bytes of digest " + strconv.Quote(s.digest) + " were sent"}
	}
	return Event{Kind: Confirmed}, nil
}

// handleError handles an ERROR: the refusal of this side's request, after which the conversation goes on, or the peer's
// last word. A report that cannot be decoded counts as a last word too.
func (s *Session) handleError(h syncproto.Header, payload []byte) (Event, error) {
	r, err := readReport(payload, s.m.Limits())
	if err != nil {
		r = syncproto.Report{Code: syncproto.CodeInternal, Nodes: []syncproto.ReportNode{{
			Type: syncproto.NodeText, Text: "an error report that cannot be read: " + err.Error(),
		}}}
	}
	failed := s.m.State() == syncproto.Failed
	at := s.m.Verdict()
	if err := s.m.Receive(h, ""); err != nil {
		return Event{}, err
	}
	if h.Re != 0 {
		if failed {
			return Event{}, nil // the refusal of a request that is no longer awaited
		}
		return Event{Kind: Refused, Report: r}, nil
	}
	s.peerError(at, r.Code)
	return Event{Kind: Error, Report: r}, nil
}

func readReport(payload []byte, l syncproto.Limits) (r syncproto.Report, err error) {
	err = codec.Decode(codec.JSON(), payload, &r, l, true)
	return r, err
}

// asViolation turns the error of a refused frame into a violation by its sender, with everything the receiver knows.
func asViolation(err error, k syncproto.Kind, sender syncproto.Role, at syncproto.Verdict) error {
	e := &syncproto.ProtocolError{Code: syncproto.CodeDecode, Text: err.Error()}
	var p *syncproto.ProtocolError
	if errors.As(err, &p) {
		if p.Kind != 0 {
			return p
		}
		e.Code, e.Text = p.Code, p.Text
	}
	e.Kind, e.Sender, e.State, e.Phase = k, sender, at.State, at.Phase
	return e
}

func (set *Settings) codecNames() []string {
	names := make([]string, len(set.Codecs))
	for i, c := range set.Codecs {
		names[i] = c.Name()
	}
	return names
}

func (set *Settings) codecIndex(name string) int8 {
	for i, c := range set.Codecs {
		if c.Name() == name {
			return int8(i)
		}
	}
	return -1
}
