package transport_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/session"
	"github.com/handfast/handfast/syncproto/transport"
)

// rawPeer is a peer that sends any frames it likes, over any link; only their numbering is correct.
type rawPeer struct {
	*transport.Conn
	seq uint16
}

func (r *rawPeer) send(k syncproto.Kind, re uint16, payload string) error {
	return r.sendFlagged(k, 0, re, payload)
}

func (r *rawPeer) sendFlagged(k syncproto.Kind, flags uint8, re uint16, payload string) error {
	r.seq++
	h := syncproto.Header{Kind: k, Flags: flags, Seq: r.seq, Re: re, Length: uint32(len(payload))}
	return r.WriteFrame(h, []byte(payload), nil)
}

// skippable is a frame of an unknown kind that may be skipped.
func (r *rawPeer) skippable() error { return r.sendFlagged(200, syncproto.FlagSkippable, 0, "") }

func (r *rawPeer) recv() syncproto.Header {
	h, _, fds, err := r.ReadFrame(all)
	transport.CloseAll(fds)
	if err != nil {
		return syncproto.Header{}
	}
	return h
}

// opened acknowledges HELLO and CONFIG as a child does.
func (r *rawPeer) opened() {
	r.recv()
	r.recv()
	_ = r.send(syncproto.KindHelloAck, 1, ackJSON)
	_ = r.send(syncproto.KindConfigOK, 2, configOK)
}

// rawChild runs f at the other end of a new Parent until the test ends, and closes its end after it.
func rawChild(t *testing.T, l link, o transport.Options, f func(r *rawPeer)) *transport.Parent {
	t.Helper()
	a, b := l.make(t)
	o.Codecs = inJSON
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait) // after the Parent has closed
	p := newParent(t, a, o)
	wg.Go(func() {
		f(&rawPeer{Conn: b})
		_ = b.Close()
	})
	return p
}

// helloJSON is a parent's greeting of the profile init.
func helloJSON(t *testing.T) string {
	t.Helper()
	s, err := session.New(syncproto.Parent, &session.Settings{Profile: container.InitProfile(), Codecs: inJSON})
	if err != nil {
		t.Fatal(err)
	}
	frame, err := s.Hello(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(frame[syncproto.HeaderSize:])
}

// rawParent runs f at the other end of a new Child until the test ends, and closes its end after it.
func rawParent(t *testing.T, l link, o transport.Options, f func(r *rawPeer)) *transport.Child {
	t.Helper()
	a, b := l.make(t)
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait) // after the Child has closed
	c, err := transport.NewChild(b, container.InitProfile(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	wg.Go(func() {
		f(&rawPeer{Conn: a})
		_ = a.Close()
	})
	return c
}

// ended returns the outcome in err.
func ended(err error) syncproto.Outcome {
	var f *transport.Failure
	if !errors.As(err, &f) {
		return syncproto.Undecided
	}
	return f.Outcome
}

// untilError calls f until it fails, with a pause before each call.
func untilError(pause time.Duration, f func() error) {
	for {
		time.Sleep(pause)
		if f() != nil {
			return
		}
	}
}

// longDeadlines are deadlines that a test never waits for, with one changed that it does wait for.
func longDeadlines() transport.Deadlines {
	const never = time.Hour
	return transport.Deadlines{
		Hello: never, Config: never, Idle: never, Exec: never, Write: never, Grace: time.Millisecond,
	}
}

// patient are wide for a peer that closes its end, so that nothing is cut short on a slow machine.
func patient() transport.Deadlines {
	d := longDeadlines()
	d.Grace = d.Idle
	return d
}
