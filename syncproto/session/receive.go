package session

import (
	"errors"
	"strconv"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// EventKind is what an Event tells.
type EventKind uint8

// The events, and the fields of Event that each one fills.
const (
	Nothing   EventKind = iota // the frame concerns nobody but the Session
	Greeted                    // child: HELLO was accepted; HELLO_ACK is due
	Agreed                     // parent: the child has chosen a codec
	Config                     // child: a fragment of the configuration; Bytes, Last
	Confirmed                  // parent: the configuration arrived whole
	Request                    // the peer's request; Name, Arg
	Reply                      // the reply to this side's request; Name, Arg
	Refused                    // or its failure: the conversation goes on; Report
	Note                       // parent: a line for the log; Note
	Exec                       // parent: the child is about to execute
	Cancel                     // child: the parent asks it to stop; Text
	Error                      // the peer's last word: the conversation is over for it; Report
)

// Event is what a frame tells the caller.
type Event struct {
	Kind   EventKind
	Name   string
	Arg    syncproto.Value
	Bytes  []byte // of the frame's payload: valid as long as that
	Last   bool
	Note   syncproto.Note
	Report syncproto.Report
	Text   string
}

// Admit judges a frame by its header, before the payload is read or kept. After an error, a *syncproto.ProtocolError,
// the conversation is over, the peer is to be told (Due), and nothing more can be read.
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

// Receive takes in a frame that Admit let pass. An error is a breach of the protocol by the peer: the conversation
// is over, and the peer is to be told (Due).
func (s *Session) Receive(h syncproto.Header, payload []byte) (Event, error) {
	if s.stage == over {
		return Event{}, nil
	}
	before := s.m.Passed()
	ev, err := s.take(h, payload)
	if err != nil {
		return Event{}, s.refuse(h, err, before)
	}
	return s.heed(ev), nil
}

// refuse ends the conversation over a frame that was not taken in.
func (s *Session) refuse(h syncproto.Header, err error, before uint32) error {
	var d *disagreement
	if errors.As(err, &d) {
		s.fail(syncproto.LocalError, syncproto.KindError, s.words(d.Code, d.Error()))
		return &d.ProtocolError
	}
	err = blame(err, h.Kind, s.Role().Peer(), s.m.Verdict())
	s.Violate(err)
	if s.m.Passed() == before {
		s.m.Skip(s.Role().Peer()) // an ERROR may follow, and explain it
	}
	return err
}

// heed is what of an event concerns the caller: all of it, until the end is known.
func (s *Session) heed(ev Event) Event {
	switch {
	case ev.Kind == Error:
		return ev
	case s.stage == live && s.gone && ev.Kind == Request:
		s.decide(s.m.Verdict(), syncproto.Died) // there is nobody to reply to
		s.stage = listening
		return Event{}
	case s.stage == live:
		return ev
	case ev.Kind == Cancel && s.stage == listening && s.verdict.Outcome == syncproto.Broken:
		s.verdict.Outcome = syncproto.Cancelled // that is why the parent has closed its end
		return ev
	}
	return Event{} // it was heard for the sake of an ERROR behind it
}

// disagreement is the child's refusal of a greeting that breaks no rule.
type disagreement struct{ syncproto.ProtocolError }

func (s *Session) take(h syncproto.Header, payload []byte) (ev Event, err error) {
	if s.m.State() == syncproto.Failed && h.Kind != syncproto.KindError {
		return ev, s.m.Receive(h, "")
	}
	switch h.Kind {
	case syncproto.KindRequest, syncproto.KindReply:
		return s.takeCall(h, payload)
	case syncproto.KindConfig:
		if err := s.m.Receive(h, ""); err != nil {
			return ev, err
		}
		return Event{Kind: Config, Bytes: payload, Last: !h.More()}, nil
	case syncproto.KindError:
		return s.takeError(h, payload)
	case syncproto.KindExec:
		if len(payload) > 0 {
			return ev, &syncproto.ProtocolError{Code: syncproto.CodeFrame, Text: "has a payload"}
		}
		return Event{Kind: Exec}, s.m.Receive(h, "")
	case syncproto.KindHello, syncproto.KindHelloAck, syncproto.KindConfigOK, syncproto.KindNote, syncproto.KindCancel:
		return s.takeBody(h, payload)
	}
	return ev, s.m.Receive(h, "") // skippable
}

// takeCall is a REQUEST or REPLY. What a codec can say of a body that is as it should be, it may say without a Value.
func (s *Session) takeCall(h syncproto.Header, payload []byte) (Event, error) {
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

// takeBody is a frame with a body of the protocol's own.
func (s *Session) takeBody(h syncproto.Header, payload []byte) (ev Event, err error) {
	switch h.Kind {
	case syncproto.KindHello:
		return s.takeHello(h, payload)
	case syncproto.KindHelloAck:
		return s.takeHelloAck(h, payload)
	case syncproto.KindConfigOK:
		return s.takeConfigOK(h, payload)
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

// decode takes a frame in whose body is a T. A body that its codec refuses is told before a frame that may not come;
// one that the codec takes and that does not fit T, after it.
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

// takeHello is the child's first half of the greeting: it accepts, and its HELLO_ACK is due.
func (s *Session) takeHello(h syncproto.Header, payload []byte) (ev Event, err error) {
	var hello syncproto.Hello
	if err := decode(s, h, payload, &hello, true); err != nil {
		return ev, err
	}
	ack, err := hello.Answer(s.set.Profile, s.set.names(), s.set.Limits, s.set.PID)
	var p *syncproto.ProtocolError
	if errors.As(err, &p) {
		return ev, &disagreement{*p}
	} else if err != nil {
		return ev, err
	}
	s.m.Offer(len(hello.Codecs))
	s.greeting, s.codec = true, s.set.index(ack.Codec)
	// The limits hold from HELLO_ACK on, and the child sends that next: it may agree now.
	return Event{Kind: Greeted}, s.m.Agree(hello.Limits)
}

func (s *Session) takeHelloAck(h syncproto.Header, payload []byte) (ev Event, err error) {
	var ack syncproto.HelloAck
	if err := decode(s, h, payload, &ack, true); err != nil {
		return ev, err
	}
	if err := s.hello().Check(ack); err != nil {
		return ev, err
	}
	s.codec = s.set.index(ack.Codec)
	return Event{Kind: Agreed}, s.m.Agree(ack.Limits)
}

// takeConfigOK compares what the child says has arrived with what was sent.
func (s *Session) takeConfigOK(h syncproto.Header, payload []byte) (ev Event, err error) {
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

// takeError is an ERROR: the failure of this side's request, after which the conversation goes on, or the peer's last
// word. A report that cannot be read is a last word too.
func (s *Session) takeError(h syncproto.Header, payload []byte) (Event, error) {
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
			return Event{}, nil // the failure of a request that nobody waits for any more
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

// blame makes a refusal of a frame a breach of the protocol by its sender, with all that the reader knows.
func blame(err error, k syncproto.Kind, sender syncproto.Role, at syncproto.Verdict) error {
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

func (set *Settings) names() []string {
	names := make([]string, len(set.Codecs))
	for i, c := range set.Codecs {
		names[i] = c.Name()
	}
	return names
}

func (set *Settings) index(name string) int8 {
	for i, c := range set.Codecs {
		if c.Name() == name {
			return int8(i)
		}
	}
	return -1
}
