package transport_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// The zero value of every type with methods says what it is, as that of os.File does, in place of a panic.
func TestZeroValues(t *testing.T) {
	ctx, null := t.Context(), syncproto.Value{}
	var p transport.Parent
	var c transport.Child
	var process transport.Process
	var conn transport.Conn
	var noLink *badLink
	p.Exited()
	for name, err := range map[string]error{
		"Parent.Open":       p.Open(ctx, null, nil),
		"Parent.Call":       third(p.Call(ctx, "ready", null)),
		"Parent.Next":       second(p.Next(ctx)),
		"Parent.Reply":      p.Reply(ctx, null),
		"Parent.Decline":    p.Decline(ctx, unix.EIO),
		"Parent.Abort":      p.Abort(ctx, unix.EIO),
		"Parent.Narrow":     p.Narrow(container.InitProfile()),
		"Parent.Close":      p.Close(),
		"Child.Accept":      third(c.Accept(ctx)),
		"Child.Confirm":     c.Confirm(ctx),
		"Child.Note":        c.Note(ctx, "info", "x"),
		"Child.Exec":        c.Exec(ctx),
		"Child.Done":        c.Done(ctx),
		"Child.Fail":        c.Fail(ctx, unix.EIO),
		"Child.Gasp":        c.Gasp(),
		"Child.Tail":        c.Tail(),
		"typed Call":        third(transport.Call(ctx, &c, container.ReadyRequest, struct{}{})),
		"typed Reply":       transport.Reply(ctx, &p, container.ReadyRequest, struct{}{}),
		"typed Open":        transport.Open(ctx, &p, &null, nil),
		"typed Accept":      second(transport.Accept(ctx, &c, &null)),
		"Process.Wait":      process.Wait(ctx),
		"Process.Close":     process.Close(),
		"Conn.ReadFrame":    third(second3(conn.ReadFrame(all))),
		"Conn.WriteFrame":   conn.WriteFrame(syncproto.Header{}, nil, nil),
		"Conn.CloseWrite":   conn.CloseWrite(),
		"Conn.Close":        conn.Close(),
		"no Link":           transport.New(nil).Close(),
		"a nil Link":        transport.New(noLink).Close(),
		"no Link, reading":  third(second3(transport.New(nil).ReadFrame(nil))),
		"no Link, a Parent": second(transport.NewParent(transport.New(nil), nil, transport.Options{})),
	} {
		if err == nil || !errors.Is(err, os.ErrInvalid) && name != "no Link, a Parent" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if o := p.Verdict().Outcome; o != syncproto.Undecided {
		t.Errorf("the verdict is %v", o)
	}
	for _, err := range []error{&transport.Refused{}, &transport.Failure{}, &transport.CancelledError{}} {
		if err.Error() == "" || errors.Is(err, unix.EIO) {
			t.Errorf("%T: %v", err, err)
		}
	}
}

func second3[A, B, C any](_ A, b B, c C, err error) (B, C, error) { return b, c, err }

// An error whose method panics, as that of a typed nil does, ends the conversation like any other: the one that ended
// a context, one that is passed to Abort, and one of a Link.
func TestErrorsThatPanic(t *testing.T) {
	bad := (*typedNil)(nil)
	for _, l := range eachLink {
		p, c := parties(t, l, longDeadlines())
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(bad)
		if _, err := p.Next(ctx); ended(err) != syncproto.Cancelled || err.Error() == "" {
			t.Errorf("%s: a context: %v", l.name, err)
		}
		_ = c.Close()

		p, _ = parties(t, l, longDeadlines())
		if err := p.Abort(t.Context(), bad); ended(err) != syncproto.LocalError || err.Error() == "" {
			t.Errorf("%s: Abort: %v", l.name, err)
		}

		a, _ := l.make(t)
		p = newParent(t, transport.New(deadLink(bad, 0, bad)(a.Link())), transport.Options{})
		if err := p.Open(t.Context(), syncproto.MapValue(), nil); ended(err) == syncproto.Undecided || err.Error() == "" {
			t.Errorf("%s: a link: %v", l.name, err)
		}
	}
}
