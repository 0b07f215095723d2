package model

import (
	"strings"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/session"
)

// The same Sessions and frames occur in very many worlds. Each is stored once, and a world holds its number. So worlds
// are small, and the effect of an input on a Session is computed only once, by the Session itself. This is sound
// because equal Sessions behave alike, which the tests of package session check.

// op is an input to a Session; the comments say what input.arg is.
type op uint8

const (
	opSay         op = iota // -
	opHello                 // -
	opConfig                // number of the fragment
	opConfirm               // 1: with other bytes than were received
	opCall                  // index of the word
	opRefuse                // -
	opNote                  // -
	opExec                  // -
	opAbort                 // -
	opObey                  // Abort because of a CANCEL
	opCancel                // -
	opReceive               // number of the frame
	opLeft                  // -
	opWritten               // -
	opWriteFailed           // 1: the peer has closed its end
	opEndOfFile             // 1: in the middle of a frame
	opReadFailed            // -
	opExpired               // -
	opExited                // -
	opQuiet                 // -
	opNarrow                // -
)

// input is one call of a Session.
type input struct {
	op  op
	arg uint16
}

// output is the result of an input.
type output struct {
	to    uint32 // the Session afterwards
	frame uint16 // the frame that was made; zero for none
	off   uint16 // opConfig: bytes of the configuration sent so far
	event session.EventKind
	name  string // of the request or reply in the event
	bytes string // of the configuration in the event
	err   string // the error if the Session refuses
}

// side is a Session and its properties.
type side struct {
	s                                  session.Session
	live, over, due                    bool
	saying, reading, agreed, cancelled bool
	state                              syncproto.State
	wait                               syncproto.Wait
	pending                            string
	verdict                            syncproto.Verdict
	last                               uint16 // number of the verdict
}

// packet is a frame on its way.
type frameInfo struct {
	syncproto.Header
	bytes string
	name  string         // of a REQUEST or REPLY
	code  syncproto.Code // of an ERROR
	role  string         // of an ERROR: the role that sent it
	echo  bool           // an ERROR that obeys a CANCEL
}

// final reports whether the frame is its sender's last.
func (p *frameInfo) final() bool {
	return p.Kind == syncproto.KindError && p.Re == 0 || p.Kind == syncproto.KindCancel
}

type call struct {
	side uint32
	input
}

// table holds everything that a walk has encountered. Number zero means none.
type table struct {
	rules        *rules
	sides        []side
	side         map[session.Session]uint32
	frames       []frameInfo
	frameNumbers map[string]uint16
	verdicts     []syncproto.Verdict
	verdict      map[syncproto.Verdict]uint16
	known        map[call]output
}

func newTable(r *rules) *table {
	return &table{rules: r, sides: make([]side, 1), side: map[session.Session]uint32{},
		frames: make([]frameInfo, 1), frameNumbers: map[string]uint16{},
		verdicts: make([]syncproto.Verdict, 1), verdict: map[syncproto.Verdict]uint16{}, known: map[call]output{}}
}

// number returns the number of a Session.
func (t *table) number(s session.Session) uint32 {
	if n, ok := t.side[s]; ok {
		return n
	}
	n := uint32(len(t.sides))
	v := s.Verdict()
	t.sides = append(t.sides, side{
		s: s, live: s.Live(), over: s.Over(), due: s.Due(), saying: s.Saying(), reading: s.Reading(),
		agreed: s.Agreed(), cancelled: s.Cancelled(), state: s.State(), wait: s.Timer().Wait, pending: s.Pending(),
		verdict: v, last: t.verdictNumber(v),
	})
	t.side[s] = n
	return n
}

// verdictNumber returns the number of a verdict.
func (t *table) verdictNumber(v syncproto.Verdict) uint16 {
	n, ok := t.verdict[v]
	if !ok {
		n = uint16(len(t.verdicts))
		t.verdicts, t.verdict[v] = append(t.verdicts, v), n
	}
	return n
}

// frame returns the number of a frame that a Session has made.
func (t *table) frame(b []byte, name string) uint16 {
	if n, ok := t.frameNumbers[string(b)]; ok {
		return n
	}
	h, err := syncproto.ParseHeader(b)
	if err != nil {
		panic(err) // the Session made it
	}
	p := frameInfo{Header: h, bytes: string(b), name: name}
	if h.Kind == syncproto.KindError {
		var r syncproto.Report
		if codec.Decode(codec.JSON(), b[syncproto.HeaderSize:], &r, syncproto.Limits{}, true) == nil {
			p.code, p.role = r.Code, r.Role
		}
		p.echo = h.Re == 0 && r.Code == syncproto.CodeCancelled
	}
	n := uint16(len(t.frames))
	t.frames, t.frameNumbers[p.bytes] = append(t.frames, p), n
	return n
}

// apply returns the effect of an input on Session number n. A Session that refuses an input does not change.
func (t *table) apply(n uint32, in input) output {
	q := call{n, in}
	if out, ok := t.known[q]; ok {
		return out
	}
	s := t.sides[n].s
	out := t.rules.call(t, &s, in)
	out.to = t.number(s)
	t.known[q] = out
	return out
}

// call is the only place in which a walk calls a Session.
func (r *rules) call(t *table, s *session.Session, in input) (out output) {
	var b []byte
	var err error
	name := ""
	switch in.op {
	case opReceive:
		return r.receives(s, &t.frames[in.arg])
	case opSay:
		b, err = s.Say(nil)
	case opHello:
		b, err = s.Hello(nil)
	case opConfig:
		var off int
		b, off, err = s.Config(nil, r.configs[0], int(in.arg), int(r.configFDs))
		out.off = uint16(off)
	case opConfirm:
		b, err = s.Confirm(nil, r.configs[in.arg])
	case opCall:
		w := &r.words[s.Role()][in.arg]
		name = w.name
		b, err = s.Call(nil, w.kind, syncproto.Call{Name: w.name}, w.fds)
	case opRefuse:
		b, err = s.Refuse(nil, syncproto.Report{Code: codeOfFailure})
	case opNote:
		b, err = s.Note(nil, syncproto.Note{Level: "info", Text: "a line"})
	case opExec:
		b, err = s.Exec(nil)
	default:
		return out.failed(r.tell(s, in))
	}
	if err == nil {
		out.frame = t.frame(b, name)
	}
	return out.failed(err)
}

func (out output) failed(err error) output {
	if err != nil {
		out.err = err.Error()
	}
	return out
}

// tell handles inputs that make no frame.
func (r *rules) tell(s *session.Session, in input) error {
	switch in.op {
	case opAbort:
		s.Abort(syncproto.Report{Code: codeOfFailure})
	case opObey:
		s.Abort(syncproto.Report{Code: syncproto.CodeCancelled})
	case opCancel:
		s.Cancel("enough")
	case opLeft:
		s.Left()
	case opWritten:
		s.Written()
	case opWriteFailed:
		s.WriteFailed(in.arg == 1)
	case opEndOfFile:
		s.EndOfFile(in.arg == 1)
	case opReadFailed:
		s.ReadFailed()
	case opExpired:
		s.Expired()
	case opExited:
		s.Exited()
	case opQuiet:
		s.Quiet(false)
	case opNarrow:
		return s.Narrow(r.profile[s.Role()])
	}
	return nil
}

// receives handles a frame that arrives.
func (r *rules) receives(s *session.Session, p *frameInfo) (out output) {
	if err := s.Admit(p.Header); err != nil {
		return out.failed(err)
	}
	ev, err := s.Receive(p.Header, []byte(p.bytes[syncproto.HeaderSize:]))
	out.event, out.name, out.bytes = ev.Kind, strings.Clone(ev.Name), string(ev.Bytes)
	return out.failed(err)
}
