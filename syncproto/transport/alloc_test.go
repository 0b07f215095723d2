package transport_test

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/transport"
)

// chatter is a conversation that may go on for long.
func chatter() *syncproto.Profile {
	return &syncproto.Profile{Name: "chatter", Phases: []syncproto.Phase{{Name: "open", Asker: syncproto.Child, Commit: true, Rows: []syncproto.Row{{Request: "tick", Reply: "tock"}}}}}
}

// ticking is a child that can call and a parent that answers for ever.
func ticking(t testing.TB, l link, frames uint16) (call func() error) {
	t.Helper()
	a, b := l.make(t)
	o := transport.Options{Limits: syncproto.Limits{Frames: frames}}
	p, err := transport.NewParent(a, chatter(), o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := transport.NewChild(b, chatter(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := p.Open(ctx, syncproto.Value{}, nil)
		for err == nil {
			if _, err = p.Next(ctx); err == nil {
				err = p.Reply(ctx, syncproto.Value{})
			}
		}
		_ = p.Close()
		done <- err
	}()
	if _, _, err = c.Accept(ctx); err == nil {
		err = c.Confirm(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		_ = c.Exec(ctx)
		_ = c.Close()
		if err := <-done; err != io.EOF {
			t.Error(err)
		}
	})
	return func() error {
		_, _, err := c.Call(ctx, "tick", syncproto.Value{})
		return err
	}
}

// A request and its reply, sent and received on both sides, take no memory once the conversation runs.
func TestControlMessagesTakeNoMemory(t *testing.T) {
	for _, l := range links {
		if !l.kernel {
			continue // a memory link keeps what it is sent
		}
		t.Run(l.name, func(t *testing.T) {
			call := ticking(t, l, 2000)
			var err error
			if n := testing.AllocsPerRun(500, func() {
				if e := call(); e != nil {
					err = e
				}
			}); n != 0 || err != nil {
				t.Errorf("%v allocations for a request and its reply, %v", n, err)
			}
		})
	}
}

// A child without memory still says so: its last word takes none.
func TestTheLastWordTakesNoMemory(t *testing.T) {
	for _, l := range links {
		t.Run(l.name, func(t *testing.T) {
			a, b := l.make(t)
			p, err := transport.NewParent(a, chatter(), transport.Options{})
			if err != nil {
				t.Fatal(err)
			}
			c, err := transport.NewChild(b, chatter(), transport.Options{})
			if err != nil {
				t.Fatal(err)
			}
			taken := make(chan float64, 1)
			go func() {
				_, _, err := c.Accept(t.Context())
				if err == nil {
					err = c.Confirm(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
				said := false
				taken <- testing.AllocsPerRun(1, func() { // which runs it once before it counts
					if !said {
						said = true
						return
					}
					err = c.Gasp()
				})
				if err != nil {
					t.Error(err)
				}
				_ = c.Close()
			}()
			err = p.Open(t.Context(), syncproto.Value{}, nil)
			if err == nil {
				_, err = p.Next(t.Context())
			}
			if !errors.Is(err, syscall.ENOMEM) || !remote.IsRemote(err) {
				t.Errorf("the parent hears %v", err)
			}
			_ = p.Close()
			if n := <-taken; n > 0 && l.kernel {
				t.Errorf("it takes memory %v times", n)
			}
		})
	}
}
