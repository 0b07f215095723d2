package transport

import (
	"context"
	"fmt"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/session"
)

// Call makes the request of an exchange and waits for its reply; it is Peer.Call with types. The descriptors passed
// still belong to the caller; those returned belong to the caller too. A reply that does not fit its type is a
// violation: the conversation is over, and the descriptors sent with the reply are closed. The machine still decides
// whether the request is legal now: if not, Call fails before a byte is sent.
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
		return reply, nil, endOverArgument(ctx, p, err)
	}
	return reply, got, nil
}

func callTyped[A any](ctx context.Context, d *driver, name string, arg *A, fds []int) (syncproto.Value, []int, error) {
	ctx, err := d.beginCall(ctx)
	defer d.endCall()
	if err != nil {
		return syncproto.Value{}, nil, err
	}
	frame, err := encodeCall(d, syncproto.KindRequest, name, arg, len(fds))
	if err != nil {
		return syncproto.Value{}, nil, d.sendError(ctx, err)
	}
	return d.exchange(ctx, frame, name, fds)
}

// encodeCall makes the frame of a REQUEST or REPLY directly from its argument in memory.
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

// Arg returns the argument of a request that Next returned under the name of the exchange. An argument that does not
// fit its type is a violation: the conversation is over, and the request's descriptors are closed.
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
		return arg, endOverArgument(ctx, p, err)
	}
	return arg, nil
}

// Reply replies to the pending request, which must be that of the exchange, or nothing is sent; it is Peer.Reply with
// types. The descriptors still belong to the caller.
func Reply[A, R any](ctx context.Context, p Peer, x syncproto.Exchange[A, R], reply R, fds ...int) error {
	d := p.side()
	ctx, err := d.beginCall(ctx)
	defer d.endCall()
	if err != nil {
		return err
	}
	if pending := d.s.Pending(); pending != "" && pending != x.Request {
		return fmt.Errorf("transport: the request %q waits for its reply, and this one is for %q", pending, x.Request)
	}
	name := d.s.ReplyName()
	frame, err := encodeCall(d, syncproto.KindReply, name, &reply, len(fds))
	if err != nil {
		return d.sendError(ctx, err)
	}
	d.startFrame(frame, name, fds)
	return d.sendFrame(ctx)
}

// endOverArgument ends the conversation because of an argument of the peer that does not fit its type.
func endOverArgument(ctx context.Context, p Peer, err error) error {
	d := p.side()
	ctx, end := d.beginCall(ctx)
	defer d.endCall()
	if end != nil {
		return end
	}
	return d.violation(ctx, err)
}
