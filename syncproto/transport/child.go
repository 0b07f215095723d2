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

// Child is the child's side of a conversation. Its methods may be called by any goroutine. Calls run one at a time;
// Verdict and Close do not wait for them.
type Child struct{ *driver }

// NewChild returns the child's side of a conversation over c, and owns c. On an error c still belongs to the caller.
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

// Accept is the opening: it replies to HELLO, reads all of CONFIG and decodes it. The descriptors that were sent with
// it belong to the caller. After an error the caller must end. If the conversation could have gone on (the
// configuration cannot be decoded, or the error is a *CancelledError), the caller must call Fail first.
func (c *Child) Accept(ctx context.Context) (config syncproto.Value, fds []int, err error) {
	fds, err = c.accept(ctx, func(k codec.Codec, b []byte, l syncproto.Limits) (err error) {
		config, err = k.Decode(b, l)
		return err
	})
	return config, fds, err
}

// Accept is Child.Accept for a configuration of a Go type, which is filled directly from the bytes; see codec.Decode.
// Fields that T does not have are ignored, so that a child may be older than its parent. If the configuration does not
// fit T, the error is a *syncproto.BindError, the conversation could go on, and the content of config is undefined.
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
	ctx, err = c.beginCall(ctx)
	defer c.endCall()
	if err != nil {
		return nil, err
	}
	if s := c.s.State(); s != syncproto.Opened {
		return nil, &syncproto.ProtocolError{Code: syncproto.CodeState, State: s,
			Text: "Accept is the opening, and is called once: the state is " + s.String()}
	}
	for last := false; !last; {
		a, err := c.nextArrival(ctx)
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

// Confirm confirms that the configuration arrived complete. The profile's phases begin with it.
func (c *Child) Confirm(ctx context.Context) error {
	ctx, err := c.beginCall(ctx)
	defer c.endCall()
	if err != nil {
		return err
	}
	frame, err := c.s.Confirm(c.buf[:0], c.config)
	if err != nil {
		return c.sendError(ctx, err)
	}
	c.config = nil
	c.startFrame(frame, "", nil)
	return c.sendFrame(ctx)
}

// Note sends a line for the parent's log. level is "debug", "info", "warning" or "error".
func (c *Child) Note(ctx context.Context, level, text string) error {
	if !utf8.ValidString(text) {
		return &syncproto.BindError{Path: "text", Why: "not valid UTF-8: " + strconv.QuoteToASCII(text)}
	}
	ctx, err := c.beginCall(ctx)
	defer c.endCall()
	if err != nil {
		return err
	}
	frame, err := c.s.Note(c.buf[:0], syncproto.Note{Level: level, Text: text})
	if err != nil {
		return c.sendError(ctx, err)
	}
	c.startFrame(frame, "", nil)
	return c.sendFrame(ctx)
}

// Exec announces the execution. The socket must be closed by the execution (FD_CLOEXEC) and by nothing before it,
// because that is the parent's proof. If the execution fails, call Fail.
func (c *Child) Exec(ctx context.Context) error {
	ctx, err := c.beginCall(ctx)
	defer c.endCall()
	if err != nil {
		return err
	}
	frame, err := c.s.Exec(c.buf[:0])
	if err != nil {
		return c.sendError(ctx, err)
	}
	c.startFrame(frame, "", nil)
	return c.sendFrame(ctx)
}

// Done is Exec for a child that executes nothing: it has finished, and the conversation ends in success.
func (c *Child) Done(ctx context.Context) error {
	if err := c.Exec(ctx); err != nil {
		return err
	}
	return c.Close()
}

// Fail reports err to the parent as the final frame of the conversation, and closes the socket. An error means that the
// parent could not be notified: it is gone, or had ended the conversation itself.
func (c *Child) Fail(ctx context.Context, err error) error {
	ctx, end := c.beginCall(ctx)
	defer c.endCall()
	if end == errZero {
		return end
	}
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

// Gasp is Fail for a child that has no memory left to report what went wrong: it sends a pre-encoded ENOMEM error
// without allocating, and leaves the socket open until the process ends.
func (c *Child) Gasp() error {
	ctx, err := c.beginCall(context.Background())
	defer c.endCall()
	if err != nil {
		return err
	}
	frame := append(session.Begin(c.buf[:0]), remote.LastGasp...)
	frame, err = c.s.Finish(frame, 0, syncproto.Frame{Kind: syncproto.KindError})
	if err != nil {
		return err
	}
	c.startFrame(frame, "", nil)
	return c.sendFrame(ctx)
}

// Tail makes the child use only read(2) and write(2) from now on, for the time after a seccomp filter is loaded; see
// Conn.Tail. Deadlines and contexts no longer end a wait; end of file does, when the parent dies. Close and Verdict
// wait for a call in progress.
func (c *Child) Tail() error {
	if c.driver == nil {
		return errZero
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn.Tail()
}
