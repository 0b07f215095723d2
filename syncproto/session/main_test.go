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

// worker is a profile in which first the parent makes requests, then the child.
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

// testSide is one side of a conversation in memory: a Session, and the frames on their way to it.
type testSide struct {
	t    testing.TB
	s    session.Session
	in   [][]byte
	peer *testSide
}

// pair returns both sides of a conversation that has not begun. The parent offers the codecs, or only JSON.
func pair(t testing.TB, codecs ...codec.Codec) (p, c *testSide) {
	t.Helper()
	if len(codecs) == 0 {
		codecs = []codec.Codec{codec.JSON()}
	}
	limits := syncproto.Limits{Fragment: 1024, Notes: 4}
	p = &testSide{t: t, s: newSession(t, parent, session.Settings{Profile: worker(), Codecs: codecs, Limits: limits})}
	c = &testSide{t: t, s: newSession(t, child, session.Settings{Profile: worker(), Codecs: codec.BuiltIn(), PID: 7})}
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

// send sends a whole frame.
func (e *testSide) send(frame []byte, err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatalf("the %v cannot send: %v", e.s.Role(), err)
	}
	e.s.Written()
	e.peer.in = append(e.peer.in, frame)
}

// sendDue sends everything that is due.
func (e *testSide) sendDue() {
	e.t.Helper()
	for e.s.Due() {
		e.send(e.s.Say(nil))
	}
}

// call sends a REQUEST or REPLY.
func (e *testSide) call(k syncproto.Kind, name string) {
	e.t.Helper()
	e.send(e.s.Call(nil, k, syncproto.Call{Name: name}, 0))
}

// receive passes a frame to a Session.
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

// next receives the first of the frames on their way.
func (e *testSide) next() (session.Event, error) {
	e.t.Helper()
	if len(e.in) == 0 {
		e.t.Fatalf("nothing is on its way to the %v", e.s.Role())
	}
	frame := e.in[0]
	e.in = e.in[1:]
	return receive(&e.s, frame)
}

// receiveEvent receives the next frame, which must cause the wanted event.
func (e *testSide) receiveEvent(want session.EventKind) session.Event {
	e.t.Helper()
	ev, err := e.next()
	if err != nil || ev.Kind != want {
		e.t.Fatalf("the %v hears event %d, want %d: %v", e.s.Role(), ev.Kind, want, err)
	}
	return ev
}

var config = []byte(`{"name":"one"}`)

// greet brings both sides to the point where a codec is agreed.
func greet(p, c *testSide) {
	p.t.Helper()
	p.send(p.s.Hello(nil))
	c.receiveEvent(session.Greeted)
	c.sendDue()
	p.receiveEvent(session.Agreed)
}

// configure brings both sides from there into the first phase.
func configure(p, c *testSide) {
	p.t.Helper()
	frame, _, err := p.s.Config(nil, config, 0, 0)
	p.send(frame, err)
	c.receiveEvent(session.Config)
	c.send(c.s.Confirm(nil, config))
	p.receiveEvent(session.Confirmed)
}

// work brings both sides from there into the second phase.
func work(p, c *testSide) {
	p.t.Helper()
	p.call(syncproto.KindRequest, "go")
	c.receiveEvent(session.Request)
	c.call(syncproto.KindReply, "going")
	p.receiveEvent(session.Reply)
}

// commit sends EXEC from there.
func commit(p, c *testSide) {
	p.t.Helper()
	c.send(c.s.Exec(nil))
	p.receiveEvent(session.Exec)
}

// at returns a conversation in a state.
func at(t testing.TB, s syncproto.State) (p, c *testSide) {
	t.Helper()
	p, c = pair(t)
	switch s {
	case syncproto.Greeted:
		p.send(p.s.Hello(nil))
		c.receiveEvent(session.Greeted)
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

// frameBytes makes a frame, including frames that no Session would make.
func frameBytes(h syncproto.Header, payload string) []byte {
	h.Length = uint32(len(payload))
	return append(h.Append(nil), payload...)
}
