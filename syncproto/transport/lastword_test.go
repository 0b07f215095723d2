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
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

const readyJSON = `{"name":"ready","arg":null}`

// An empty packet is not end of file: the child lives, and its socket is open.
func TestEmptyPacketsAfterExecAreNoSuccess(t *testing.T) {
	for _, tt := range []struct {
		before bool
		empty  int
	}{{false, 1}, {false, 2}, {true, 1}, {true, 2}} {
		c, fd := half(t, transport.SeqPacket)
		p := newParent(t, c, transport.Options{Codecs: inJSON, Deadlines: longDeadlines()})
		done := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			peer, _ := transport.Take(fd)
			r := &rawPeer{Conn: peer}
			r.opened()
			if !tt.before {
				_ = r.send(syncproto.KindRequest, 0, readyJSON)
				r.recv()
				_ = r.send(syncproto.KindExec, 0, "")
			}
			for range tt.empty {
				sendRaw(t, fd, nil, nil)
			}
			<-done
			_ = peer.Close()
		})
		err := p.Open(t.Context(), syncproto.MapValue(), nil)
		if err == nil {
			err = replyToAll(t, p)
		}
		if ended(err) != syncproto.Violated || !strings.Contains(err.Error(), "an empty packet") {
			t.Errorf("%d packets, before EXEC %t: %v", tt.empty, tt.before, err)
		}
		close(done)
		wg.Wait()
	}
}

// What the child did before its end explains the end better than a reply that could not be delivered.
func TestALateReplyDoesNotHideTheViolation(t *testing.T) {
	for _, l := range eachLink {
		done := make(chan struct{})
		p := rawChild(t, l, transport.Options{Deadlines: patient()}, func(r *rawPeer) {
			defer close(done)
			r.opened()
			_, _ = r.send(syncproto.KindRequest, 0, readyJSON), r.send(syncproto.KindRequest, 0, readyJSON)
			_ = r.Close()
		})
		err := p.Open(t.Context(), syncproto.MapValue(), nil)
		if err == nil {
			_, err = p.Next(t.Context())
		}
		<-done
		if err == nil {
			err = p.Reply(t.Context(), syncproto.Value{})
		}
		if ended(err) != syncproto.Violated {
			t.Errorf("%s: %v", l.name, err)
		}
	}
}

// Twenty requests at once are a violation, but the ERROR after them gives the reason.
func TestAnErrorBehindAViolationIsThePeersError(t *testing.T) {
	for _, l := range eachLink {
		done := make(chan struct{})
		p := rawChild(t, l, transport.Options{Deadlines: patient()}, func(r *rawPeer) {
			defer close(done)
			r.opened()
			for range 20 {
				_ = r.send(syncproto.KindRequest, 0, readyJSON)
			}
			_ = r.send(syncproto.KindError, 0, report)
			_ = r.Close()
		})
		err := p.Open(t.Context(), syncproto.MapValue(), nil)
		if err == nil {
			_, err = p.Next(t.Context())
		}
		<-done
		if err == nil {
			err = p.Reply(t.Context(), syncproto.Value{})
		}
		if ended(err) != syncproto.PeerError || !errors.Is(err, unix.ENOENT) {
			t.Errorf("%s: %v", l.name, err)
		}
	}
}

// The parent greets, gives up, and is gone before the child has replied.
func TestTheParentsErrorIsReadWhereHelloAckFindsNobody(t *testing.T) {
	hello := helloJSON(t)
	for _, l := range eachLink {
		a, b := l.make(t)
		r := &rawPeer{Conn: a}
		_, _ = r.send(syncproto.KindHello, 0, hello), r.send(syncproto.KindError, 0, report)
		_ = a.Close()
		c, err := transport.NewChild(b, container.InitProfile(), transport.Options{Deadlines: patient()})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err = c.Accept(t.Context()); ended(err) != syncproto.PeerError || !errors.Is(err, unix.ENOENT) {
			t.Errorf("%s: %v", l.name, err)
		}
		_ = c.Close()
	}
}

// A child whose request cannot be delivered learns why its parent is gone.
func TestTheLastWordIsReadWhenACallFails(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, l := range eachLink {
		for name, give := range map[string]func(*transport.Parent) error{
			"cancel": func(p *transport.Parent) error { _, err := p.Next(cancelled); return err },
			"abort":  func(p *transport.Parent) error { return p.Abort(t.Context(), unix.ENOSPC) },
		} {
			t.Run(l.name+" "+name, func(t *testing.T) {
				a, b := l.make(t)
				d := longDeadlines()
				p := newParent(t, a, transport.Options{Deadlines: d})
				gone, heard := make(chan struct{}), make(chan error, 1)
				go func() {
					c, err := transport.NewChild(b, container.InitProfile(), transport.Options{})
					if err == nil {
						err = open(t.Context(), c)
					}
					if err == nil {
						<-gone
						_, _, err = c.Call(t.Context(), "ready", syncproto.Value{})
					}
					heard <- err
					_ = c.Close()
				}()
				if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
					t.Fatal(err)
				}
				_ = give(p)
				_ = p.Close()
				close(gone)
				err := <-heard
				var c *transport.CancelledError
				if name == "cancel" && (!errors.As(err, &c) || !errors.Is(err, context.Canceled)) {
					t.Errorf("after a cancellation: %v", err)
				}
				if name == "abort" && !errors.Is(err, unix.ENOSPC) {
					t.Errorf("after an abort: %v", err)
				}
			})
		}
	}
}

// pushy is a profile in which the parent makes requests.
func pushy() *syncproto.Profile {
	return &syncproto.Profile{Name: "pushy", Phases: []syncproto.Phase{
		{Name: "orders", Requester: syncproto.Parent, Rows: []syncproto.Row{
			{Request: "order", Reply: "done"}, {Request: "end", Reply: "ended", Min: 1, Max: 1, Next: "alone"},
		}},
		{Name: "alone", Requester: syncproto.Child, Commit: true},
	}}
}

// The same for a parent, whose child has failed before the call.
func TestTheChildsErrorIsReadByTheParentsCall(t *testing.T) {
	for _, l := range eachLink {
		a, b := l.make(t)
		p, err := transport.NewParent(a, pushy(), transport.Options{Deadlines: longDeadlines()})
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan struct{})
		go func() {
			defer close(failed)
			c, err := transport.NewChild(b, pushy(), transport.Options{})
			if err == nil {
				err = open(t.Context(), c)
			}
			_ = c.Fail(t.Context(), errors.Join(err, unix.EDQUOT))
		}()
		if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
			t.Fatal(err)
		}
		<-failed
		for range 2 {
			if _, _, err := p.Call(t.Context(), "order", syncproto.Value{}); ended(err) != syncproto.PeerError ||
				!errors.Is(err, unix.EDQUOT) {
				t.Errorf("%s: %v", l.name, err)
			}
		}
		_ = p.Close()
	}
}

// A parent that has sent nothing yet need not wait for its child.
func TestCancellingBeforeAnythingWasSentWaitsForNobody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, l := range eachLink {
		a, _ := l.make(t)
		d := longDeadlines()
		d.Grace = time.Hour
		p := newParent(t, a, transport.Options{Deadlines: d})
		if err := p.Open(ctx, syncproto.MapValue(), nil); ended(err) != syncproto.Cancelled {
			t.Errorf("%s: %v", l.name, err)
		}
	}
}

// Another process that holds a copy of a dead child's socket does not matter to the conversation.
func TestALeakedSocketIsNotServed(t *testing.T) {
	for _, l := range eachLink {
		exited, served := make(chan struct{}), 0
		p := rawChild(t, l, transport.Options{Deadlines: longDeadlines()}, func(r *rawPeer) {
			r.opened()
			<-exited
			for range 100 {
				if r.send(syncproto.KindRequest, 0, `{"name":"mount","arg":{"source":"/x"}}`) != nil {
					return
				}
				_ = r.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
				if r.recv().Kind == syncproto.KindReply {
					served++
				}
			}
		})
		if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
			t.Fatal(err)
		}
		p.Exited()
		close(exited)
		if err := replyToAll(t, p); ended(err) != syncproto.Died || served > 0 {
			t.Errorf("%s: %v after %d replies", l.name, err, served)
		}
		_ = p.Close()
	}
}

// A child that shuts down only its sending counts as gone, like one that closed its socket.
func TestAHalfClosedSocket(t *testing.T) {
	for _, l := range eachLink {
		for _, executed := range []bool{false, true} {
			done := make(chan struct{})
			p := rawChild(t, l, transport.Options{Deadlines: longDeadlines()}, func(r *rawPeer) {
				r.opened()
				if executed {
					_ = r.send(syncproto.KindRequest, 0, readyJSON)
					r.recv()
					_ = r.send(syncproto.KindExec, 0, "")
				}
				_ = r.CloseWrite()
				<-done
			})
			err := p.Open(t.Context(), syncproto.MapValue(), nil)
			if err == nil {
				err = replyToAll(t, p)
			}
			if executed && err != io.EOF || !executed && ended(err) != syncproto.Died {
				t.Errorf("%s, executed %t: %v", l.name, executed, err)
			}
			close(done)
		}
	}
}

// While a copy of the child's end is open, end of file cannot arrive: the deadline ends the conversation.
func TestADuplicatedSocketEndsByTheDeadline(t *testing.T) {
	for _, typ := range []transport.Type{transport.Stream, transport.SeqPacket} {
		c, fd := half(t, typ)
		copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(copied)
		d := longDeadlines()
		d.Exec = short
		p := newParent(t, c, transport.Options{Deadlines: d})
		peer, err := transport.Take(fd)
		if err != nil {
			t.Fatal(err)
		}
		child(t, peer, transport.Options{}, ready)
		err = p.Open(t.Context(), syncproto.MapValue(), nil)
		if err == nil {
			err = replyToAll(t, p)
		}
		wantLate(t, err, syncproto.WaitEnd)
	}
}

// Two hundred good children, each of which says its last word and is gone while its supervisor is busy with a note.
func TestExitedLosesNothing(t *testing.T) {
	for _, l := range eachLink {
		t.Run(l.name, func(t *testing.T) {
			var wg sync.WaitGroup
			defer wg.Wait()
			for range 200 {
				a, b := l.make(t)
				inNote, gone := make(chan struct{}), make(chan struct{})
				p, err := transport.NewParent(a, container.InitProfile(), transport.Options{Deadlines: longDeadlines(),
					Note: func(syncproto.Note) { close(inNote); <-gone }})
				if err != nil {
					t.Fatal(err)
				}
				c, err := transport.NewChild(b, container.InitProfile(), transport.Options{Deadlines: longDeadlines()})
				if err != nil {
					t.Fatal(err)
				}
				wg.Go(func() {
					err := open(t.Context(), c)
					if err == nil {
						_, _, err = c.Call(t.Context(), "ready", syncproto.Value{})
					}
					if err == nil {
						err = c.Note(t.Context(), "info", "one")
					}
					<-inNote
					if err == nil {
						err = c.Exec(t.Context())
					}
					_ = c.Close()
					p.Exited()
					close(gone)
					if err != nil {
						t.Errorf("the child: %v", err)
					}
				})
				wg.Go(func() {
					err := p.Open(t.Context(), syncproto.MapValue(), nil)
					if err == nil {
						err = replyToAll(t, p)
					}
					if err != io.EOF {
						t.Errorf("a good child: %v", err)
					}
					_ = p.Close()
				})
			}
		})
	}
}
