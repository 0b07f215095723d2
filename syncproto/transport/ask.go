package transport

import (
	"context"

	"github.com/handfast/handfast/syncproto"
)

// Ask is a request of a profile with the Go types of its argument and of its answer, so that both sides are checked by the compiler; types are bound as by syncproto.ToValue.
// A side declares its Asks beside its profile:
//
//	var open = transport.Ask[OpenArg, OpenInfo]{Name: "open"}
//
// Whether the request is legal now is still the machine's to say: a call that is not is an error before a byte leaves.
type Ask[Arg, Answer any] struct {
	Name string // the row's Request
}

// Call makes the request and waits for its answer: Peer.Call with types.
func (a Ask[Arg, Answer]) Call(ctx context.Context, p *Peer, arg Arg, fds ...int) (answer Answer, got []int, err error) {
	v, err := syncproto.ToValue(arg)
	if err != nil {
		return answer, nil, err
	}
	v, got, err = p.Call(ctx, a.Name, v, fds...)
	if err != nil {
		return answer, nil, err
	}
	if err := syncproto.FromValue(v, &answer, false); err != nil {
		CloseAll(got)
		return answer, nil, p.misspelt(ctx, syncproto.KindReply, a.Name, err)
	}
	return answer, got, nil
}

// Arg is the argument of a request that Peer.Next returned under this name. One that does not fit its type is a breach of the protocol: the conversation is over, the request's
// descriptors are closed.
func (a Ask[Arg, Answer]) Arg(ctx context.Context, p *Peer, r *Request) (arg Arg, err error) {
	if err := syncproto.FromValue(r.Arg, &arg, false); err != nil {
		CloseAll(r.FDs)
		r.FDs = nil
		return arg, p.misspelt(ctx, syncproto.KindRequest, a.Name, err)
	}
	return arg, nil
}

// Reply answers the request: Peer.Reply with types.
func (a Ask[Arg, Answer]) Reply(ctx context.Context, p *Peer, answer Answer, fds ...int) error {
	v, err := syncproto.ToValue(answer)
	if err != nil {
		return err
	}
	return p.Reply(ctx, v, fds...)
}

// misspelt ends the conversation over a body of the peer that does not fit.
func (p *Peer) misspelt(ctx context.Context, k syncproto.Kind, name string, err error) error {
	sender := p.m.Role().Peer()
	return p.fail(ctx, syncproto.Violated, &syncproto.ProtocolError{Code: syncproto.CodeDecode, Kind: k, Sender: sender, Text: name + ": " + err.Error()})
}
