package session_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/session"
)

// room is how many frames fit in one direction before a writer must wait.
const room = 3

// player is one side of a random conversation: its Session, and the state of its driver and its caller.
type player struct {
	s      session.Session
	peer   *player
	in     [][]byte // whole frames on their way to it
	cut    bool     // and behind them, the beginning of one
	out    []byte   // the frame under way
	left   bool     // of which the beginning has left
	open   bool     // its end
	config []byte   // parent: to be sent; child: has come
	off    int      // parent: has been sent

	executed bool
	said     []syncproto.Code // the ERRORs that ended the conversation and have left whole
	heard    []syncproto.Code // and those that its caller was told of
	words    int              // last words that have left whole
}

// game is a random conversation.
type game struct {
	t    *rapid.T
	side [2]*player
	hurt bool // more has happened than the two sides' own frames

	accidents []int // the steps before which one happens
}

// Two Sessions with callers that decide at random, over a socket that loses nothing, always come to an end with
// verdicts that agree.
func TestTwoSessionsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGame(t)
		for n := 0; g.step(n); n++ {
			if n > 2000 {
				t.Fatalf("it does not end: the parent %+v, the child %+v", g.side[parent].s, g.side[child].s)
			}
		}
		g.judge()
	})
}

func newGame(t *rapid.T) *game {
	g := &game{t: t}
	codecs := codec.BuiltIn()[:rapid.IntRange(1, 2).Draw(t, "codecs")]
	limits := syncproto.Limits{Fragment: 1024, Config: 4096, Notes: 2, Frames: 256}
	for r := range g.side {
		set := session.Settings{Profile: worker(), Codecs: codecs, Limits: limits}
		g.side[r] = &player{s: newSession(t, syncproto.Role(r), set), open: true}
	}
	g.side[parent].peer, g.side[child].peer = g.side[child], g.side[parent]
	g.accidents = rapid.SliceOfN(rapid.IntRange(0, 60), 0, 3).Draw(t, "accidents")
	size := rapid.IntRange(0, 4096).Draw(t, "size")
	g.side[parent].config = []byte(strings.Repeat("configuration ", size/14+1)[:size])
	return g
}

// move is something that a side can do next.
type move struct {
	name string
	do   func()
}

// String returns the name that rapid prints.
func (m move) String() string { return m.name }

// step makes the n-th move of either side; it returns false if there is none left. A side that can only wait runs into
// its deadline.
func (g *game) step(n int) bool {
	var moves []move
	for _, p := range g.side {
		if p.open && !p.s.Over() && slices.Contains(g.accidents, n) {
			moves = g.accident(moves, p)
		}
	}
	for _, p := range g.side {
		if len(moves) == 0 || !slices.Contains(g.accidents, n) {
			moves = g.decisions(g.transport(moves, p), p)
		}
	}
	if len(moves) == 0 {
		for _, p := range g.side {
			if p.open && len(g.accidents) == 0 {
				g.t.Fatalf("nothing has happened, and the %v waits for %v", p.s.Role(), p.s.Timer().Wait)
			}
			if p.open {
				moves = append(moves, move{"has waited too long", func() { g.hurt = true; p.s.Expired() }})
			}
		}
	}
	if len(moves) == 0 {
		return false
	}
	m := rapid.SampledFrom(moves).Draw(g.t, "move")
	m.do()
	for _, p := range g.side {
		g.settle(p)
	}
	return true
}

// transport adds what a driver does by itself.
func (g *game) transport(moves []move, p *player) []move {
	if !p.open {
		return moves
	}
	if p.s.Over() {
		return append(moves, move{"closes", func() { p.close() }})
	}
	if p.out != nil && (!p.peer.open || len(p.peer.in) < room || p.left) {
		moves = append(moves, move{"writes", func() { g.write(p) }})
	}
	if p.s.Reading() && (len(p.in) > 0 || !p.peer.open) {
		moves = append(moves, move{"reads", func() { g.read(p) }})
	}
	return moves
}

// accident adds what ends a conversation early.
func (g *game) accident(moves []move, p *player) []move {
	end := func(name string, f func()) { moves = append(moves, move{name, func() { g.hurt = true; f() }}) }
	end("fails", func() { p.s.Abort(syncproto.Report{Code: syncproto.CodeSetup}) })
	end("cancels", func() { p.s.Cancel(rapid.String().Draw(g.t, "reason")) })
	if p.s.Timer().Wait != syncproto.WaitGrace || len(p.in) == 0 && !p.peer.open {
		end("has waited too long", p.s.Expired)
	}
	if p.s.Role() == parent || p.s.State() != syncproto.Committed { // of a child that is success
		end("closes", p.s.Close)
	}
	return moves
}

// decisions adds the decisions of a caller.
func (g *game) decisions(moves []move, p *player) []move {
	if !p.open || p.out != nil || !p.s.Live() {
		return moves
	}
	if p.s.Role() == child && p.s.State() == syncproto.Committed {
		moves = append(moves, move{"executes", func() { p.executed = true; p.close() }})
	}
	for _, w := range words {
		s := p.s
		frame, off, err := w(g.t, p, &s)
		if err != nil && s != p.s {
			g.t.Fatalf("a frame that is refused has changed the Session: %v", err)
		}
		if err == nil {
			moves = append(moves, move{"says", func() { p.s, p.out, p.off = s, frame, off }})
		}
	}
	return moves
}

// word makes a frame that a caller may want to send, with a copy of the Session.
type word func(t *rapid.T, p *player, s *session.Session) (frame []byte, off int, err error)

// words are all of them; the Session allows some.
var words = []word{
	simple((*session.Session).Hello),
	func(_ *rapid.T, p *player, s *session.Session) ([]byte, int, error) {
		if s.Role() == child || !s.Agreed() || p.off > 0 && p.off == len(p.config) {
			return nil, p.off, errNone
		}
		return s.Config(nil, p.config, p.off, 0)
	},
	func(_ *rapid.T, p *player, s *session.Session) ([]byte, int, error) {
		b, err := s.Confirm(nil, p.config)
		return b, p.off, err
	},
	request("what"), request("go"), request("open"), request(""), reply(0), reply(1), reply(2),
	func(_ *rapid.T, p *player, s *session.Session) ([]byte, int, error) {
		if s.Pending() == "go" {
			return nil, p.off, errNone // it can be made once, so nothing could follow
		}
		b, err := s.Refuse(nil, syncproto.Report{Code: syncproto.CodeSetup})
		return b, p.off, err
	},
	func(t *rapid.T, p *player, s *session.Session) ([]byte, int, error) {
		b, err := s.Note(nil, syncproto.Note{Level: "info", Text: rapid.String().Draw(t, "line")})
		return b, p.off, err
	},
	simple((*session.Session).Exec),
}

func simple(f func(s *session.Session, dst []byte) ([]byte, error)) word {
	return func(_ *rapid.T, p *player, s *session.Session) ([]byte, int, error) {
		b, err := f(s, nil)
		return b, p.off, err
	}
}

func request(name string) word {
	return func(t *rapid.T, p *player, s *session.Session) ([]byte, int, error) {
		b, err := s.Call(nil, syncproto.KindRequest, syncproto.Call{Name: name, Arg: argument.Draw(t, "argument")}, 0)
		return b, p.off, err
	}
}

func reply(fds int) word {
	return func(_ *rapid.T, p *player, s *session.Session) ([]byte, int, error) {
		b, err := s.Call(nil, syncproto.KindReply, syncproto.Call{Name: s.ReplyName()}, fds)
		return b, p.off, err
	}
}

var errNone = &syncproto.ProtocolError{}

var argument = rapid.OneOf(rapid.Just(syncproto.Value{}), rapid.Map(rapid.String(), syncproto.StringValue),
	rapid.Map(rapid.Int64(), syncproto.IntValue))

// settle does what a driver does after every call.
func (g *game) settle(p *player) {
	if p.out != nil && !p.s.Live() && !p.s.Saying() {
		p.out, p.left = nil, false
		p.s.WriteFailed(false)
	}
	if p.out == nil && p.s.Due() {
		if frame, err := p.s.Say(nil); err == nil {
			p.out = frame
		} else if p.s.Due() {
			g.t.Fatalf("what is due cannot be said: %v", err)
		}
	}
	if p.s.Over() {
		p.out, p.left = nil, false
	}
}

// write sends the outgoing frame, or the beginning of it.
func (g *game) write(p *player) {
	if !p.peer.open {
		p.out, p.left = nil, false
		p.s.WriteFailed(true)
		return
	}
	if !p.left && rapid.Bool().Draw(g.t, "in part") {
		p.left, p.peer.cut = true, true
		p.s.Left()
		return
	}
	h, err := syncproto.ParseHeader(p.out)
	if err != nil {
		g.t.Fatal(err)
	}
	if p.words > 0 {
		g.t.Fatalf("%v after the last word", h.Kind)
	}
	if h.Kind == syncproto.KindCancel || h.Kind == syncproto.KindError && h.Re == 0 {
		p.words++
	}
	if h.Kind == syncproto.KindError && h.Re == 0 {
		var r syncproto.Report
		err := codec.Decode(codec.JSON(), p.out[syncproto.HeaderSize:], &r, syncproto.Limits{}, true)
		if err != nil || r.Role != p.s.Role().String() {
			g.t.Fatalf("%q: %v", p.out[syncproto.HeaderSize:], err)
		}
		p.said = append(p.said, r.Code)
	}
	p.peer.in, p.peer.cut = append(p.peer.in, p.out), false
	p.out, p.left = nil, false
	p.s.Written()
}

func (g *game) read(p *player) {
	if len(p.in) == 0 {
		p.s.EndOfFile(p.cut)
		return
	}
	frame := p.in[0]
	p.in = p.in[1:]
	ev, err := receive(&p.s, frame)
	if err != nil {
		g.t.Fatalf("of two honest sides one has broken the protocol: %v", err)
	}
	switch ev.Kind {
	case session.Config:
		p.config = append(p.config, ev.Bytes...)
	case session.Error:
		p.heard = append(p.heard, ev.Report.Code)
	case session.Cancel:
		if p.s.Live() {
			p.s.Abort(syncproto.Report{Code: syncproto.CodeCancelled})
		}
	}
}

func (p *player) close() { p.open, p.in, p.out = false, nil, nil }

// judge checks what must hold at the end.
func (g *game) judge() {
	p, c := g.side[parent], g.side[child]
	pv, cv := p.s.Verdict(), c.s.Verdict()
	said := func(x *player) bool { return len(x.said) > 0 }
	own := func(o syncproto.Outcome) bool { // its own decision
		return o == syncproto.Cancelled || o == syncproto.TimedOut || o == syncproto.LocalError
	}
	switch {
	case !p.s.Over() || !c.s.Over() && !c.executed:
		g.t.Fatal("a side that has closed is not over")
	case pv.Outcome == syncproto.Undecided || cv.Outcome == syncproto.Undecided && !c.executed:
		g.t.Fatal("there is no verdict")
	case pv.Outcome == syncproto.Violated || cv.Outcome == syncproto.Violated:
		g.t.Fatal("a violation of two honest sides")
	case cv.Outcome == syncproto.Success:
		g.t.Fatal("the child cannot know of success")
	case pv.Outcome == syncproto.Success && c.s.State() != syncproto.Committed && cv.State != syncproto.Committed:
		g.t.Fatal("success without EXEC")
	case pv.Outcome == syncproto.Success && said(c):
		g.t.Fatal("success over a failure of the child")
	case !g.hurt && (!c.executed || pv.Outcome != syncproto.Success):
		g.t.Fatalf("a conversation that nothing disturbed is %v", pv.Outcome)
	case len(p.said) > 1 || len(c.said) > 1 || len(p.heard) > 1 || len(c.heard) > 1:
		g.t.Fatal("two last words")
	}
	for _, x := range g.side {
		if len(x.heard) > 0 && (!said(x.peer) || x.heard[0] != x.peer.said[0]) {
			g.t.Fatalf("the %v has heard %v, and %v was said", x.s.Role(), x.heard, x.peer.said)
		}
		if o := x.s.Verdict().Outcome; o == syncproto.PeerError && len(x.heard) == 0 {
			g.t.Fatalf("the %v says %v of nothing", x.s.Role(), o)
		} else if len(x.heard) > 0 && o != syncproto.PeerError && !own(o) {
			g.t.Fatalf("the %v says %v of %v", x.s.Role(), o, x.heard)
		}
		if !x.executed {
			checkFinished(g.t, x.s)
		}
	}
}
