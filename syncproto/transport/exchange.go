package transport

import (
	"context"
	"fmt"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/session"
)

// Call makes the request of an exchange and waits for its reply: Peer.Call with types. The descriptors given stay the
// caller's, those returned become the caller's. A reply that does not fit its type is a breach of the protocol: the
// conversation is over, and the descriptors that came with it are closed. Whether the request is legal now is still
// the machine's to say: one that is not is an error before a byte leaves.
func Call[A, R any](
	ctx context.Context, p Peer, x syncproto.Exchange[A, R], arg A, fds ...int,
) (reply R, got []int, err error) {
	d := p.side()
	v, got, err := callTyped(ctx, d, x.Request, &arg, fds)
	if err != nil {
		return reply, nil, err
	}
	if reply, err = x.BindReply(v, d.s.Role().Peer()); err != nil {
		discard(got)
		return reply, nil, misfit(ctx, p, err)
	}
	return reply, got, nil
}

func callTyped[A any](ctx context.Context, d *driver, name string, arg *A, fds []int) (syncproto.Value, []int, error) {
	ctx, err := d.begin(ctx)
	defer d.finish()
	if err != nil {
		return syncproto.Value{}, nil, err
	}
	frame, err := encodeCall(d, syncproto.KindRequest, name, arg, len(fds))
	if err != nil {
		return syncproto.Value{}, nil, d.refusedHere(ctx, err)
	}
	return d.exchange(ctx, frame, name, fds)
}

// encodeCall is the frame of a REQUEST or REPLY, straight from the memory of its argument.
func encodeCall[T any](d *driver, k syncproto.Kind, name string, arg *T, nfds int) ([]byte, error) {
	body := struct { // as syncproto.Call
		Name string `sync:"name"`
		Arg  T      `sync:"arg"`
	}{name, *arg}
	frame, err := codec.Encode(d.s.Codec(k), session.Begin(d.buf[:0]), &body, d.s.Limits())
	if err != nil {
		return nil, err
	}
	return d.s.Finish(frame, 0, syncproto.Frame{Kind: k, Name: name, FDs: nfds})
}

// Arg is the argument of a request that Next returned under the name of the exchange. One that does not fit its type
// is a breach of the protocol: the conversation is over, the request's descriptors are closed.
func Arg[A, R any](ctx context.Context, p Peer, r *Request, x syncproto.Exchange[A, R]) (arg A, err error) {
	if r == nil {
		return arg, fmt.Errorf("transport: there is no request to take for %q", x.Request)
	}
	if r.Name != x.Request {
		return arg, fmt.Errorf("transport: the request is %q, and is taken for %q", r.Name, x.Request)
	}
	if arg, err = x.BindArg(r.Arg, p.side().s.Role().Peer()); err != nil {
		discard(r.FDs)
		r.FDs = nil
		return arg, misfit(ctx, p, err)
	}
	return arg, nil
}

// Reply replies to the pending request, which is that of the exchange: Peer.Reply with types. The descriptors stay the
// caller's.
func Reply[A, R any](ctx context.Context, p Peer, x syncproto.Exchange[A, R], reply R, fds ...int) error {
	d := p.side()
	ctx, err := d.begin(ctx)
	defer d.finish()
	if err != nil {
		return err
	}
	name := d.s.ReplyName()
	frame, err := encodeCall(d, syncproto.KindReply, name, &reply, len(fds))
	if err != nil {
		return d.refusedHere(ctx, err)
	}
	d.load(frame, name, fds)
	return d.flush(ctx)
}

// misfit ends the conversation over a body of the peer that does not fit its type.
func misfit(ctx context.Context, p Peer, err error) error {
	d := p.side()
	ctx, end := d.begin(ctx)
	defer d.finish()
	if end != nil {
		return end
	}
	return d.violation(ctx, err)
}
