package transport_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// Each peer of this file does what it can to stretch a deadline, until its own sending fails. A deadline that can be
// stretched never passes: the conversation then ends in another way, by the limit of frames or of notes, or not at all.

const short = 100 * time.Millisecond

func wantLate(t *testing.T, err error, w syncproto.Wait) {
	t.Helper()
	var f *transport.Failure
	if !errors.As(err, &f) || f.Outcome != syncproto.TimedOut || f.Wait != w {
		t.Errorf("got %v, want a deadline that passed in the wait for %v", err, w)
	}
}

// Frames of an unknown kind do not extend the greeting, the configuration or the execution.
func TestSkippableFramesExtendNothingButIdle(t *testing.T) {
	tick := func(r *rawPeer) { untilError(short/20, r.skippable) }
	for _, l := range eachLink {
		t.Run(l.name, func(t *testing.T) {
			d := longDeadlines()
			d.Hello = short
			p := rawChild(t, l, transport.Options{Deadlines: d}, tick)
			wantLate(t, p.Open(t.Context(), syncproto.MapValue(), nil), syncproto.WaitHello)

			d = longDeadlines()
			d.Config = short
			p = rawChild(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
				r.recv()
				_ = r.send(syncproto.KindHelloAck, 1, ackJSON)
				tick(r)
			})
			wantLate(t, p.Open(t.Context(), syncproto.MapValue(), nil), syncproto.WaitConfig)

			d = longDeadlines()
			d.Exec = short
			p = rawChild(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
				r.opened()
				_ = r.send(syncproto.KindRequest, 0, `{"name":"ready","arg":null}`)
				r.recv()
				_ = r.send(syncproto.KindExec, 0, "")
				untilError(short/20, r.skippable)
			})
			err := p.Open(t.Context(), syncproto.MapValue(), nil)
			if err == nil {
				err = replyToAll(t, p)
			}
			if ended(err) != syncproto.TimedOut && ended(err) != syncproto.Violated {
				t.Errorf("after EXEC: %v", err)
			}
		})
	}
}

// A NOTE extends the idle deadline, as intended, but not that of the configuration.
func TestNotesExtendIdleAlone(t *testing.T) {
	const note = `{"level":"info","text":"still here"}`
	for _, l := range eachLink {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			d := longDeadlines()
			d.Config = short
			p := rawChild(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
				r.recv()
				r.recv()
				_ = r.send(syncproto.KindHelloAck, 1, ackJSON)
				untilError(short/20, func() error { return r.send(syncproto.KindNote, 0, note) })
			})
			wantLate(t, p.Open(t.Context(), syncproto.MapValue(), nil), syncproto.WaitConfig)

			d = longDeadlines()
			d.Idle = 20 * short // a slow machine may take its time between two notes
			p = rawChild(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
				r.opened()
				for range 24 { // in all, longer than the deadline
					time.Sleep(short)
					_ = r.send(syncproto.KindNote, 0, note)
				}
				_ = r.send(syncproto.KindRequest, 0, `{"name":"ready","arg":null}`)
				r.recv()
				_ = r.send(syncproto.KindExec, 0, "")
			})
			err := p.Open(t.Context(), syncproto.MapValue(), nil)
			if err == nil {
				_, err = p.Next(t.Context())
			}
			if err != nil {
				t.Errorf("many notes, each in time: %v", err)
			}
		})
	}
}

// The child's wait for its configuration is one wait, however many fragments arrive.
func TestFragmentsDoNotRestartTheConfigDeadline(t *testing.T) {
	hello := helloJSON(t)
	for _, l := range eachLink {
		t.Run(l.name, func(t *testing.T) {
			d := longDeadlines()
			d.Config = short
			c := rawParent(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
				_ = r.send(syncproto.KindHello, 0, hello)
				r.recv()
				untilError(short/20, func() error {
					return r.sendFlagged(syncproto.KindConfig, syncproto.FlagMore, 0, " ")
				})
			})
			_, fds, err := c.Accept(t.Context())
			transport.CloseAll(fds)
			wantLate(t, err, syncproto.WaitConfig)

			d = longDeadlines()
			d.Hello = short
			c = rawParent(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) { untilError(short/20, r.skippable) })
			_, _, err = c.Accept(t.Context())
			wantLate(t, err, syncproto.WaitHello)
		})
	}
}

// The deadline of the configuration includes the time to send it: each fragment finds room in time, but not all of
// them.
func TestAReaderThatTakesAFragmentAtATimeIsTooSlow(t *testing.T) {
	for _, l := range eachLink {
		t.Run(l.name, func(t *testing.T) {
			d := longDeadlines()
			d.Config = short
			p := rawChild(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
				r.recv()
				_ = r.send(syncproto.KindHelloAck, 1, ackJSON)
				for r.recv().Kind != 0 {
					time.Sleep(short / 4)
				}
			})
			wantLate(t, p.Open(t.Context(), text(4<<20-100), nil), syncproto.WaitConfig)
		})
	}
}

// A peer that does everything in time, but never ends.
func TestTotalBoundsTheWholeConversation(t *testing.T) {
	for _, l := range eachLink {
		t.Run(l.name, func(t *testing.T) {
			d := longDeadlines()
			d.Total = short
			p := rawChild(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
				r.opened()
				untilError(short/20, func() error {
					err := r.send(syncproto.KindRequest, 0, `{"name":"mount","arg":{"source":"/x"}}`)
					r.recv()
					return err
				})
			})
			err := p.Open(t.Context(), syncproto.MapValue(), nil)
			if err == nil {
				err = replyToAll(t, p)
			}
			if ended(err) != syncproto.TimedOut || !strings.Contains(err.Error(), short.String()) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Time that the caller takes does not count: between Accept and Confirm, between two calls, in a callback.
func TestTheCallersTimeIsNotThePeers(t *testing.T) {
	for _, l := range eachLink {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			a, b := l.make(t)
			d := longDeadlines()
			d.Config = 10 * short
			p := newParent(t, a, transport.Options{Deadlines: d, Note: func(syncproto.Note) { time.Sleep(13 * short) }})
			c, err := transport.NewChild(b, container.InitProfile(), transport.Options{Deadlines: d})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			confirmed := make(chan error, 1)
			go func() {
				_, _, err := c.Accept(t.Context())
				if err == nil {
					err = c.Note(t.Context(), "info", "this takes the parent long")
				}
				if err == nil {
					time.Sleep(12 * short)
					err = c.Confirm(t.Context())
				}
				confirmed <- err
			}()
			if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
				t.Errorf("the parent: %v", err)
			}
			if err := <-confirmed; err != nil {
				t.Errorf("the child: %v", err)
			}
		})
	}
}

// Deadlines.Grace obeys the same rule as the others: negative is no limit.
func TestGraceWithoutALimit(t *testing.T) {
	for _, l := range eachLink {
		d := patient()
		d.Grace = -1
		p, c := parties(t, l, d)
		told, cancel := context.WithCancel(t.Context())
		cancel()
		cancelled := make(chan error, 1)
		go func() { _, err := p.Next(told); cancelled <- err }()
		_, _, err := c.Call(t.Context(), "ready", syncproto.Value{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", l.name, err)
		}
		time.Sleep(short) // more than any grace that a negative one could be taken for
		if err := c.Fail(t.Context(), unix.EDQUOT); err != nil {
			t.Errorf("%s: Fail: %v", l.name, err)
		}
		if err := <-cancelled; ended(err) != syncproto.PeerError || !errors.Is(err, unix.EDQUOT) {
			t.Errorf("%s: the error that came late: %v", l.name, err)
		}
	}
}
