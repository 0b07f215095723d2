package transport_test

import (
	"context"
	"io"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

// chatter is a conversation that may go on for long.
func chatter() *syncproto.Profile {
	return &syncproto.Profile{Name: "chatter", Phases: []syncproto.Phase{
		{Name: "open", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{{Request: "tick", Reply: "tock"}}},
	}}
}

// ticking is a profile in which the child may make requests without end.
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
