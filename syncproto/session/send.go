package session

import (
	"errors"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// errOver is the error of calls that come after the end.
var errOver error = &syncproto.ProtocolError{Code: syncproto.CodeState, Text: "the conversation is over"}

// errBusy reports a bug in the driver.
var errBusy = errors.New("session: the previous frame has not been sent completely yet")

// Due reports whether the Session itself has a frame to send, HELLO_ACK or its last word. Say builds it.
func (s *Session) Due() bool {
	switch {
	case s.sending.Kind != 0:
		return false
	case s.stage == telling:
		return true
	case s.stage != live:
		return false
	}
	return s.greeting
}

// Saying reports whether the outgoing frame is this side's last word.
func (s *Session) Saying() bool { return s.saying }

// Say appends the frame that is due. After an error nothing must be sent: either the error has ended the conversation,
// or the conversation goes on without the frame.
func (s *Session) Say(dst []byte) ([]byte, error) {
	if !s.Due() {
		return dst, errors.New("session: nothing is due")
	}
	if s.stage == telling {
		out, err := s.finish(append(Begin(dst), s.word...), len(dst), syncproto.Frame{Kind: s.wordOf})
		if s.saying = err == nil; err != nil {
			s.listen() // the state forbids it: nothing was sent to this peer yet, or the last word was
		}
		return out, err
	}
	ack := s.helloAck()
	out, err := encodeBody(s, dst, syncproto.KindHelloAck, &ack)
	if err == nil {
		s.greeting = false
	}
	return out, err
}

// Hello appends the parent's greeting, the first frame of the conversation.
func (s *Session) Hello(dst []byte) ([]byte, error) {
	hello := s.hello()
	return encodeBody(s, dst, syncproto.KindHello, &hello)
}

func (s *Session) hello() syncproto.Hello {
	return syncproto.Greeting(s.set.Profile, s.set.codecNames(), s.set.Limits, s.set.Session)
}

func (s *Session) helloAck() syncproto.HelloAck {
	return syncproto.HelloAck{
		Version: syncproto.Version, Codec: s.set.Codecs[s.codec].Name(), Limits: s.m.Limits(), PID: s.set.PID,
	}
}

// Begin appends room for a header to dst. Append the payload, in the Session's Codec for the kind of frame, and call
// Finish.
func Begin(dst []byte) []byte { return append(dst, make([]byte, syncproto.HeaderSize)...) }

// Finish checks whether the frame may be sent that dst holds from start on (the room made by Begin, then the payload),
// and fills in its header. On an error it returns dst cut off at start; nothing has changed and nothing must be sent.
func (s *Session) Finish(dst []byte, start int, f syncproto.Frame) ([]byte, error) {
	if s.stage != live {
		return dst[:start], s.errAfterEnd(f.Kind)
	}
	return s.finish(dst, start, f)
}

func (s *Session) finish(dst []byte, start int, f syncproto.Frame) ([]byte, error) {
	if s.sending.Kind != 0 {
		return dst[:start], errBusy
	}
	f.Size = len(dst) - start - syncproto.HeaderSize
	next := s.m
	h, err := next.Send(f)
	if err != nil {
		return dst[:start], err
	}
	s.sending, s.left = f, false
	h.Append(dst[start:start])
	return dst, nil
}

// errAfterEnd is the error for a frame made after the end.
func (s *Session) errAfterEnd(k syncproto.Kind) error {
	v := s.Verdict()
	return &syncproto.ProtocolError{
		Code: syncproto.CodeState, State: v.State, Phase: v.Phase, Sender: s.Role(), Kind: k,
		Text: "the conversation is over",
	}
}

// encodeBody appends a frame of kind k with *t as its payload.
func encodeBody[T any](s *Session, dst []byte, k syncproto.Kind, t *T) ([]byte, error) {
	return encode(s, dst, syncproto.Frame{Kind: k}, t)
}

func encode[T any](s *Session, dst []byte, f syncproto.Frame, t *T) ([]byte, error) {
	out, err := codec.Encode(s.Codec(f.Kind), Begin(dst), t, s.m.Limits())
	if err != nil {
		return dst, err
	}
	return s.Finish(out, len(dst), f)
}

// Config appends the next fragment of a configuration of which the bytes before off have been sent, and returns the
// offset of the fragment after it. The configuration is complete when that equals its length. nfds descriptors are sent
// with the first fragment.
func (s *Session) Config(dst, config []byte, off, nfds int) ([]byte, int, error) {
	if int64(len(config)) > int64(s.m.Limits().Config) {
		return dst, off, s.limitError(syncproto.KindConfig, len(config), s.m.Limits().Config)
	}
	if off > 0 {
		nfds = 0
	}
	end := off + min(len(config)-off, int(s.m.Limits().Fragment)) // HELLO_ACK may arrive in between and lower it
	out := append(Begin(dst), config[off:end]...)
	out, err := s.Finish(out, len(dst), syncproto.Frame{Kind: syncproto.KindConfig, More: end < len(config), FDs: nfds})
	if err != nil {
		return out, off, err
	}
	if off == 0 {
		s.digest, s.size = syncproto.Digest(config), uint32(len(config))
	}
	return out, end, nil
}

// Confirm appends CONFIG_OK, with which the child confirms that the configuration arrived complete; config is all of
// it. The profile's phases begin with this frame.
func (s *Session) Confirm(dst, config []byte) ([]byte, error) {
	ok := syncproto.ConfigOK{Size: uint32(len(config)), Digest: syncproto.Digest(config)}
	return encodeBody(s, dst, syncproto.KindConfigOK, &ok)
}

// Refuse appends an ERROR that refuses the peer's pending request. The conversation goes on.
func (s *Session) Refuse(dst []byte, r syncproto.Report) ([]byte, error) {
	payload, err := s.report(r)
	if err != nil {
		return dst, err
	}
	return s.Finish(append(Begin(dst), payload...), len(dst), syncproto.Frame{Kind: syncproto.KindError, Fail: true})
}

// Note appends a NOTE, a line of the child's for the parent's log.
func (s *Session) Note(dst []byte, n syncproto.Note) ([]byte, error) {
	if err := n.Validate(); err != nil {
		return dst, err
	}
	return encodeBody(s, dst, syncproto.KindNote, &n)
}

// Exec appends EXEC, with which the child announces the execution.
func (s *Session) Exec(dst []byte) ([]byte, error) {
	return s.Finish(Begin(dst), len(dst), syncproto.Frame{Kind: syncproto.KindExec})
}

// report adds to an error report what only the Session knows, and encodes it within the limit in force.
func (s *Session) report(r syncproto.Report) ([]byte, error) {
	v := s.m.Verdict()
	r.Role, r.State, r.Phase, r.Request = s.Role().String(), v.State.String(), v.Phase, v.Request
	r = r.Fit(s.m.Limits().Error)
	return codec.Encode(codec.JSON(), nil, &r, s.m.Limits())
}

func (s *Session) limitError(k syncproto.Kind, n int, most uint32) error {
	v := s.m.Verdict()
	return &syncproto.ProtocolError{
		Code: syncproto.CodeLimit, State: v.State, Phase: v.Phase, Sender: s.Role(), Kind: k,
		Text: itoa(n) + " bytes are over the limit of " + itoa(int(most)),
	}
}

// Left reports that the first byte of the outgoing frame was sent, and the descriptors with it. From then on the frame
// counts as sent.
func (s *Session) Left() {
	if s.sending.Kind == 0 || s.left {
		return
	}
	s.left = true
	if _, err := s.m.Send(s.sending); err != nil {
		// What arrived meanwhile has ended the conversation or lowered a limit, but the frame is on its way.
		s.m.Skip(s.Role())
	}
}

// Written reports that the outgoing frame was sent completely.
func (s *Session) Written() {
	s.Left()
	word := s.saying
	s.sending, s.left, s.saying = syncproto.Frame{}, false, false
	if word {
		s.told = true
		s.listen()
	}
}

// WriteFailed reports that the outgoing frame cannot be sent completely. gone means that the peer has closed its end
// (EPIPE, ECONNRESET); what it sent before is then read to the end, because it is the cause. Otherwise the failure is
// this side's own, and the caller must also call Abort, Cancel or Expired.
func (s *Session) WriteFailed(gone bool) {
	word := s.saying
	s.broken, s.closed = s.broken || gone || s.left, s.closed || gone
	s.sending, s.left, s.saying = syncproto.Frame{}, false, false
	switch {
	case s.stage == telling && (word || s.broken):
		s.listen()
	case s.stage == live && gone:
		s.setVerdict(s.m.Verdict(), syncproto.Broken)
		s.stage = listening
	}
}

// Call appends a REQUEST or a REPLY with descriptors.
func (s *Session) Call(dst []byte, k syncproto.Kind, call syncproto.Call, nfds int) ([]byte, error) {
	s.set.out = call
	return encode(s, dst, syncproto.Frame{Kind: k, Name: call.Name, FDs: nfds}, &s.set.out)
}
