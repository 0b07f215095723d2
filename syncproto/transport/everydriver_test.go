package transport_test

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/transport"
)

// dripping sends a frame one byte at a time until sending fails.
func dripping(link transport.Link, k syncproto.Kind, re uint16, payload string) {
	h := syncproto.Header{Kind: k, Seq: 1, Re: re, Length: uint32(len(payload))}
	whole := append(h.Append(nil), payload...)
	for i := range whole {
		time.Sleep(short / 20)
		if n, err := link.Send(whole[i:i+1], nil); n != 1 || err != nil {
			return
		}
	}
}

// A frame that arrives one byte at a time is one frame, and its bytes do not extend a deadline on either side.
func TestAByteAtATimeIsTooSlow(t *testing.T) {
	hello := helloJSON(t)
	for _, l := range eachLink {
		if l.packet {
			continue // a packet comes whole
		}
		t.Run(l.name, func(t *testing.T) {
			d := longDeadlines()
			d.Hello = short
			c := rawParent(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
				dripping(r.Link(), syncproto.KindHello, 0, hello)
			})
			_, _, err := c.Accept(t.Context())
			wantLate(t, err, syncproto.WaitHello)

			p := rawChild(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
				dripping(r.Link(), syncproto.KindHelloAck, 1, ackJSON)
			})
			wantLate(t, p.Open(t.Context(), syncproto.MapValue(), nil), syncproto.WaitHello)
		})
	}
}

// A parent that shuts down its sending alone is as gone to its child as one that closed.
func TestAParentThatIsHalfClosed(t *testing.T) {
	hello := helloJSON(t)
	for _, l := range eachLink {
		t.Run(l.name, func(t *testing.T) {
			done := make(chan struct{})
			defer close(done)
			c := rawParent(t, l, transport.Options{Deadlines: longDeadlines()}, func(r *rawPeer) {
				_ = r.send(syncproto.KindHello, 0, hello)
				_ = r.CloseWrite()
				<-done
			})
			if _, _, err := c.Accept(t.Context()); ended(err) != syncproto.Died {
				t.Error(err)
			}
		})
	}
}

// A child gets no end of file either while another process holds a copy of its parent's end.
func TestAParentsDuplicatedSocketEndsByTheDeadline(t *testing.T) {
	for _, typ := range []transport.Type{transport.Stream, transport.SeqPacket} {
		d := longDeadlines()
		d.Idle = short
		conn, fd := half(t, typ)
		peer, err := transport.Take(fd)
		if err != nil {
			t.Fatal(err)
		}
		copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		p := newParent(t, peer, transport.Options{Deadlines: longDeadlines()})
		opened := make(chan error, 1)
		go func() { opened <- p.Open(t.Context(), syncproto.MapValue(), nil) }()
		c, err := transport.NewChild(conn, container.InitProfile(), transport.Options{Deadlines: d})
		if err != nil {
			t.Fatal(err)
		}
		if err := open(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
		_ = p.Close()
		_, _, err = c.Call(t.Context(), "ready", syncproto.Value{})
		wantLate(t, err, syncproto.WaitPeer)
		_, _ = c.Close(), unix.Close(copied)
	}
}

// parties are two ends that have opened a conversation.
func parties(t *testing.T, l link, d transport.Deadlines) (*transport.Parent, *transport.Child) {
	t.Helper()
	a, b := l.make(t)
	p := newParent(t, a, transport.Options{Deadlines: d})
	c, err := transport.NewChild(b, container.InitProfile(), transport.Options{Deadlines: d})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	opened := make(chan error, 1)
	go func() { opened <- p.Open(t.Context(), syncproto.MapValue(), nil) }()
	if err := open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	return p, c
}

// Close ends the waits in the middle of a conversation, too: for a request, for a reply, for the end after EXEC.
func TestCloseInTheMiddle(t *testing.T) {
	for _, l := range eachLink {
		for name, waits := range map[string]func(p *transport.Parent, c *transport.Child) (wait, closer func() error){
			"Parent waiting for a request": func(p *transport.Parent, _ *transport.Child) (func() error, func() error) {
				return func() error { _, err := p.Next(t.Context()); return err }, p.Close
			},
			"Child waiting for a reply": func(_ *transport.Parent, c *transport.Child) (func() error, func() error) {
				return func() error { _, _, err := c.Call(t.Context(), "ready", syncproto.Value{}); return err }, c.Close
			},
			"Parent waiting for the end": func(p *transport.Parent, c *transport.Child) (func() error, func() error) {
				go func() {
					if _, _, err := c.Call(t.Context(), "ready", syncproto.Value{}); err == nil {
						_ = c.Exec(t.Context())
					}
				}()
				_, err := p.Next(t.Context())
				if err == nil {
					err = p.Reply(t.Context(), syncproto.Value{})
				}
				if err != nil {
					t.Error(err)
				}
				return func() error { _, err := p.Next(t.Context()); return err }, p.Close
			},
			"Parent aborting": func(p *transport.Parent, _ *transport.Child) (func() error, func() error) {
				return func() error { return p.Abort(t.Context(), unix.EIO) }, p.Close
			},
		} {
			t.Run(l.name+" "+name, func(t *testing.T) {
				p, c := parties(t, l, patient())
				wait, closer := waits(p, c)
				done := make(chan error, 1)
				go func() { done <- wait() }()
				time.Sleep(5 * time.Millisecond) // most often it waits by then; the outcome is the same
				if err := closer(); err != nil {
					t.Errorf("closing: %v", err)
				}
				if err := <-done; !errors.Is(err, os.ErrClosed) {
					t.Errorf("the call that waited: %v", err)
				}
			})
		}
	}
}

// After Close every method says so at once.
func TestEveryMethodAfterClose(t *testing.T) {
	ctx, null := t.Context(), syncproto.Value{}
	for _, l := range eachLink {
		t.Run(l.name, func(t *testing.T) {
			p, c := parties(t, l, patient())
			_, _ = p.Close(), c.Close()
			p.Exited()
			for name, err := range map[string]error{
				"Parent.Open":    p.Open(ctx, null, nil),
				"Parent.Call":    third(p.Call(ctx, "ready", null)),
				"Parent.Next":    second(p.Next(ctx)),
				"Parent.Reply":   p.Reply(ctx, null),
				"Parent.Decline": p.Decline(ctx, unix.EIO),
				"Parent.Abort":   p.Abort(ctx, unix.EIO),
				"Parent.Close":   p.Close(),
				"Child.Accept":   third(c.Accept(ctx)),
				"Child.Confirm":  c.Confirm(ctx),
				"Child.Call":     third(c.Call(ctx, "ready", null)),
				"Child.Next":     second(c.Next(ctx)),
				"Child.Reply":    c.Reply(ctx, null),
				"Child.Decline":  c.Decline(ctx, unix.EIO),
				"Child.Note":     c.Note(ctx, "info", "x"),
				"Child.Exec":     c.Exec(ctx),
				"Child.Done":     c.Done(ctx),
				"Child.Fail":     c.Fail(ctx, unix.EIO),
				"Child.Gasp":     c.Gasp(),
				"Child.Close":    c.Close(),
				"typed Call":     third(transport.Call(ctx, c, container.ReadyRequest, struct{}{})),
				"typed Reply":    transport.Reply(ctx, p, container.ReadyRequest, struct{}{}),
				"typed Open":     transport.Open(ctx, p, &null, nil),
				"typed Accept":   second(transport.Accept(ctx, c, &null)),
			} {
				if !errors.Is(err, os.ErrClosed) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if o := p.Verdict().Outcome; o == syncproto.Success {
				t.Errorf("the verdict is %v", o)
			}
		})
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }

// Fail, Abort and Decline give an error the code that remote.CodeOf gives it, and no other.
func TestOneJudgeOfTheCode(t *testing.T) {
	for _, l := range eachLink {
		for _, cause := range []error{context.DeadlineExceeded, context.Canceled, unix.ENOSPC,
			&syncproto.ProtocolError{Code: syncproto.CodeLimit, Text: "x"}} {
			want := remote.CodeOf(cause)
			code := func(side string, err error) {
				t.Helper()
				if r, ok := errors.AsType[*remote.Error](err); !ok || r.SyncCode() != want {
					t.Errorf("%s, %s of %v: got %v, want the code %q", l.name, side, cause, err, want)
				}
			}
			p, c := parties(t, l, patient())
			if err := c.Fail(t.Context(), cause); err != nil {
				t.Error(err)
			}
			code("Fail", second(p.Next(t.Context())))

			p, c = parties(t, l, patient())
			errs := make(chan error, 2)
			go func() {
				errs <- third(c.Call(t.Context(), "hooks", syncproto.Value{}))
				errs <- third(c.Call(t.Context(), "ready", syncproto.Value{}))
				_ = c.Close()
			}()
			if _, err := p.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := p.Decline(t.Context(), cause); err != nil {
				t.Error(err)
			}
			code("Decline", <-errs)
			if _, err := p.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := p.Abort(t.Context(), cause); err == nil || err == io.EOF {
				t.Errorf("Abort: %v", err)
			}
			code("Abort", <-errs)
		}
	}
}
