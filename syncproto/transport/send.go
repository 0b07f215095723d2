package transport

import (
	"context"
	"sync"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// codecFor is the codec of a frame's body. What must be readable before anything is agreed, and whatever was agreed, is JSON. The caller holds mu, or is a child's
// only goroutine.
func (p *Peer) codecFor(k syncproto.Kind) codec.Codec {
	switch k {
	case syncproto.KindHello, syncproto.KindHelloAck, syncproto.KindError, syncproto.KindCancel:
		return codec.JSON()
	}
	if p.codec == nil {
		return codec.JSON() // nothing is agreed: the machine refuses the frame
	}
	return p.codec
}

// send asks the machine, then writes. body null is an empty payload.
func (p *Peer) send(ctx context.Context, f syncproto.Frame, body syncproto.Value, fds []int) error {
	p.wbuf = p.wbuf[:0]
	if !body.IsNull() {
		p.mu.Lock()
		c := p.codecFor(f.Kind)
		p.mu.Unlock()
		b, err := p.encode(c, p.wbuf, body)
		if err != nil {
			return err
		}
		p.wbuf = b
	}
	return p.sendBytes(ctx, f, p.wbuf, fds)
}

// sendFields is send for a body of two fields, which are kept in the Peer so that nothing is made anew for them.
func (p *Peer) sendFields(ctx context.Context, f syncproto.Frame, a, b syncproto.Field, fds []int) error {
	p.fields[0], p.fields[1] = a, b
	err := p.send(ctx, f, syncproto.MapValue(p.fields[:]...), fds)
	p.fields = [2]syncproto.Field{}
	return err
}

// sendCall is a REQUEST or a REPLY, a body of the type syncproto.Call.
func (p *Peer) sendCall(ctx context.Context, k syncproto.Kind, name string, arg syncproto.Value, fds []int) error {
	return p.sendFields(ctx, syncproto.Frame{Kind: k, Name: name},
		syncproto.Field{Name: "name", Value: syncproto.StringValue(name)}, syncproto.Field{Name: "arg", Value: arg}, fds)
}

// encode appends v to dst. It refuses what the peer would: a value nested deeper than both sides have agreed on.
func (p *Peer) encode(c codec.Codec, dst []byte, v syncproto.Value) ([]byte, error) {
	p.mu.Lock()
	depth := int(p.m.Limits().Depth)
	p.mu.Unlock()
	if err := codec.Check(v, depth); err != nil {
		return nil, err
	}
	return c.Append(dst, v)
}

// sendBytes asks the machine and writes: at once where there is room, as there nearly always is, and otherwise within the deadline and as long as ctx allows.
func (p *Peer) sendBytes(ctx context.Context, f syncproto.Frame, payload []byte, fds []int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.Size, f.FDs = len(payload), len(fds)
	p.mu.Lock()
	h, err := p.m.Send(f)
	if err == nil {
		p.trace(true, h, f.Name, payload)
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	rest, err := p.conn.writeNow(h, payload, fds)
	if rest == nil {
		if err != nil && !p.conn.torn { // refused as a whole: the ERROR frame that tells of it has this number
			p.mu.Lock()
			p.m.Unsent(h)
			p.mu.Unlock()
		}
		return err
	}
	p.interruptible(ctx)
	_ = p.conn.SetWriteDeadline(deadlineOf(ctx, p.opts.Deadlines.Write))
	if ctx.Err() != nil { // or it would be the deadline of before that was replaced
		err = context.Cause(ctx)
	} else if err = p.conn.writeRest(rest, fds); err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil && len(rest) == syncproto.HeaderSize+len(payload) && !p.conn.torn {
		p.mu.Lock()
		p.m.Unsent(h)
		p.mu.Unlock()
	}
	return err
}

// watch is the one context that the Peer's system calls are interrupted by. It is kept from call to call, for most calls have the same one.
type watch struct {
	mu   sync.Mutex
	done <-chan struct{}
	stop func() bool
}

// interruptible sees to it that the end of ctx ends a wait for the kernel. The caller sets its deadline after it, and looks at ctx.Err() after that.
func (p *Peer) interruptible(ctx context.Context) {
	w := &p.watch
	done := ctx.Done()
	w.mu.Lock()
	defer w.mu.Unlock()
	if done == w.done {
		return
	}
	if w.stop != nil {
		w.stop()
	}
	w.done, w.stop = done, nil
	if done == nil {
		return
	}
	w.stop = context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.done != done {
			return // the calls of another context are not this one's to interrupt
		}
		_ = p.conn.SetWriteDeadline(time.Unix(1, 0))
		if p.inbox == nil { // a parent's reader reads to the end
			_ = p.conn.SetReadDeadline(time.Unix(1, 0))
		}
	})
}

func (p *Peer) unwatch() {
	p.watch.mu.Lock()
	defer p.watch.mu.Unlock()
	if p.watch.stop != nil {
		p.watch.stop()
	}
	p.watch.done, p.watch.stop = nil, nil
}

const forever = 100 * 365 * 24 * time.Hour

// deadlineOf is the earlier of now+d and the context's own deadline; zero for none.
func deadlineOf(ctx context.Context, d time.Duration) time.Time {
	t, ok := ctx.Deadline()
	if d <= 0 {
		if !ok && ctx.Done() != nil {
			return time.Now().Add(forever) // a bound to move when the context ends
		}
		return t
	}
	if mine := time.Now().Add(d); !ok || mine.Before(t) {
		return mine
	}
	return t
}
