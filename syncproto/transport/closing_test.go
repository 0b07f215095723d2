package transport_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// Close ends every waiting call, from any goroutine, and later calls fail at once. Every deadline here is an hour: a
// test that waits for one does not end.
func TestCloseEndsEveryWait(t *testing.T) {
	d := patient()
	for _, l := range eachLink {
		for name, waits := range map[string]func(t *testing.T, a, b *transport.Conn) (wait func() error, closer func() error){
			"Conn reading": func(_ *testing.T, a, _ *transport.Conn) (func() error, func() error) {
				return func() error { _, _, _, err := a.ReadFrame(all); return err }, a.Close
			},
			"Conn writing": func(_ *testing.T, a, _ *transport.Conn) (func() error, func() error) {
				return func() error {
					for i := range 10000 {
						h := syncproto.Header{Kind: syncproto.KindConfig, Seq: uint16(i + 1), Length: 30000}
						if err := a.WriteFrame(h, make([]byte, 30000), nil); err != nil {
							return err
						}
					}
					return nil
				}, a.Close
			},
			"Parent opening": func(t *testing.T, a, _ *transport.Conn) (func() error, func() error) {
				p := newParent(t, a, transport.Options{Deadlines: d})
				return func() error { return p.Open(t.Context(), syncproto.MapValue(), nil) }, p.Close
			},
			"Parent writing": func(t *testing.T, a, _ *transport.Conn) (func() error, func() error) {
				p := newParent(t, a, transport.Options{Deadlines: d})
				return func() error { return p.Open(t.Context(), text(4<<20-100), nil) }, p.Close
			},
			"Child accepting": func(t *testing.T, _, b *transport.Conn) (func() error, func() error) {
				c, err := transport.NewChild(b, container.InitProfile(), transport.Options{Deadlines: d})
				if err != nil {
					t.Fatal(err)
				}
				return func() error { _, _, err := c.Accept(t.Context()); return err }, c.Close
			},
		} {
			t.Run(l.name+" "+name, func(t *testing.T) {
				a, b := l.make(t)
				wait, closer := waits(t, a, b)
				ended := make(chan error, 1)
				go func() { ended <- wait() }()
				time.Sleep(5 * time.Millisecond) // most often it waits by then; the outcome is the same
				if err := closer(); err != nil {
					t.Errorf("closing: %v", err)
				}
				if err := <-ended; !errors.Is(err, os.ErrClosed) {
					t.Errorf("the call that waited: %v", err)
				}
				if err := wait(); !errors.Is(err, os.ErrClosed) {
					t.Errorf("a call after it: %v", err)
				}
				if err := closer(); !errors.Is(err, os.ErrClosed) {
					t.Errorf("closing again: %v", err)
				}
			})
		}
	}
}

// Closing the Conn of a Parent ends the conversation and leaves nothing open.
func TestALinkThatIsClosedUnderItsParent(t *testing.T) {
	for _, l := range eachLink {
		a, _ := l.make(t)
		p := newParent(t, a, transport.Options{Deadlines: patient()})
		ended := make(chan error, 1)
		go func() { ended <- p.Open(t.Context(), syncproto.MapValue(), nil) }()
		time.Sleep(5 * time.Millisecond)
		_ = a.Close()
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v", l.name, err)
		}
	}
}

// A log or a trace callback that never returns does not keep Close from working.
func TestACallbackThatNeverReturnsDoesNotBlockClose(t *testing.T) {
	for _, l := range eachLink {
		for _, inTrace := range []bool{false, true} {
			entered, release := make(chan struct{}), make(chan struct{})
			stall := func() { close(entered); <-release }
			o := transport.Options{Deadlines: patient()}
			if inTrace {
				o.Trace = func(e transport.Event) {
					if e.Header.Kind == syncproto.KindNote {
						stall()
					}
				}
			} else {
				o.Note = func(syncproto.Note) { stall() }
			}
			p := rawChild(t, l, o, func(r *rawPeer) {
				r.opened()
				_ = r.send(syncproto.KindNote, 0, `{"level":"info","text":"x"}`)
				r.recv()
			})
			ended := make(chan error, 1)
			go func() {
				err := p.Open(t.Context(), syncproto.MapValue(), nil)
				if err == nil {
					_, err = p.Next(t.Context())
				}
				ended <- err
			}()
			<-entered
			p.Exited()
			_ = p.Verdict()
			if err := p.Close(); err != nil {
				t.Errorf("%s: %v", l.name, err)
			}
			close(release)
			if err := <-ended; !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s: %v", l.name, err)
			}
		}
	}
}

// lingering returns a descriptor whose last close takes long: a TCP socket with SO_LINGER whose peer does not read.
func lingering(t *testing.T) int {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	conn, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	f, err := conn.(*net.TCPConn).File()
	_ = conn.Close()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	_ = f.Close()
	if err == nil {
		err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 5})
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := unix.Write(fd, make([]byte, 1<<16)); err != nil {
			break
		}
	}
	return fd
}

// Descriptors sent with a frame that may not carry them are closed, however long that takes, and the verdict does not
// wait for it. The deadline is shorter than the lingering.
func TestDescriptorsThatLingerBlockNothing(t *testing.T) {
	for _, l := range eachLink {
		fd := lingering(t)
		d := longDeadlines()
		d.Idle = 2 * time.Second
		p := rawChild(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
			r.opened()
			h := syncproto.Header{Kind: syncproto.KindNote, Seq: 3, NFDs: 1}
			_ = r.WriteFrame(h, nil, []int{fd})
			_ = unix.Close(fd)
			r.recv()
		})
		err := p.Open(t.Context(), syncproto.MapValue(), nil)
		if err == nil {
			_, err = p.Next(t.Context())
		}
		if ended(err) != syncproto.Violated || !errors.Is(err, isCode(syncproto.CodeDescriptors)) {
			t.Errorf("%s: %v", l.name, err)
		}
		_ = p.Close()
	}
}

// badCodec is a codec that panics if its pointer is nil.
type badCodec struct {
	codec.Codec
	name string
}

func (c *badCodec) Name() string { return c.name }

// typedNil is an error that panics, because its pointer is nil.
type typedNil struct{ text string }

func (e *typedNil) Error() string { return e.text }

func TestWrongUseIsRefusedAtOnce(t *testing.T) {
	var noContext context.Context
	for _, l := range eachLink {
		t.Run(l.name, func(t *testing.T) {
			a, b := l.make(t)
			profile, d := container.InitProfile(), transport.Options{Deadlines: patient()}
			child := func(c codec.Codec) error {
				return second(transport.NewChild(b, profile, transport.Options{Codecs: []codec.Codec{c}}))
			}
			for name, err := range map[string]error{
				"no connection":    second(transport.NewParent(nil, profile, d)),
				"no link":          second(transport.NewParent(transport.New(nil), profile, d)),
				"no profile":       second(transport.NewParent(a, nil, d)),
				"no codec":         child(nil),
				"a nil codec":      child((*badCodec)(nil)),
				"a closed process": second(transport.NewParent(a, profile, transport.Options{Process: closedFile(t)})),
			} {
				if err == nil {
					t.Errorf("%s: it was taken", name)
				}
			}
			p := newParent(t, a, d)
			c, err := transport.NewChild(b, profile, d)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := p.Next(noContext); !errors.Is(err, isCode(syncproto.CodeState)) ||
				!strings.Contains(err.Error(), "Opened") {
				t.Errorf("Next before Open: %v", err)
			}
			if err := c.Confirm(noContext); !errors.Is(err, isCode(syncproto.CodeState)) {
				t.Errorf("Confirm before Accept: %v", err)
			}
			if err := p.Narrow(nil); err == nil {
				t.Error("no profile to narrow to: it was taken")
			}
			opened := make(chan error, 1)
			go func() { opened <- p.Open(noContext, syncproto.MapValue(), nil) }()
			if err := open(noContext, c); err != nil {
				t.Fatal(err)
			}
			if err := <-opened; err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.Accept(noContext); !errors.Is(err, isCode(syncproto.CodeState)) {
				t.Errorf("Accept twice: %v", err)
			}
			if err := p.Open(noContext, syncproto.MapValue(), nil); !errors.Is(err, isCode(syncproto.CodeState)) {
				t.Errorf("Open twice: %v", err)
			}
			if _, err := c.Next(noContext); !errors.Is(err, isCode(syncproto.CodeState)) ||
				!strings.Contains(err.Error(), "the other side waits") {
				t.Errorf("Next by the side that asks: %v", err)
			}
			if _, _, err := p.Call(noContext, "ready", syncproto.Value{}); !errors.Is(err, isCode(syncproto.CodeState)) {
				t.Errorf("Call by the side that replies: %v", err)
			}
			if err := p.Decline(noContext, nil); !errors.Is(err, isCode(syncproto.CodeState)) {
				t.Errorf("Decline of nothing: %v", err)
			}
			if _, err := transport.Arg(noContext, p, nil, container.ReadyRequest); err == nil {
				t.Error("Arg of no request: it was taken")
			}
			failed := make(chan error, 1)
			go func() { _, err := p.Next(noContext); failed <- err }()
			if err := c.Fail(noContext, (*typedNil)(nil)); err != nil {
				t.Errorf("a typed nil: %v", err)
			}
			if err := <-failed; ended(err) != syncproto.PeerError || err.Error() == "" {
				t.Errorf("the other side of a typed nil: %v", err)
			}
		})
	}
}

// shut is a file that has been closed.
func closedFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	return f
}

func second[T any](_ T, err error) error { return err }
