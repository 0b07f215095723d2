package session

import (
	"errors"
	"strconv"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Violate ends the conversation over a breach of the protocol that was found outside of Receive: in the bytes of a
// header, in a body that does not fit its type. err is a *syncproto.ProtocolError, or becomes one.
func (s *Session) Violate(err error) {
	code := syncproto.CodeDecode
	var p *syncproto.ProtocolError
	if errors.As(err, &p) {
		code = p.Code
	}
	s.fail(syncproto.Violated, syncproto.KindError, s.words(code, err.Error()))
}

// Abort ends the conversation by this side's own decision or failure: the peer is told of r.
func (s *Session) Abort(r syncproto.Report) {
	if s.stage != live {
		return
	}
	payload, err := s.report(r)
	word := string(payload)
	if err != nil {
		word = s.words(syncproto.CodeInternal, err.Error())
	}
	s.fail(syncproto.LocalError, syncproto.KindError, word)
}

// Cancel ends the conversation by the wish of this side's caller. A parent asks the child to stop; a child says that
// it ends.
func (s *Session) Cancel(reason string) {
	s.cancel(syncproto.Cancelled, syncproto.CodeCancelled, reason)
}

// Expired says that the deadline of the present Timer has passed.
func (s *Session) Expired() {
	switch s.stage {
	case live:
		s.cancel(syncproto.TimedOut, syncproto.CodeTimeout, "a deadline passed while the "+s.Role().String()+
			" waited for "+s.m.Waiting().String())
	case telling:
		if !s.mustTell() {
			s.listen()
		}
	case listening:
		s.end()
	}
}

func (s *Session) cancel(why syncproto.Outcome, code syncproto.Code, reason string) {
	if s.stage != live {
		return
	}
	if s.Role() == syncproto.Child {
		s.fail(why, syncproto.KindError, s.words(code, reason))
		return
	}
	c := syncproto.Cancel{Reason: reason}
	payload, err := codec.Encode(codec.JSON(), nil, &c, s.m.Limits())
	if err != nil || uint32(len(payload)) > s.m.Limits().Control {
		c.Reason = string(code)
		payload, _ = codec.Encode(codec.JSON(), nil, &c, s.m.Limits())
	}
	s.fail(why, syncproto.KindCancel, string(payload))
}

// words is the payload of an ERROR that has words, and what Go calls such an error where there is a name for it
// (package remote).
func (s *Session) words(code syncproto.Code, text string) string {
	text, _ = syncproto.StringValue(text).Text()
	nodes := []syncproto.ReportNode{{Type: syncproto.NodeText, Text: text}}
	name := ""
	switch code {
	case syncproto.CodeTimeout:
		name = "context.DeadlineExceeded"
	case syncproto.CodeCancelled:
		name = "context.Canceled"
	}
	if name != "" {
		nodes[0].Whole = true
		nodes = append(nodes, syncproto.ReportNode{Parent: 1, Type: syncproto.NodeSentinel, Sentinel: name})
	}
	b, err := s.report(syncproto.Report{Code: code, Nodes: nodes})
	if err != nil {
		return `{"code":"internal","role":"` + s.Role().String() + `","nodes":[]}`
	}
	return string(b)
}

// fail is the end for this side, with the word that tells the peer. The first reason stands, but what was seen of a
// peer's end gives way to what the peer did before it.
func (s *Session) fail(why syncproto.Outcome, word syncproto.Kind, payload string) {
	if s.stage == over {
		return
	}
	if s.stage != live {
		if why == syncproto.Violated && s.verdict.Outcome <= syncproto.Broken {
			s.verdict.Outcome = why // a frame that may not come explains the end better than the end itself
		}
		return
	}
	s.decide(s.m.Verdict(), why)
	s.wordOf, s.word, s.stage = word, payload, telling
	if s.broken || s.gone {
		s.listen()
	}
}

func (s *Session) decide(at syncproto.Verdict, why syncproto.Outcome) {
	at.Outcome = why
	s.verdict = at
}

// listen is what comes after the last word: a parent reads what its child still says, for that may be the true cause.
// A child has no such patience, but for what its parent has said already where nothing could be told to it.
func (s *Session) listen() {
	s.wordOf, s.word = 0, ""
	s.sending, s.left, s.saying = syncproto.Frame{}, false, false
	started := s.m.State() != syncproto.Opened
	s.m.Fail(s.verdict.Outcome)
	s.stage = listening
	if s.Role() == syncproto.Child || !started || s.deaf {
		s.stage = over
	}
}

// peerError is the peer's last word. It outranks what this side saw of the peer's end, a breach of the protocol
// included, and a deadline; it does not outrank this side's own decision, and a child that was told to stop says no
// more than that it did.
func (s *Session) peerError(at syncproto.Verdict, code syncproto.Code) {
	switch o := s.verdict.Outcome; {
	case o == syncproto.LocalError, o == syncproto.PeerError:
	case code == syncproto.CodeCancelled && (o == syncproto.Cancelled || o == syncproto.TimedOut):
	case o == syncproto.Undecided:
		s.decide(at, syncproto.PeerError)
	default:
		s.verdict.Outcome = syncproto.PeerError // where the conversation stood, this side knows better
	}
	s.m.Fail(syncproto.PeerError)
	if s.stage != over {
		s.wordOf, s.word = 0, ""
		s.stage = over // after its last word a peer says nothing
	}
}

// EndOfFile says that the peer will send no more; torn: its last frame was cut short. A last word is still told: the
// peer may have shut down its writing alone.
func (s *Session) EndOfFile(torn bool) {
	if s.deaf = true; s.stage == telling || s.stage == over {
		return
	}
	if s.stage == live {
		at := s.m.Verdict()
		if !torn && s.m.EndOfFile().Outcome == syncproto.Success {
			s.verdict = s.m.Verdict()
		} else {
			s.decide(at, syncproto.Died)
		}
	}
	if s.verdict.Outcome == syncproto.Broken {
		s.verdict.Outcome = syncproto.Died // a write met the end before it was read
	}
	s.end()
}

// ReadFailed says that nothing more can be read, though the peer's end has not come. A last word is still told.
func (s *Session) ReadFailed() {
	if s.deaf = true; s.stage == telling {
		return
	}
	if s.stage == live {
		s.decide(s.m.Verdict(), syncproto.Broken)
	}
	s.end()
}

// Exited says that the peer's process is gone. What it had said is still read; a request of it is nobody's any more.
func (s *Session) Exited() {
	s.gone = true
	if s.stage == telling {
		s.listen()
	}
}

// Quiet says that nothing is left to read now. Of a process that is gone nothing more will come, also where somebody
// else keeps its socket open, and of one that closed its end neither.
func (s *Session) Quiet() {
	if !s.gone && !(s.closed && s.stage == listening) {
		return
	}
	if s.stage == live {
		s.decide(s.m.Verdict(), syncproto.Died)
	}
	s.end()
}

// end is the end of all: nothing more comes and nothing more is said.
func (s *Session) end() {
	if s.m.State() != syncproto.Closed {
		s.m.Fail(s.verdict.Outcome)
	}
	s.sending, s.left, s.saying = syncproto.Frame{}, false, false
	s.wordOf, s.word, s.greeting = 0, "", false
	s.stage = over
}

// Close ends the conversation at once and without a word, whatever its state.
func (s *Session) Close() {
	if s.stage == live {
		s.decide(s.m.Verdict(), syncproto.Broken)
	}
	s.end()
}
