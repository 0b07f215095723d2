package session_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/session"
)

// After a refusal the conversation goes on, the same request may be made again, and a required request is still
// required.
func TestARefusalGoesOn(t *testing.T) {
	for _, requester := range []syncproto.Role{parent, child} {
		t.Run(requester.String(), func(t *testing.T) {
			p, c := pair(t)
			greet(p, c)
			configure(p, c)
			from, other, request := p, c, "what"
			if requester == child {
				work(p, c)
				from, other, request = c, p, "open"
			}
			for range 2 {
				from.call(syncproto.KindRequest, request)
				other.receiveEvent(session.Request)
				other.send(other.s.Refuse(nil, syncproto.Report{Code: syncproto.CodeSetup}))
				ev := from.receiveEvent(session.Refused)
				if ev.Report.Code != syncproto.CodeSetup || ev.Report.Request != request {
					t.Errorf("refused with %+v", ev.Report)
				}
				if !from.s.Live() || !other.s.Live() || from.s.Pending() != "" || other.s.Pending() != "" {
					t.Fatal("the refusal has ended the conversation, or left the request open")
				}
			}
			if requester == parent {
				if _, err := c.s.Exec(nil); err == nil {
					t.Error("EXEC without what is required")
				}
				work(p, c)
			}
			commit(p, c)
			if ends.do(p); p.s.Verdict().Outcome != syncproto.Success {
				t.Errorf("%+v", p.s.Verdict())
			}
		})
	}
}

// Without a pending request nothing can be refused: an ERROR without a request would end the conversation.
func TestOnlyARequestIsRefused(t *testing.T) {
	p, c := at(t, syncproto.Configured)
	for _, e := range []*testSide{p, c} {
		was := e.s
		if b, err := e.s.Refuse(nil, syncproto.Report{}); err == nil || len(b) > 0 || e.s != was {
			t.Errorf("the %v refuses nothing: %v", e.s.Role(), err)
		}
	}
}

// The parent compares what was confirmed with what it has sent.
func TestAnotherConfigurationIsNotConfirmed(t *testing.T) {
	for name, other := range map[string]string{
		"other bytes": `{"name":"two"}`,
		"fewer bytes": `{"name":"on`,
		"more bytes":  `{"name":"one"} `,
		"nothing":     ``,
	} {
		t.Run(name, func(t *testing.T) {
			p, c := at(t, syncproto.Agreed)
			frame, _, err := p.s.Config(nil, config, 0, 0)
			p.send(frame, err)
			c.receiveEvent(session.Config)
			c.send(c.s.Confirm(nil, []byte(other)))
			_, err = p.next()
			if !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeDecode}) {
				t.Fatalf("%v", err)
			}
			for _, want := range []string{syncproto.Digest(config), syncproto.Digest([]byte(other))} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not name the digest %s", err, want)
				}
			}
			p.sendDue()
			if ev := c.receiveEvent(session.Error); ev.Report.Code != syncproto.CodeDecode {
				t.Errorf("the child hears %v", ev.Report.Code)
			}
			if p.s.Verdict().Outcome != syncproto.Violated || c.s.Verdict().Outcome != syncproto.PeerError {
				t.Errorf("%v and %v", p.s.Verdict().Outcome, c.s.Verdict().Outcome)
			}
		})
	}
}

// A configuration arrives complete, in fragments of the size that the limits require.
func TestAConfigurationInFragments(t *testing.T) {
	p, c := at(t, syncproto.Agreed)
	whole := []byte(strings.Repeat("0123456789", 250))
	var got []byte
	for off := 0; off < len(whole); {
		frame, next, err := p.s.Config(nil, whole, off, 1)
		if err != nil || next <= off || len(frame) > syncproto.HeaderSize+1024 {
			t.Fatalf("%d bytes from %d to %d: %v", len(frame), off, next, err)
		}
		if h, _ := syncproto.ParseHeader(frame); (h.NFDs == 1) != (off == 0) {
			t.Errorf("%d descriptors with the fragment at %d", h.NFDs, off)
		}
		off = next
		p.send(frame, nil)
		ev := c.receiveEvent(session.Config)
		if got = append(got, ev.Bytes...); ev.Last != (off == len(whole)) {
			t.Errorf("last is %v at %d", ev.Last, off)
		}
	}
	c.send(c.s.Confirm(nil, got))
	p.receiveEvent(session.Confirmed)
}

// A frame that the sender's own Session refuses has no effect, so the caller may send another.
func TestARefusedFrameChangesNothing(t *testing.T) {
	for s := syncproto.Opened; s <= syncproto.Committed; s++ {
		p, c := at(t, s)
		for _, e := range []*testSide{p, c} {
			if _, made := tryAllFrames(&e.s); made < 0 {
				t.Errorf("%v: a frame that the %v may not send has changed its Session", s, e.s.Role())
			}
		}
	}
	p, _ := at(t, syncproto.Agreed)
	was := p.s
	big := make([]byte, p.s.Limits().Config+1)
	_, off, err := p.s.Config(nil, big, 0, 0)
	if !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeLimit}) || off != 0 || p.s != was {
		t.Errorf("a configuration over its limit: %v", err)
	}
	if _, off, err := p.s.Config(nil, config, 0, 9); err == nil || off != 0 || p.s != was {
		t.Errorf("more descriptors than the profile allows: %v", err)
	}
}

// Only one frame can be outgoing at a time.
func TestTheFrameBeforeMustHaveLeft(t *testing.T) {
	_, c := at(t, syncproto.Configured)
	c.begin()
	was := c.s
	if b, err := c.s.Exec(nil); err == nil || len(b) > 0 || c.s != was {
		t.Errorf("a second frame is made: %v", err)
	}
	c.s.WriteFailed(false) // nothing of it has left, so it was never sent
	c.send(c.s.Exec(nil))
	c.peer.receiveEvent(session.Exec)
}

// A frame of an unknown kind is skipped in every state if it is marked SKIPPABLE, and is a violation otherwise.
func TestSkippable(t *testing.T) {
	for s := syncproto.Opened; s <= syncproto.Committed; s++ {
		for _, r := range []syncproto.Role{parent, child} {
			p, c := at(t, s)
			e := p
			if r == child {
				e = c
			}
			h := syncproto.Header{Kind: 200, Flags: syncproto.FlagSkippable, Seq: seqTo(e)}
			ev, err := receive(&e.s, frameBytes(h, "whatever"))
			if err != nil || ev.Kind != session.Nothing || !e.s.Live() || e.s.State() != s {
				t.Errorf("%v, to the %v: event %d in %v, %v", s, r, ev.Kind, e.s.State(), err)
			}
			h.Flags, h.Seq = 0, h.Seq+1
			_, err = receive(&e.s, frameBytes(h, "whatever"))
			if !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeFrame}) ||
				e.s.Verdict().Outcome != syncproto.Violated {
				t.Errorf("%v, to the %v, not to be skipped: %v", s, r, err)
			}
		}
	}
}

// seqTo returns the sequence number of the next frame to e.
func seqTo(e *testSide) uint16 {
	for seq := uint16(1); ; seq++ {
		s := e.s
		if s.Admit(syncproto.Header{Kind: 200, Flags: syncproto.FlagSkippable, Seq: seq}) == nil {
			return seq
		}
	}
}

// Frames of the peer extend only the wait for its next one, even if they are a NOTE, a fragment, or skipped.
func TestDeadlinesThatFramesDoNotExtend(t *testing.T) {
	note := func(seq uint16) []byte {
		return frameBytes(syncproto.Header{Kind: syncproto.KindNote, Seq: seq}, `{"level":"info","text":"a line"}`)
	}
	skipped := func(seq uint16) []byte {
		return frameBytes(syncproto.Header{Kind: 200, Flags: syncproto.FlagSkippable, Seq: seq}, "")
	}
	fragment := func(seq uint16) []byte {
		return frameBytes(syncproto.Header{Kind: syncproto.KindConfig, Flags: syncproto.FlagMore, Seq: seq}, `{"a":`)
	}
	for _, tt := range []struct {
		name    string
		side    syncproto.Role
		in      syncproto.State
		frame   func(seq uint16) []byte
		wait    syncproto.Wait
		extends bool
	}{
		{"a skipped frame", parent, syncproto.Greeted, skipped, syncproto.WaitHello, false},
		{"a skipped frame", child, syncproto.Opened, skipped, syncproto.WaitHello, false},
		{"a skipped frame", parent, syncproto.Agreed, skipped, syncproto.WaitConfig, false},
		{"a NOTE", parent, syncproto.Agreed, note, syncproto.WaitConfig, false},
		{"a skipped frame", child, syncproto.Agreed, skipped, syncproto.WaitConfig, false},
		{"a fragment", child, syncproto.Agreed, fragment, syncproto.WaitConfig, false},
		{"a skipped frame", parent, syncproto.Configured, skipped, syncproto.WaitPeer, true},
		{"a NOTE", parent, syncproto.Configured, note, syncproto.WaitPeer, true},
		{"a skipped frame", parent, syncproto.Committed, skipped, syncproto.WaitEnd, false},
	} {
		t.Run(tt.name+" while the "+tt.side.String()+" waits for "+tt.wait.String(), func(t *testing.T) {
			p, c := at(t, tt.in)
			e := p
			if tt.side == child {
				e = c
			}
			for range 3 {
				before := e.s.Timer()
				if before.Wait != tt.wait {
					t.Fatalf("it waits for %v", before.Wait)
				}
				if _, err := receive(&e.s, tt.frame(seqTo(e))); err != nil {
					t.Fatal(err)
				}
				if after := e.s.Timer(); (after != before) != tt.extends {
					t.Errorf("from %+v to %+v", before, after)
				}
			}
		})
	}
}

// Nor do they extend the wait after the outcome is known: reading comes to an end.
func TestFramesDoNotExtendTheDrain(t *testing.T) {
	p, c := at(t, syncproto.Configured)
	cancels.do(p)
	before := p.s.Timer()
	if before.Wait != syncproto.WaitGrace {
		t.Fatalf("it waits for %v", before.Wait)
	}
	c.send(c.s.Note(nil, syncproto.Note{Level: "info", Text: "a line"}))
	if ev := p.receiveEvent(session.Nothing); p.s.Timer() != before || ev.Note.Text != "" {
		t.Errorf("from %+v to %+v", before, p.s.Timer())
	}
	if p.s.Expired(); !p.s.Over() {
		t.Error("the drain does not end")
	}
}

// If the two sides have different tables, the child finds out and reports it before anything happens.
func TestAnotherTable(t *testing.T) {
	p, _ := pair(t)
	other := worker()
	other.Phases[1].Rows[0].Max = 1
	c := &testSide{t: t, peer: p}
	c.s = newSession(t, child, session.Settings{Profile: other, Codecs: codec.BuiltIn()})
	p.peer = c
	p.send(p.s.Hello(nil))
	if _, err := c.next(); !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeProfile}) {
		t.Fatalf("%v", err)
	}
	c.sendDue()
	if ev := p.receiveEvent(session.Error); ev.Report.Code != syncproto.CodeProfile {
		t.Errorf("the parent hears %v", ev.Report.Code)
	}
	if c.s.Verdict().Outcome != syncproto.LocalError || p.s.Verdict().Outcome != syncproto.PeerError {
		t.Errorf("%v and %v", c.s.Verdict().Outcome, p.s.Verdict().Outcome)
	}
}

// A copy is independent, and equal Sessions behave alike.
func TestASessionIsAValue(t *testing.T) {
	p, c := at(t, syncproto.Configured)
	before := c.s
	c.call(syncproto.KindRequest, "open")
	if c.s == before || before.Pending() != "" || c.s.Pending() != "open" {
		t.Errorf("pending %q, and in the copy %q", c.s.Pending(), before.Pending())
	}
	again := before
	frame, err := again.Call(nil, syncproto.KindRequest, syncproto.Call{Name: "open"}, 0)
	if again.Written(); err != nil || string(frame) != string(p.in[0]) || again != c.s {
		t.Errorf("the copy says %q, %v", frame, err)
	}
}

func TestSettingsThatNoConversationIsPossibleWith(t *testing.T) {
	long := namedCodec{codec.JSON(), strings.Repeat("x", codec.MaxName+1)}
	json := []codec.Codec{codec.JSON()}
	invalid := worker()
	invalid.Phases[0].Rows[1].Next = "nowhere"
	for name, set := range map[string]*session.Settings{
		"none":                nil,
		"no profile":          {Codecs: json},
		"an invalid profile":  {Profile: invalid, Codecs: json},
		"no codec":            {Profile: worker()},
		"a nil codec":         {Profile: worker(), Codecs: []codec.Codec{nil}},
		"a codec twice":       {Profile: worker(), Codecs: append(json, codec.JSON())},
		"a codec's long name": {Profile: worker(), Codecs: []codec.Codec{long}},
		"a codec's no name":   {Profile: worker(), Codecs: []codec.Codec{namedCodec{codec.JSON(), ""}}},
		"limits too low":      {Profile: worker(), Codecs: json, Limits: syncproto.Limits{Control: 1}},
	} {
		if _, err := session.New(parent, set); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	p, _ := pair(t)
	if err := p.s.Narrow(nil); err == nil {
		t.Error("narrowed to no profile")
	}
}

// namedCodec is a codec with another name.
type namedCodec struct {
	codec.Codec
	name string
}

func (n namedCodec) Name() string { return n.name }
