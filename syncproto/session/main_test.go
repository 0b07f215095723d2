package session_test

import (
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/session"
)

const (
	parent = syncproto.Parent
	child  = syncproto.Child
)

// worker is a profile in which first the parent asks, then the child.
func worker() *syncproto.Profile {
	return &syncproto.Profile{Name: "worker", ConfigFDs: syncproto.FDCount{Max: 1}, Phases: []syncproto.Phase{
		{Name: "interview", Requester: parent, Rows: []syncproto.Row{
			{Request: "what", Reply: "that", ReplyFDs: syncproto.FDCount{Max: 1}},
			{Request: "go", Reply: "going", Min: 1, Max: 1, Next: "work"},
		}},
		{Name: "work", Requester: child, Commit: true, Rows: []syncproto.Row{
			{Request: "open", Reply: "opened", ReplyFDs: syncproto.FDCount{Max: 1}},
		}},
	}}
}

// end is one side of a conversation in memory: a Session, and the frames that are on their way to it.
type end struct {
	t    testing.TB
	s    session.Session
	in   [][]byte
	peer *end
}

// pair is a conversation that has not begun. The parent offers the codecs, or JSON alone.
func pair(t testing.TB, codecs ...codec.Codec) (p, c *end) {
	t.Helper()
	if len(codecs) == 0 {
		codecs = []codec.Codec{codec.JSON()}
	}
	limits := syncproto.Limits{Fragment: 1024, Notes: 4}
	p = &end{t: t, s: newSession(t, parent, session.Settings{Profile: worker(), Codecs: codecs, Limits: limits})}
	c = &end{t: t, s: newSession(t, child, session.Settings{Profile: worker(), Codecs: codec.BuiltIn(), PID: 7})}
	p.peer, c.peer = c, p
	return p, c
}

// tester is a *testing.T, or a *rapid.T.
type tester interface {
	Helper()
	Fatal(args ...any)
	Errorf(format string, args ...any)
}

func newSession(t tester, r syncproto.Role, set session.Settings) session.Session {
	t.Helper()
	s, err := session.New(r, &set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// send is a frame leaving whole.
func (e *end) send(frame []byte, err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatalf("the %v cannot send: %v", e.s.Role(), err)
	}
	e.s.Written()
	e.peer.in = append(e.peer.in, frame)
}

// say is all that is due leaving.
func (e *end) say() {
	e.t.Helper()
	for e.s.Due() {
		e.send(e.s.Say(nil))
	}
}

// call is a REQUEST or REPLY leaving.
func (e *end) call(k syncproto.Kind, name string) {
	e.t.Helper()
	e.send(e.s.Call(nil, k, syncproto.Call{Name: name}, 0))
}

// receive is a frame arriving.
func receive(s *session.Session, frame []byte) (session.Event, error) {
	h, err := syncproto.ParseHeader(frame)
	if err != nil {
		s.Violate(err)
		return session.Event{}, err
	}
	if err := s.Admit(h); err != nil {
		return session.Event{}, err
	}
	return s.Receive(h, frame[syncproto.HeaderSize:])
}

// next is the first of the frames that are on their way arriving.
func (e *end) next() (session.Event, error) {
	e.t.Helper()
	if len(e.in) == 0 {
		e.t.Fatalf("nothing is on its way to the %v", e.s.Role())
	}
	frame := e.in[0]
	e.in = e.in[1:]
	return receive(&e.s, frame)
}

// hears is the next frame, which must be what is wanted.
func (e *end) hears(want session.EventKind) session.Event {
	e.t.Helper()
	ev, err := e.next()
	if err != nil || ev.Kind != want {
		e.t.Fatalf("the %v hears event %d, want %d: %v", e.s.Role(), ev.Kind, want, err)
	}
	return ev
}

var config = []byte(`{"name":"one"}`)

// greet brings both sides to where a codec is agreed.
func greet(p, c *end) {
	p.t.Helper()
	p.send(p.s.Hello(nil))
	c.hears(session.Greeted)
	c.say()
	p.hears(session.Agreed)
}

// configure brings both sides from there into the first phase.
func configure(p, c *end) {
	p.t.Helper()
	frame, _, err := p.s.Config(nil, config, 0, 0)
	p.send(frame, err)
	c.hears(session.Config)
	c.send(c.s.Confirm(nil, config))
	p.hears(session.Confirmed)
}

// work brings both sides from there into the second phase.
func work(p, c *end) {
	p.t.Helper()
	p.call(syncproto.KindRequest, "go")
	c.hears(session.Request)
	c.call(syncproto.KindReply, "going")
	p.hears(session.Reply)
}

// commit is EXEC, from there.
func commit(p, c *end) {
	p.t.Helper()
	c.send(c.s.Exec(nil))
	p.hears(session.Exec)
}

// at is a conversation in a state.
func at(t testing.TB, s syncproto.State) (p, c *end) {
	t.Helper()
	p, c = pair(t)
	switch s {
	case syncproto.Greeted:
		p.send(p.s.Hello(nil))
		c.hears(session.Greeted)
	case syncproto.Agreed:
		greet(p, c)
	case syncproto.Configured:
		greet(p, c)
		configure(p, c)
		work(p, c)
	case syncproto.Committed:
		greet(p, c)
		configure(p, c)
		work(p, c)
		commit(p, c)
	}
	return p, c
}

// handmade is a frame that need not be one that a Session makes.
func handmade(h syncproto.Header, payload string) []byte {
	h.Length = uint32(len(payload))
	return append(h.Append(nil), payload...)
}
