package transport

import (
	"context"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/session"
)

// Child is the child's side of a conversation. Its methods may be called by any goroutine; one call at a time is
// carried out, and Verdict and Close do not wait for it.
type Child struct{ *driver }

// NewChild is the child's side of a conversation over c, and owns c; on an error c stays the caller's.
func NewChild(c *Conn, p *syncproto.Profile, o Options) (*Child, error) {
	both := &struct { // one object
		Child
		driver driver
	}{}
	both.Child.driver = &both.driver
	if err := both.driver.init(syncproto.Child, c, p, o); err != nil {
		return nil, err
	}
	return &both.Child, nil
}

// Accept is the opening: HELLO is replied to, CONFIG read whole and decoded. The descriptors that came with it belong
// to the caller. After an error the caller ends; where the conversation could go on (a configuration that cannot be
// decoded, a *CancelledError), it says so with Fail first.
func (c *Child) Accept(ctx context.Context) (config syncproto.Value, fds []int, err error) {
	fds, err = c.accept(ctx, func(k codec.Codec, b []byte, l syncproto.Limits) (err error) {
		config, err = k.Decode(b, l)
		return err
	})
	return config, fds, err
}

// Accept is Child.Accept for a configuration of a Go type, which is filled straight from the bytes: see codec.Decode.
// Fields that T does not have are passed over, so that a child can be older than its parent. Where what came is no T,
// the error is a *syncproto.BindError, the conversation could go on, and the content of config means nothing.
func Accept[T any](ctx context.Context, c *Child, config *T) (fds []int, err error) {
	return c.accept(ctx, func(k codec.Codec, b []byte, l syncproto.Limits) error {
		if config == nil {
			return errors.New("transport: no room for a configuration")
		}
		return codec.Decode(k, b, config, l, true)
	})
}

func (c *Child) accept(
	ctx context.Context, decode func(codec.Codec, []byte, syncproto.Limits) error,
) (fds []int, err error) {
	ctx, err = c.begin(ctx)
	defer c.finish()
	if err != nil {
		return nil, err
	}
	if s := c.s.State(); s != syncproto.Opened {
		return nil, &syncproto.ProtocolError{Code: syncproto.CodeState, State: s,
			Text: "Accept is the opening, and is called once: the state is " + s.String()}
	}
	for last := false; !last; {
		a, err := c.await(ctx)
		if err == nil && a.Kind != session.Config {
			err = c.unexpected(ctx, a)
		}
		if err != nil {
			discard(fds)
			return nil, err
		}
		fds, last = append(fds, a.fds...), a.Last
	}
	if err := decode(c.s.Codec(syncproto.KindConfig), c.config, c.s.Limits()); err != nil {
		discard(fds)
		return nil, err
	}
	return fds, nil
}

// Confirm says that the configuration arrived whole. From then on the profile's phases run.
func (c *Child) Confirm(ctx context.Context) error {
	ctx, err := c.begin(ctx)
	defer c.finish()
	if err != nil {
		return err
	}
	frame, err := c.s.Confirm(c.buf[:0], c.config)
	if err != nil {
		return c.refusedHere(ctx, err)
	}
	c.config = nil
	c.load(frame, "", nil)
	return c.flush(ctx)
}

// Note sends a line for the parent's log. level is "debug", "info", "warning" or "error".
func (c *Child) Note(ctx context.Context, level, text string) error {
	if !utf8.ValidString(text) {
		return &syncproto.BindError{Path: "text", Why: "not valid UTF-8: " + strconv.QuoteToASCII(text)}
	}
	ctx, err := c.begin(ctx)
	defer c.finish()
	if err != nil {
		return err
	}
	frame, err := c.s.Note(c.buf[:0], syncproto.Note{Level: level, Text: text})
	if err != nil {
		return c.refusedHere(ctx, err)
	}
	c.load(frame, "", nil)
	return c.flush(ctx)
}

// Exec says that the execution comes next. The socket must be closed by it (FD_CLOEXEC) and by nothing before it: that
// is the parent's proof. If the execution fails, Fail says why.
func (c *Child) Exec(ctx context.Context) error {
	ctx, err := c.begin(ctx)
	defer c.finish()
	if err != nil {
		return err
	}
	frame, err := c.s.Exec(c.buf[:0])
	if err != nil {
		return c.refusedHere(ctx, err)
	}
	c.load(frame, "", nil)
	return c.flush(ctx)
}

// Done is Exec for a child that executes nothing: all has been done, and the conversation ends in success.
func (c *Child) Done(ctx context.Context) error {
	if err := c.Exec(ctx); err != nil {
		return err
	}
	return c.Close()
}

// Fail reports err to the parent as the child's one last word, and closes the socket. An error means that the parent
// could not be told: it is gone, or it had ended the conversation itself.
func (c *Child) Fail(ctx context.Context, err error) error {
	ctx, end := c.begin(ctx)
	defer c.finish()
	if end == nil {
		end = c.abort(context.WithoutCancel(ctx), err)
	}
	told := c.s.Told()
	if !c.closed {
		c.closed = true
		c.unwatch()
		_ = c.conn.Close()
	}
	if told {
		return nil
	}
	return end
}

// Gasp is Fail for a child that has no memory left to say what went wrong: it sends an error that was encoded
// beforehand, ENOMEM, without taking any, and leaves the socket to the end of the process.
func (c *Child) Gasp() error {
	ctx, err := c.begin(context.Background())
	defer c.finish()
	if err != nil {
		return err
	}
	frame := append(session.Begin(c.buf[:0]), remote.LastGasp...)
	frame, err = c.s.Finish(frame, 0, syncproto.Frame{Kind: syncproto.KindError})
	if err != nil {
		return err
	}
	c.load(frame, "", nil)
	return c.flush(ctx)
}

// Tail has the child go on with nothing but read(2) and write(2), for the time after a seccomp filter: Conn.Tail.
// Deadlines and contexts end no wait from then on; end of file does, when the parent dies.
func (c *Child) Tail() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn.Tail()
}
