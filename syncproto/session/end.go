package session

import (
	"errors"
	"strconv"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Violate ends the conversation because of a violation found outside of Receive: in the bytes of a header, or in a body
// that does not fit its type. If err is not a *syncproto.ProtocolError, its code is CodeDecode.
func (s *Session) Violate(err error) {
	code := syncproto.CodeDecode
	var p *syncproto.ProtocolError
	if errors.As(err, &p) {
		code = p.Code
	}
	s.fail(syncproto.Violated, syncproto.KindError, s.errorPayload(code, err.Error()))
}

// Abort ends the conversation by this side's own decision or failure, which r reports to the peer.
func (s *Session) Abort(r syncproto.Report) {
	if s.stage != live {
		return
	}
	payload, err := s.report(r)
	word := string(payload)
	if err != nil {
		word = s.errorPayload(syncproto.CodeInternal, err.Error())
	}
	s.fail(syncproto.LocalError, syncproto.KindError, word)
}

// Cancel ends the conversation because this side's caller wants it. A parent tells the child to stop; a child reports
// that it ends.
func (s *Session) Cancel(reason string) {
	s.cancel(syncproto.Cancelled, syncproto.CodeCancelled, reason)
}

// Expired reports that the deadline of the current Timer has passed.
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
		s.fail(why, syncproto.KindError, s.errorPayload(code, reason))
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

// errorPayload builds the payload of an ERROR that consists of text. It adds the sentinel that package remote maps to a
// Go error, if there is one for the code.
func (s *Session) errorPayload(code syncproto.Code, text string) string {
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

// fail ends the conversation for this side and sets the last word for the peer. The first reason stands, except that a
// violation which the peer committed earlier replaces what was observed of the peer's end.
func (s *Session) fail(why syncproto.Outcome, word syncproto.Kind, payload string) {
	if s.stage == over {
		return
	}
	if s.stage != live {
		if why == syncproto.Violated && s.verdict.Outcome <= syncproto.Broken {
			s.verdict.Outcome = why // an illegal frame explains the end better than the end itself
		}
		return
	}
	s.setVerdict(s.m.Verdict(), why)
	s.wordOf, s.word, s.stage = word, payload, telling
	if s.broken || s.gone {
		s.listen()
	}
}

func (s *Session) setVerdict(at syncproto.Verdict, why syncproto.Outcome) {
	at.Outcome = why
	s.verdict = at
}

// listen follows the last word. A parent reads what its child still sends, because that may be the true cause. A child
// does not wait for its parent.
func (s *Session) listen() {
	s.wordOf, s.word = 0, ""
	s.sending, s.left, s.saying = syncproto.Frame{}, false, false
	started := s.m.State() != syncproto.Opened
	s.m.Fail(s.verdict.Outcome)
	s.stage = listening
	if s.Role() == syncproto.Child || !started || s.readDone {
		s.stage = over
	}
}

// peerError handles the peer's last word. It outranks what this side observed of the peer's end, including a violation,
// and it outranks a deadline. It does not outrank this side's own decision, and a child that was told to stop only
// confirms that it did.
func (s *Session) peerError(at syncproto.Verdict, code syncproto.Code) {
	switch o := s.verdict.Outcome; {
	case o == syncproto.LocalError, o == syncproto.PeerError:
	case code == syncproto.CodeCancelled && (o == syncproto.Cancelled || o == syncproto.TimedOut):
	case o == syncproto.Undecided:
		s.setVerdict(at, syncproto.PeerError)
	default:
		s.verdict.Outcome = syncproto.PeerError // keep this side's own record of where the conversation stood
	}
	s.m.Fail(syncproto.PeerError)
	if s.stage != over {
		s.wordOf, s.word = 0, ""
		s.stage = over // nothing follows a last word
	}
}

// EndOfFile reports that the peer will send nothing more; torn means that its last frame was incomplete. A last word is
// still sent: the peer may have shut down only its sending direction.
func (s *Session) EndOfFile(torn bool) {
	if s.readDone = true; s.stage == telling || s.stage == over {
		return
	}
	s.peerEnded(torn)
	if s.verdict.Outcome == syncproto.Broken {
		s.verdict.Outcome = syncproto.Died // a write failed before the end of file was read
	}
	s.end()
}

// peerEnded decides what it means for a live conversation that the peer has no copy of the socket any more: after EXEC
// that is success, unless a frame was incomplete.
func (s *Session) peerEnded(torn bool) {
	if s.stage != live {
		return
	}
	at := s.m.Verdict()
	if !torn && s.m.EndOfFile().Outcome == syncproto.Success {
		s.verdict = s.m.Verdict()
	} else {
		s.setVerdict(at, syncproto.Died)
	}
}

// ReadFailed reports that reading is impossible although the end of file has not been reached. A last word is still
// sent.
func (s *Session) ReadFailed() {
	if s.readDone = true; s.stage == telling {
		return
	}
	if s.stage == live {
		s.setVerdict(s.m.Verdict(), syncproto.Broken)
	}
	s.end()
}

// Exited reports that the peer's process has ended. What it had sent is still read; a request among it can no longer be
// replied to.
func (s *Session) Exited() {
	s.gone = true
	if s.stage == telling {
		s.listen()
	}
}

// Quiet reports that nothing is left to read now; torn means that a frame has begun. If the peer's process has ended,
// nothing more will arrive even if another process keeps a copy of the socket open, and that is the end of file for
// this Session: a process that this one is creating at the moment has such a copy until its own execution. Nothing will
// arrive either if the peer has closed its end.
func (s *Session) Quiet(torn bool) {
	if !s.gone && !(s.closed && s.stage == listening) {
		return
	}
	s.peerEnded(torn)
	s.end()
}

// end makes the verdict final: nothing more is read or sent.
func (s *Session) end() {
	if s.m.State() != syncproto.Closed {
		s.m.Fail(s.verdict.Outcome)
	}
	s.sending, s.left, s.saying = syncproto.Frame{}, false, false
	s.wordOf, s.word, s.greeting = 0, "", false
	s.stage = over
}

// Close ends the conversation at once, in any state, and sends nothing.
func (s *Session) Close() {
	if s.stage == live {
		s.setVerdict(s.m.Verdict(), syncproto.Broken)
	}
	s.end()
}
