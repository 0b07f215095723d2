package session_test

import (
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/session"
)

// event is something that can happen to a side.
type event struct {
	name string
	do   func(e *testSide)
}

var (
	aborts   = event{"aborts", func(e *testSide) { e.s.Abort(syncproto.Report{Code: syncproto.CodeSetup}); e.sendDue() }}
	cancels  = event{"cancels", func(e *testSide) { e.s.Cancel("enough"); e.sendDue() }}
	expires  = event{"has waited too long", func(e *testSide) { e.s.Expired(); e.sendDue() }}
	violates = event{"finds a violation", func(e *testSide) { e.s.Violate(violation); e.sendDue() }}
	nothing  = event{"has nothing to read", func(e *testSide) { e.s.Quiet(false) }}
	halfway  = event{"has nothing to read after a part of a frame", func(e *testSide) { e.s.Quiet(true) }}
	ends     = event{"reads end of file", func(e *testSide) { e.s.EndOfFile(false) }}
	torn     = event{"reads a frame cut short", func(e *testSide) { e.s.EndOfFile(true) }}
	cannot   = event{"cannot read", func(e *testSide) { e.s.ReadFailed() }}
	gone     = event{"learns of the exit", func(e *testSide) { e.s.Exited() }}
	closes   = event{"closes", func(e *testSide) { e.s.Close() }}

	fails = event{"the peer fails", func(e *testSide) { e.peer.s.Abort(report(syncproto.CodeSetup)); e.receiveAll() }}
	obeys = event{"the peer obeys", func(e *testSide) {
		e.peer.s.Abort(report(syncproto.CodeCancelled))
		e.receiveAll()
	}}
	stopped  = event{"the peer cancels", func(e *testSide) { e.peer.s.Cancel("stop"); e.receiveAll() }}
	requests = event{"the peer requests", func(e *testSide) { e.peer.call(syncproto.KindRequest, "open"); e.receiveAll() }}
	commits  = event{"the peer says EXEC", func(e *testSide) { e.peer.send(e.peer.s.Exec(nil)); e.receiveAll() }}

	// A write fails because the peer has closed its end, or finds no room for the rest of a frame.
	breaks = event{"writes in vain", func(e *testSide) { e.begin(); e.s.WriteFailed(true) }}
	sticks = event{"writes in part", func(e *testSide) { e.begin(); e.s.Left(); e.s.Expired(); e.s.WriteFailed(false) }}
)

func report(c syncproto.Code) syncproto.Report { return syncproto.Report{Code: c} }

var violation = &syncproto.ProtocolError{Code: syncproto.CodeForeign, Text: "no frame"}

// receiveAll receives every frame that the peer has sent.
func (e *testSide) receiveAll() {
	e.t.Helper()
	e.peer.sendDue()
	for len(e.in) > 0 {
		_, _ = e.next()
	}
}

// begin makes a frame and sends its first byte.
func (e *testSide) begin() {
	e.t.Helper()
	var err error
	if e.s.Role() == parent {
		_, err = e.s.Call(nil, syncproto.KindReply, syncproto.Call{Name: "opened"}, 0)
	} else {
		_, err = e.s.Note(nil, syncproto.Note{Level: "info", Text: "a line"})
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// The verdict is decided by rank, not by order.
func TestCausesAreRanked(t *testing.T) {
	for _, tt := range []struct {
		side   syncproto.Role
		events []event
		want   syncproto.Outcome
	}{
		{parent, []event{ends}, syncproto.Died},
		{parent, []event{torn}, syncproto.Died},
		{parent, []event{cannot}, syncproto.Broken},
		{parent, []event{closes}, syncproto.Broken},
		{parent, []event{commits, ends}, syncproto.Success},
		{parent, []event{commits, torn}, syncproto.Died},
		{parent, []event{commits, cannot}, syncproto.Broken},
		{parent, []event{commits, fails}, syncproto.PeerError},
		{parent, []event{commits, gone, ends}, syncproto.Success},
		{parent, []event{commits, gone, nothing}, syncproto.Success}, // somebody else has a copy of its socket
		{parent, []event{commits, gone, halfway}, syncproto.Died},
		{parent, []event{commits, gone, fails}, syncproto.PeerError},

		// Its own ERROR stands, whatever follows.
		{parent, []event{aborts, fails}, syncproto.LocalError},
		{parent, []event{aborts, ends}, syncproto.LocalError},
		{parent, []event{aborts, violates, expires}, syncproto.LocalError},
		{child, []event{aborts}, syncproto.LocalError},

		// The peer's ERROR outranks everything observed of its end, except an ERROR that only obeys a CANCEL.
		{parent, []event{fails}, syncproto.PeerError},
		{parent, []event{cancels, fails}, syncproto.PeerError},
		{parent, []event{cancels, obeys}, syncproto.Cancelled},
		{parent, []event{expires, fails}, syncproto.PeerError},
		{parent, []event{expires, obeys}, syncproto.TimedOut},
		{parent, []event{violates, fails}, syncproto.PeerError},
		{parent, []event{violates, obeys}, syncproto.PeerError},
		{parent, []event{requests, breaks, fails}, syncproto.PeerError},
		{parent, []event{gone, fails}, syncproto.PeerError},
		{child, []event{fails}, syncproto.PeerError},
		{child, []event{breaks, fails}, syncproto.PeerError},

		// A violation explains the end of a connection.
		{parent, []event{requests, breaks, violates, ends}, syncproto.Violated},
		{parent, []event{cancels, violates, expires}, syncproto.Cancelled},
		{parent, []event{violates, expires}, syncproto.Violated},
		{child, []event{violates}, syncproto.Violated},

		// Of a cancellation and a deadline, the first one stands.
		{parent, []event{cancels, expires}, syncproto.Cancelled},
		{parent, []event{expires, cancels, ends}, syncproto.TimedOut},
		{child, []event{expires}, syncproto.TimedOut},
		{child, []event{cancels}, syncproto.Cancelled},

		// A write that failed because of the end becomes a death once the end is read, unless a frame before it explains the
		// end.
		{parent, []event{requests, breaks, ends}, syncproto.Died},
		{parent, []event{requests, breaks, nothing}, syncproto.Broken},
		{parent, []event{requests, breaks, expires}, syncproto.Broken},
		{child, []event{breaks, ends}, syncproto.Died},
		{child, []event{breaks, nothing}, syncproto.Broken},
		{child, []event{breaks, stopped, ends}, syncproto.Cancelled},
		{child, []event{cannot}, syncproto.Broken},

		// What a process sent before it ended is read, but its requests are dropped.
		{parent, []event{gone, nothing}, syncproto.Died},
		{parent, []event{gone, requests, nothing}, syncproto.Died},
		{parent, []event{gone, requests, fails}, syncproto.PeerError},

		// A frame sent only in part breaks the connection, but the peer's frames are still read.
		{parent, []event{requests, sticks, nothing, fails}, syncproto.PeerError},
		{parent, []event{requests, sticks, ends}, syncproto.TimedOut},
		{child, []event{sticks}, syncproto.TimedOut},
	} {
		name := "the " + tt.side.String()
		for _, ev := range tt.events {
			name += ", " + ev.name
		}
		t.Run(name, func(t *testing.T) {
			p, c := at(t, syncproto.Configured)
			e := p
			if tt.side == child {
				e = c
			}
			for _, ev := range tt.events {
				if e.s.Over() {
					t.Errorf("it is over before %q", ev.name)
				}
				ev.do(e)
			}
			if v := e.s.Verdict(); v.Outcome != tt.want || !e.s.Over() {
				t.Errorf("%v, over %v; want %v", v.Outcome, e.s.Over(), tt.want)
			}
			checkFinished(t, e.s)
		})
	}
}

// checkFinished checks that a Session whose conversation is over sends, accepts and changes nothing more.
func checkFinished(t tester, s session.Session) {
	t.Helper()
	was := s
	_, frames := tryAllFrames(&s)
	if frames != 0 || s.Due() || s.Reading() {
		t.Errorf("after the end it makes %d frames (due %v, reading %v)", frames, s.Due(), s.Reading())
	}
	if _, err := s.Say(nil); err == nil {
		t.Errorf("after the end it says something")
	}
	s.Abort(syncproto.Report{})
	s.Cancel("")
	s.Expired()
	s.Quiet(false)
	s.Violate(violation)
	last := frameBytes(syncproto.Header{Kind: syncproto.KindError, Seq: 99}, "{}")
	if ev, _ := receive(&s, last); ev.Kind != session.Nothing {
		t.Errorf("after the end it tells of %+v", ev)
	}
	if s != was {
		t.Errorf("after the end it has changed from %+v to %+v", was, s)
	}
	if w := s.Timer().Wait; w != syncproto.WaitNothing {
		t.Errorf("after the end it waits for %v", w)
	}
	if s.State() != syncproto.Closed && s.State() != syncproto.Failed {
		t.Errorf("after the end it is in %v", s.State())
	}
}

// tryAllFrames tries every method that makes a frame, each on a copy of the Session. It returns how many were tried and
// how many succeeded.
func tryAllFrames(s *session.Session) (tried, made int) {
	for _, f := range []func(s *session.Session) ([]byte, error){
		func(s *session.Session) ([]byte, error) { return s.Hello(nil) },
		func(s *session.Session) ([]byte, error) { b, _, err := s.Config(nil, config, 0, 0); return b, err },
		func(s *session.Session) ([]byte, error) { return s.Confirm(nil, config) },
		func(s *session.Session) ([]byte, error) {
			return s.Call(nil, syncproto.KindRequest, syncproto.Call{Name: "open"}, 0)
		},
		func(s *session.Session) ([]byte, error) {
			return s.Call(nil, syncproto.KindReply, syncproto.Call{Name: "opened"}, 0)
		},
		func(s *session.Session) ([]byte, error) { return s.Refuse(nil, syncproto.Report{}) },
		func(s *session.Session) ([]byte, error) { return s.Note(nil, syncproto.Note{Level: "info"}) },
		func(s *session.Session) ([]byte, error) { return s.Exec(nil) },
	} {
		tried++
		c := *s
		if b, err := f(&c); err == nil || len(b) > 0 {
			made++
		} else if c != *s {
			made = -1 << 20 // a refusal that changes something
		}
	}
	return tried, made
}

// A last word is sent even to a peer that has shut down its sending: it may still read after its end of file.
func TestALastWordIsToldAfterTheEndOfFile(t *testing.T) {
	for name, do := range map[string]event{"end of file": ends, "a failure to read": cannot} {
		t.Run(name, func(t *testing.T) {
			_, c := at(t, syncproto.Committed)
			c.s.Abort(syncproto.Report{Code: syncproto.CodeExec})
			frame, err := c.s.Say(nil)
			if do.do(c); c.s.Over() || c.s.Reading() {
				t.Fatalf("over %v, reading %v", c.s.Over(), c.s.Reading())
			}
			c.send(frame, err)
			if ev := c.peer.receiveEvent(session.Error); ev.Report.Code != syncproto.CodeExec {
				t.Errorf("the parent hears %v", ev.Report.Code)
			}
			if c.peer.s.Verdict().Outcome != syncproto.PeerError || !c.s.Over() || !c.s.Told() {
				t.Errorf("the parent says %v", c.peer.s.Verdict().Outcome)
			}
		})
	}
}

// A child whose execution failed keeps its end open until it has reported that: end of file alone would mean success.
func TestAChildThatHasSaidEXECDoesNotGiveUp(t *testing.T) {
	_, c := at(t, syncproto.Committed)
	c.s.Abort(syncproto.Report{Code: syncproto.CodeExec})
	frame, err := c.s.Say(nil)
	if w := c.s.Timer().Wait; w != syncproto.WaitNothing {
		t.Errorf("it waits for %v, which has a bound", w)
	}
	if c.s.Expired(); c.s.Over() {
		t.Fatal("it gives up")
	}
	c.send(frame, err)
	if c.peer.receiveEvent(session.Error); c.peer.s.Verdict().Outcome != syncproto.PeerError {
		t.Errorf("the parent says %v", c.peer.s.Verdict().Outcome)
	}

	_, c = at(t, syncproto.Configured) // before EXEC the end is a death, so nothing hangs on it
	c.s.Abort(syncproto.Report{Code: syncproto.CodeSetup})
	if w := c.s.Timer().Wait; w != syncproto.WaitTold {
		t.Errorf("it waits for %v", w)
	}
	if c.s.Expired(); !c.s.Over() {
		t.Error("it does not give up")
	}
}

// The code of an ERROR says why its side ended the conversation; a parent that only gives up sends CANCEL.
func TestTheLastWordSaysWhy(t *testing.T) {
	for _, tt := range []struct {
		side syncproto.Role
		why  event
		kind syncproto.Kind
		code syncproto.Code
	}{
		{parent, aborts, syncproto.KindError, syncproto.CodeSetup},
		{parent, violates, syncproto.KindError, syncproto.CodeForeign},
		{parent, cancels, syncproto.KindCancel, ""},
		{parent, expires, syncproto.KindCancel, ""},
		{child, aborts, syncproto.KindError, syncproto.CodeSetup},
		{child, violates, syncproto.KindError, syncproto.CodeForeign},
		{child, cancels, syncproto.KindError, syncproto.CodeCancelled},
		{child, expires, syncproto.KindError, syncproto.CodeTimeout},
	} {
		t.Run("the "+tt.side.String()+" "+tt.why.name, func(t *testing.T) {
			p, c := at(t, syncproto.Configured)
			e := p
			if tt.side == child {
				e = c
			}
			tt.why.do(e)
			h, err := syncproto.ParseHeader(e.peer.in[0])
			if err != nil || h.Kind != tt.kind || len(e.peer.in) != 1 {
				t.Fatalf("%d words, the first is %v", len(e.peer.in), h.Kind)
			}
			ev, err := e.peer.next()
			if err != nil || ev.Report.Code != tt.code {
				t.Errorf("code %q, want %q: %v", ev.Report.Code, tt.code, err)
			}
			r := ev.Report
			at := r.Role == tt.side.String() && r.State == "Configured" && r.Phase == "work"
			if h.Kind == syncproto.KindError && !at {
				t.Errorf("%+v", r)
			}
		})
	}
}
