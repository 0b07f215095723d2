package transport

import (
	"context"
	"os"
	"strconv"
	"unicode/utf8"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
)

// Accept is the child's opening: HELLO is answered, CONFIG read whole and decoded. The descriptors that came with it belong to the caller.
// After an error the caller says so with Fail.
func (p *Peer) Accept(ctx context.Context) (config syncproto.Value, fds []int, err error) {
	in, err := p.expect(ctx, syncproto.KindHello)
	if err != nil {
		return config, nil, err
	}
	if err := syncproto.FromValue(in.body, &p.hello, true); err != nil {
		return config, nil, asProtocol(err, in.kind, syncproto.Parent)
	}
	ack, err := p.hello.Answer(p.profile, p.opts.codecNames(), p.opts.Limits, os.Getpid())
	if err != nil {
		return config, nil, err
	}
	p.m.Offer(len(p.hello.Codecs))
	body, err := syncproto.ToValue(ack)
	if err != nil {
		return config, nil, err
	}
	if err := p.send(ctx, syncproto.Frame{Kind: syncproto.KindHelloAck}, body, nil); err != nil {
		return config, nil, err
	}
	p.codec = p.opts.codec(ack.Codec)
	if err := p.m.Agree(p.hello.Limits); err != nil {
		return config, nil, err
	}
	for more := true; more; {
		in, err := p.expect(ctx, syncproto.KindConfig)
		if err != nil {
			CloseAll(fds)
			return config, nil, err
		}
		fds, more = append(fds, in.fds...), in.more
	}
	if config, err = p.codec.Decode(p.config, p.m.Limits()); err != nil {
		CloseAll(fds)
		return config, nil, err
	}
	return config, fds, nil
}

// Confirm says that the configuration arrived whole. From then on the profile's phases run.
func (p *Peer) Confirm(ctx context.Context) error {
	body, err := syncproto.ToValue(syncproto.ConfigOK{Size: uint32(len(p.config)), Digest: syncproto.Digest(p.config)})
	if err != nil {
		return err
	}
	p.config = nil
	return p.send(ctx, syncproto.Frame{Kind: syncproto.KindConfigOK}, body, nil)
}

// Call makes a request and waits for its reply. The descriptors given stay the caller's, those returned become the caller's.
// A *Refused is the other side's answer that it cannot be done; a *CancelledError its wish that the child stop; both leave the conversation open for Fail.
func (p *Peer) Call(ctx context.Context, name string, arg syncproto.Value, fds ...int) (syncproto.Value, []int, error) {
	if err := p.sendCall(ctx, syncproto.KindRequest, name, arg, fds); err != nil {
		return syncproto.Value{}, nil, err
	}
	in, err := p.expect(ctx, syncproto.KindReply)
	if err != nil {
		return syncproto.Value{}, nil, err
	}
	return in.call.Arg, in.fds, nil
}

// Note sends a line for the parent's log.
func (p *Peer) Note(ctx context.Context, level, text string) error {
	if !utf8.ValidString(text) {
		return &syncproto.BindError{Path: "text", Why: "not valid UTF-8: " + strconv.QuoteToASCII(text)}
	}
	if err := (&syncproto.Note{Level: level}).Validate(); err != nil {
		return err
	}
	return p.sendFields(ctx, syncproto.Frame{Kind: syncproto.KindNote},
		syncproto.Field{Name: "level", Value: syncproto.StringValue(level)}, syncproto.Field{Name: "text", Value: syncproto.StringValue(text)}, nil)
}

// Exec says that the execution comes next. The socket must be closed by it (FD_CLOEXEC) and by nothing before it: that is the parent's proof.
// If the execution fails, Fail says why.
func (p *Peer) Exec(ctx context.Context) error {
	return p.send(ctx, syncproto.Frame{Kind: syncproto.KindExec}, syncproto.Value{}, nil)
}

// Gasp is Fail for a child that has no memory left to say what went wrong: it sends an error that was encoded beforehand, ENOMEM, without taking any, and leaves the socket to
// the end of the process.
func (p *Peer) Gasp() error {
	return p.sendBytes(context.Background(), syncproto.Frame{Kind: syncproto.KindError}, remote.LastGasp, nil)
}

// Fail reports err to the parent as the child's one last word, and closes the socket. An error means that the parent could not be told: it is gone, or it had ended the
// conversation itself.
func (p *Peer) Fail(ctx context.Context, err error) error {
	e := p.report(ctx, err, false)
	p.unwatch()
	_ = p.conn.Close()
	return e
}
