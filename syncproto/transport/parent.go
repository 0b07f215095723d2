package transport

import (
	"context"
	"errors"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/session"
)

// Parent is the parent's side of a conversation. Its methods may be called by any goroutine. Calls run one at a time;
// Exited, Verdict and Close do not wait for them.
type Parent struct{ *driver }

// NewParent returns the parent's side of a conversation over c, and owns c. On an error c still belongs to the caller.
func NewParent(c *Conn, p *syncproto.Profile, o Options) (*Parent, error) {
	both := &struct { // one object
		Parent
		driver driver
	}{}
	both.Parent.driver = &both.driver
	if err := both.driver.init(syncproto.Parent, c, p, o); err != nil {
		return nil, err
	}
	return &both.Parent, nil
}

// Open is the opening: it sends HELLO and CONFIG with its descriptors, and waits until the child has agreed and
// confirmed. The descriptors still belong to the caller. If only one codec is offered, CONFIG is sent along with HELLO,
// without waiting for a round trip.
func (p *Parent) Open(ctx context.Context, config syncproto.Value, fds []int) error {
	return Open(ctx, p, &config, fds)
}

// Open is Parent.Open for a configuration of a Go type, which is encoded directly from memory; see codec.Encode. A
// configuration that cannot be encoded ends the conversation.
func Open[T any](ctx context.Context, p *Parent, config *T, fds []int) error {
	return p.open(ctx, fds, func(c codec.Codec, l syncproto.Limits) ([]byte, error) {
		if config == nil {
			return nil, errors.New("transport: no configuration")
		}
		return codec.Encode(c, make([]byte, 0, firstRoom), config, l)
	})
}

// firstRoom is enough for most configurations.
const firstRoom = 16 << 10

func (p *Parent) open(
	ctx context.Context, fds []int, config func(codec.Codec, syncproto.Limits) ([]byte, error),
) error {
	ctx, err := p.beginCall(ctx)
	defer p.endCall()
	if err != nil {
		return err
	}
	frame, err := p.s.Hello(p.buf[:0])
	if err != nil {
		return p.sendError(ctx, err)
	}
	p.startFrame(frame, "", nil)
	if err := p.sendFrame(ctx); err != nil {
		return err
	}
	for !p.s.Agreed() {
		a, err := p.nextArrival(ctx)
		if err != nil {
			return err
		}
		if a.Kind != session.Agreed {
			return p.unexpected(ctx, a)
		}
	}
	b, err := config(p.s.Codec(syncproto.KindConfig), p.s.Limits())
	if err != nil {
		return p.abort(ctx, err)
	}
	if err := p.configure(ctx, b, fds); err != nil {
		return err
	}
	for {
		a, err := p.nextArrival(ctx)
		switch {
		case err != nil:
			return err
		case a.Kind == session.Confirmed:
			return nil
		case a.Kind != session.Agreed:
			return p.unexpected(ctx, a)
		}
	}
}

// configure sends CONFIG. If that fails the conversation ends, because the child waits for it.
func (p *Parent) configure(ctx context.Context, b []byte, fds []int) error {
	for off, first := 0, true; first || off < len(b); first = false {
		var frame []byte
		var err error
		if frame, off, err = p.s.Config(p.buf[:0], b, off, len(fds)); err != nil {
			if !p.s.Live() {
				return p.conclude(ctx)
			}
			return p.abort(ctx, err)
		}
		p.startFrame(frame, "", fds)
		if err := p.sendFrame(ctx); err != nil {
			return err
		}
		fds = nil
	}
	return nil
}

// Abort ends the conversation in any state: it reports err to the child and reads what the child still sends. It
// returns the *Failure that the conversation ended with. It waits for a call in progress, as every call does; to end
// that one, end its context or Close.
func (p *Parent) Abort(ctx context.Context, err error) error {
	ctx, end := p.beginCall(ctx)
	defer p.endCall()
	if end != nil {
		return end
	}
	return p.abort(context.WithoutCancel(ctx), err)
}

func (d *driver) abort(ctx context.Context, err error) error {
	if err == nil {
		err = errNoCause
	}
	if d.s.Live() {
		d.addCause(syncproto.LocalError, err)
		d.s.Abort(remote.Report(err, remote.CodeOf(err)))
	}
	return d.conclude(ctx)
}

// Exited reports that the child's process has ended. What it has sent is still read; then the conversation is over even
// if another process holds a copy of its socket open, so that end of file will never arrive. With Options.Process this
// happens automatically.
func (p *Parent) Exited() {
	if p.driver == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exited = true
	if !p.closed {
		p.conn.link.Wake()
	}
}
