package transport_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

// shortDeadlines are for peers that will not reply. If a peer does reply, long deadlines keep slow machines from
// mattering.
var shortDeadlines = transport.Deadlines{Hello: 50 * time.Millisecond, Config: 50 * time.Millisecond,
	Idle: 50 * time.Millisecond, Exec: 50 * time.Millisecond, Write: 50 * time.Millisecond, Grace: 20 * time.Millisecond}

// child runs f as the child's side of c until the test ends.
func child(t *testing.T, c *transport.Conn, o transport.Options, f func(ctx context.Context,
	p *transport.Child) error) {
	t.Helper()
	p, err := transport.NewChild(c, container.InitProfile(), o)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	wg.Go(func() {
		if err := f(context.Background(), p); err != nil {
			_ = p.Fail(context.Background(), err)
		}
		_ = p.Close()
	})
}

func newParent(t *testing.T, c *transport.Conn, o transport.Options) *transport.Parent {
	t.Helper()
	p, err := transport.NewParent(c, container.InitProfile(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// open is the child's opening.
func open(ctx context.Context, p *transport.Child) error {
	_, fds, err := p.Accept(ctx)
	transport.CloseAll(fds)
	if err == nil {
		err = p.Confirm(ctx)
	}
	return err
}

// ready is the child's way from the opening to EXEC.
func ready(ctx context.Context, p *transport.Child) error {
	if err := open(ctx, p); err != nil {
		return err
	}
	if _, _, err := p.Call(ctx, "ready", syncproto.Value{}); err != nil {
		return err
	}
	return p.Exec(ctx)
}

// replyToAll replies to every request until the conversation ends, and returns that end.
func replyToAll(t *testing.T, p *transport.Parent) error {
	for {
		req, err := p.Next(t.Context())
		if err != nil {
			return err
		}
		transport.CloseAll(req.FDs)
		var fds []int
		if req.Name == "mount" {
			fds = nulls(t, 1)
		}
		if err := p.Reply(t.Context(), syncproto.StringValue("for "+req.Name), fds...); err != nil {
			return err
		}
	}
}

func text(n int) syncproto.Value {
	return syncproto.MapValue(syncproto.Field{Name: "text", Value: syncproto.StringValue(strings.Repeat("x", n))})
}

func TestConversationOverEveryLink(t *testing.T) {
	for _, l := range links {
		for _, codecs := range [][]codec.Codec{nil, {codec.JSON()}, {codec.JSON(), codec.MessagePack()}} {
			t.Run(l.name, func(t *testing.T) {
				a, b := l.make(t)
				var notes []syncproto.Note
				var events []transport.Event
				p := newParent(t, a, transport.Options{Codecs: codecs, Note: func(n syncproto.Note) { notes = append(notes, n) },
					Trace: func(e transport.Event) { events = append(events, e) }})
				fd := null(t)
				child(t, b, transport.Options{}, func(ctx context.Context, p *transport.Child) error {
					v, fds, err := p.Accept(ctx)
					if err != nil || !v.Equal(text(100000)) || len(fds) != 2 {
						t.Errorf("configuration: %d descriptors, %v", len(fds), err)
					}
					transport.CloseAll(fds)
					// The codec is known from HELLO_ACK on, also to the parent that is still busy.
					if err := errors.Join(p.Note(ctx, "info", "early"), p.Confirm(ctx), p.Note(ctx, "info", "late")); err != nil {
						return err
					}
					for _, name := range []string{"mount", "hooks", "console", "ready"} {
						var mine []int
						if name == "console" {
							mine = []int{fd}
						}
						v, fds, err := p.Call(ctx, name, syncproto.Value{}, mine...)
						if err != nil || !v.Equal(syncproto.StringValue("for "+name)) || (len(fds) == 1) != (name == "mount") {
							t.Errorf("%s: %v, %d descriptors, %v", name, v, len(fds), err)
						}
						transport.CloseAll(fds)
					}
					return p.Exec(ctx)
				})
				if err := p.Open(t.Context(), text(100000), nulls(t, 2)); err != nil {
					t.Fatal(err)
				}
				if err := replyToAll(t, p); err != io.EOF || p.Verdict().Outcome != syncproto.Success {
					t.Errorf("%v, %+v", err, p.Verdict())
				}
				if len(notes) != 2 || notes[1].Text != "late" {
					t.Errorf("notes %v", notes)
				}
				if n := len(events); n < 15 || events[0].Header.Kind != syncproto.KindHello ||
					events[n-2].Header.Kind != syncproto.KindExec || events[n-1].End != syncproto.Success ||
					events[n-1].State != syncproto.Closed || events[n-1].Phase == "" {
					t.Errorf("%d events", n)
				}
			})
		}
	}
}

// scripted is a child that sends arbitrary bytes. It closes fd at the end.
func scripted(t *testing.T, fd int, f func(send func(k syncproto.Kind, re uint16, payload string),
	recv func() syncproto.Header)) {
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	wg.Go(func() {
		defer unix.Close(fd)
		typ, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
		seq, packets := uint16(0), typ == unix.SOCK_SEQPACKET
		buf := make([]byte, 1<<17)
		f(func(k syncproto.Kind, re uint16, payload string) {
			seq++
			h := syncproto.Header{Kind: k, Seq: seq, Re: re, Length: uint32(len(payload))}
			_ = unix.Sendmsg(fd, append(h.Append(nil), payload...), nil, nil, unix.MSG_NOSIGNAL)
		}, func() syncproto.Header {
			if packets {
				n, _ := unix.Read(fd, buf)
				h, _ := syncproto.ParseHeader(buf[:max(n, 0)])
				return h
			}
			if !readFull(fd, buf[:syncproto.HeaderSize]) {
				return syncproto.Header{}
			}
			h, _ := syncproto.ParseHeader(buf)
			readFull(fd, buf[:h.Length])
			return h
		})
	})
}

// readFull reports whether b was filled before the end.
func readFull(fd int, b []byte) bool {
	for len(b) > 0 {
		n, err := unix.Read(fd, b)
		if n <= 0 && err != unix.EINTR {
			return false
		}
		b = b[max(n, 0):]
	}
	return true
}

const ackJSON = `{"version":1,"codec":"json","limits":{"control":4096,"error":32768,"fragment":32768,"message":65536,"config":4194304,"notes":256,"frames":4096,"depth":32},"pid":1}`

var inJSON = []codec.Codec{codec.JSON()}

const report = `{"code":"setup","role":"child","nodes":[{"type":"path","op":"open","path":"/x"},{"parent":1,"type":"errno","errno":"ENOENT"}]}`

// The child's ERROR wins over what becomes of the parent's own writes: the child closes with most of a large
// configuration unread.
func TestEarlyErrorBeatsALargeConfig(t *testing.T) {
	for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
		c, fd := half(t, typ)
		p := newParent(t, c, transport.Options{})
		scripted(t, fd, func(send func(syncproto.Kind, uint16, string), recv func() syncproto.Header) {
			recv()
			send(syncproto.KindError, 0, report)
		})
		err := p.Open(t.Context(), text(4<<20-100), nil)
		var f *transport.Failure
		if !errors.As(err, &f) || f.Outcome != syncproto.PeerError || !errors.Is(err, unix.ENOENT) ||
			!strings.Contains(err.Error(), "open /x") {
			t.Errorf("type %v: %v", typ, err)
		}
	}
}

// An ERROR that arrives while the caller works on a request ends the conversation, whatever happens to the reply.
func TestErrorDuringARequestBeatsTheReply(t *testing.T) {
	c, fd := half(t, transport.SeqPacket)
	p := newParent(t, c, transport.Options{Codecs: inJSON})
	scripted(t, fd, func(send func(syncproto.Kind, uint16, string), recv func() syncproto.Header) {
		recv()
		recv()
		send(syncproto.KindHelloAck, 1, ackJSON)
		send(syncproto.KindConfigOK, 2, `{"size":2,"digest":"`+syncproto.Digest([]byte("{}"))+`"}`)
		send(syncproto.KindRequest, 0, `{"name":"ready","arg":null}`)
		send(syncproto.KindError, 0, report)
	})
	if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
		t.Fatal(err)
	}
	if req, err := p.Next(t.Context()); err != nil || req.Name != "ready" {
		t.Fatal(req, err)
	}
	err := p.Reply(t.Context(), syncproto.Value{})
	if err == nil { // its ERROR was not there yet, or not read
		_, err = p.Next(t.Context())
	}
	var f *transport.Failure
	if !errors.As(err, &f) || f.Outcome != syncproto.PeerError || !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v", err)
	}
}

// Both sides write more than the sockets hold before either has to read.
func TestBothWriteBig(t *testing.T) {
	for _, l := range links {
		a, b := l.make(t)
		notes := 0
		p := newParent(t, a, transport.Options{Codecs: []codec.Codec{codec.MessagePack()},
			Note: func(syncproto.Note) { notes++ }})
		child(t, b, transport.Options{}, func(ctx context.Context, p *transport.Child) error {
			if err := open(ctx, p); err != nil {
				return err
			}
			for range 250 {
				if err := p.Note(ctx, "info", strings.Repeat("n", 4000)); err != nil {
					return err
				}
			}
			_, _, err := p.Call(ctx, "ready", text(60000))
			return errors.Join(err, p.Exec(ctx))
		})
		if err := p.Open(t.Context(), text(4<<20-100), nil); err != nil {
			t.Fatalf("%s: %v", l.name, err)
		}
		if err := replyToAll(t, p); err != io.EOF || notes != 250 {
			t.Errorf("%s: %v, %d notes", l.name, err, notes)
		}
	}
}

func TestRefusalReachesTheChildAsItIs(t *testing.T) {
	a, b := links[1].make(t)
	p := newParent(t, a, transport.Options{})
	child(t, b, transport.Options{}, func(ctx context.Context, p *transport.Child) error {
		if err := open(ctx, p); err != nil {
			return err
		}
		_, _, err := p.Call(ctx, "mount", syncproto.Value{})
		var refused *transport.Refused
		if !errors.As(err, &refused) || !errors.Is(err, unix.EACCES) {
			t.Errorf("the child got %v", err)
		}
		return err
	})
	if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Decline(t.Context(), &unixError{"mount", unix.EACCES}); err != nil {
		t.Fatal(err)
	}
	_, err := p.Next(t.Context()) // the conversation goes on: here the child gives up
	var f *transport.Failure
	if !errors.As(err, &f) || f.Outcome != syncproto.PeerError || !errors.Is(err, unix.EACCES) {
		t.Errorf("%v", err)
	}
}

type unixError struct {
	op  string
	err error
}

func (e *unixError) Error() string { return e.op + ": " + e.err.Error() }
func (e *unixError) Unwrap() error { return e.err }

func TestCancelReachesAChildThatWaits(t *testing.T) {
	a, b := links[3].make(t)
	p := newParent(t, a, transport.Options{})
	child(t, b, transport.Options{}, func(ctx context.Context, p *transport.Child) error {
		if err := open(ctx, p); err != nil {
			return err
		}
		_, _, err := p.Call(ctx, "ready", syncproto.Value{})
		var c *transport.CancelledError
		if !errors.As(err, &c) || !errors.Is(err, context.Canceled) {
			t.Errorf("the child got %v", err)
		}
		return err
	})
	if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the user left"))
	_, err := p.Next(ctx)
	var f *transport.Failure
	if !errors.As(err, &f) || f.Outcome != syncproto.Cancelled || !errors.Is(err, context.Canceled) ||
		!strings.Contains(err.Error(), "the user left") {
		t.Errorf("%v", err)
	}
}

// A child that gives up reports it: its parent need not guess from the end of file.
func TestAChildsDeadlineIsAnErrorOfTheChild(t *testing.T) {
	for _, l := range links {
		a, b := l.make(t)
		p := newParent(t, a, transport.Options{})
		child(t, b, transport.Options{Deadlines: transport.Deadlines{Idle: 20 * time.Millisecond}},
			func(ctx context.Context, p *transport.Child) error {
				if err := open(ctx, p); err != nil {
					return err
				}
				_, _, err := p.Call(ctx, "ready", syncproto.Value{})
				return err
			})
		if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // the child has no patience
		err := p.Reply(t.Context(), syncproto.Value{})
		if err == nil {
			_, err = p.Next(t.Context())
		}
		var f *transport.Failure
		if !errors.As(err, &f) || f.Outcome != syncproto.PeerError || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", l.name, err)
		}
	}
}

// A child's context ends a wait that has no deadline of its own.
func TestAChildsContextEndsItsWait(t *testing.T) {
	for _, l := range links {
		_, b := l.make(t)
		p, err := transport.NewChild(b, container.InitProfile(), transport.Options{Deadlines: transport.Deadlines{Hello: -1}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		if _, _, err := p.Accept(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", l.name, err)
		}
		_ = p.Close()
	}
}

func TestCloseEndsAWait(t *testing.T) {
	for _, l := range links {
		a, _ := l.make(t)
		p := newParent(t, a, transport.Options{})
		time.AfterFunc(20*time.Millisecond, func() { _ = p.Close() })
		if err := p.Open(t.Context(), syncproto.MapValue(), nil); !errors.Is(err, unix.EPIPE) && err == nil {
			t.Errorf("%s: %v", l.name, err)
		}
	}
}

func TestProgrammingMistakesAreErrors(t *testing.T) {
	a, b := links[1].make(t)
	p := newParent(t, a, transport.Options{})
	c, err := transport.NewChild(b, container.InitProfile(), transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"a note before the greeting": c.Note(t.Context(), "info", "x"),
		"EXEC before the greeting":   c.Exec(t.Context()),
		"a request before the greeting": func() error {
			_, _, err := c.Call(t.Context(), "ready",
				syncproto.Value{})
			return err
		}(),
	} {
		if !errors.Is(err, isCode(syncproto.CodeState)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := p.Reply(t.Context(), syncproto.Value{}); !errors.Is(err, isCode(syncproto.CodeState)) {
		t.Errorf("a reply to nothing: %v", err)
	}
	if err := p.Abort(t.Context(), errors.New("never")); err == nil {
		t.Error("Abort is no error")
	}
}

// A child whose execution fails reports it even if its parent has stopped reading, however long that lasts: if it
// closed its end instead, that would be success. It still reports it if the parent has shut down its sending.
func TestAFailedExecutionIsToldHoweverLongItTakes(t *testing.T) {
	for name, halfClosed := range map[string]bool{"to a parent that is slow": false, "to one that is through": true} {
		t.Run(name, func(t *testing.T) {
			a, b := transporttest.Memory(transport.SeqPacket, 1100)
			p := newParent(t, a, transport.Options{})
			said := make(chan error, 1)
			child(t, b, transport.Options{}, func(ctx context.Context, p *transport.Child) error {
				err := open(ctx, p)
				if err == nil {
					_, _, err = p.Call(ctx, "ready", syncproto.Value{})
				}
				if err == nil {
					err = p.Note(ctx, "info", strings.Repeat("x", 950))
				}
				if err == nil {
					err = p.Exec(ctx)
				}
				said <- err
				return unix.ENOENT
			})
			if err := p.Open(t.Context(), text(1), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := p.Reply(t.Context(), syncproto.Value{}); err != nil {
				t.Fatal(err)
			}
			if err := <-said; err != nil {
				t.Fatal(err)
			}
			if halfClosed {
				if err := a.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(300 * time.Millisecond) // thrice as long as any other last word waits for room
			_, err := p.Next(t.Context())
			if p.Verdict().Outcome != syncproto.PeerError || !errors.Is(err, unix.ENOENT) {
				t.Errorf("%v, %v", p.Verdict().Outcome, err)
			}
		})
	}
}
