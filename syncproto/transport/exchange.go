package transport

import (
	"context"
	"fmt"

	"github.com/handfast/handfast/syncproto"
)

// Call makes the request of an exchange and waits for its reply: Peer.Call with types. The descriptors given stay the
// caller's, those returned become the caller's. A reply that does not fit its type is a breach of the protocol: the
// conversation is over, and the descriptors that came with it are closed. Whether the request is legal now is still
// the machine's to say: one that is not is an error before a byte leaves.
func Call[A, R any](
	ctx context.Context, p Peer, x syncproto.Exchange[A, R], arg A, fds ...int,
) (reply R, got []int, err error) {
	v, err := x.ArgValue(arg)
	if err != nil {
		return reply, nil, err
	}
	v, got, err = p.Call(ctx, x.Request, v, fds...)
	if err != nil {
		return reply, nil, err
	}
	if reply, err = x.BindReply(v, p.side().s.Role().Peer()); err != nil {
		discard(got)
		return reply, nil, misfit(ctx, p, err)
	}
	return reply, got, nil
}

// Arg is the argument of a request that Next returned under the name of the exchange. One that does not fit its type
// is a breach of the protocol: the conversation is over, the request's descriptors are closed.
func Arg[A, R any](ctx context.Context, p Peer, r *Request, x syncproto.Exchange[A, R]) (arg A, err error) {
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
	v, err := x.ReplyValue(reply)
	if err != nil {
		return err
	}
	return p.Reply(ctx, v, fds...)
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
