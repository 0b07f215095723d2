package transport

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// Request is one request of the peer. Its descriptors belong to whoever got the Request; the Request itself is the Peer's, and is another one after the next call of Next.
type Request struct {
	Name string
	Arg  syncproto.Value
	FDs  []int
}

// Open is the parent's opening: HELLO, CONFIG with its descriptors, and the wait until the child has agreed and confirmed. The descriptors stay the caller's.
// Where a single codec is offered, CONFIG goes out with HELLO and nothing waits for a round trip.
func (p *Peer) Open(ctx context.Context, config syncproto.Value, fds []int) error {
	p.hello = syncproto.Greeting(p.profile, p.opts.codecNames(), p.opts.Limits, p.opts.Session)
	body, err := syncproto.ToValue(p.hello)
	if err != nil {
		return err
	}
	p.lastRead.Store(time.Now().UnixNano())
	p.reading.Store(true)
	go p.pump()
	if err := p.send(ctx, syncproto.Frame{Kind: syncproto.KindHello}, body, nil); err != nil {
		return p.sendFailed(ctx, err)
	}
	c := p.opts.Codecs[0]
	early := len(p.opts.Codecs) == 1
	if early {
		p.mu.Lock()
		p.codec = c
		p.mu.Unlock()
	} else {
		if err := p.agreed(ctx); err != nil {
			return err
		}
		p.mu.Lock()
		c = p.codec
		p.mu.Unlock()
	}
	digest, size, err := p.sendConfig(ctx, c, config, fds)
	if err != nil {
		return p.sendFailed(ctx, err)
	}
	if early {
		if err := p.agreed(ctx); err != nil {
			return err
		}
	}
	return p.confirmed(ctx, digest, size)
}

// agreed waits for HELLO_ACK.
func (p *Peer) agreed(ctx context.Context) error {
	_, err := p.expect(ctx, syncproto.KindHelloAck)
	return err
}

// agree puts in force what HELLO_ACK says. The reader does so itself: the frame behind it, a NOTE say, is in the codec that was chosen. The caller holds mu.
func (p *Peer) agree(body syncproto.Value) error {
	var ack syncproto.HelloAck
	if err := syncproto.FromValue(body, &ack, true); err != nil {
		return err
	}
	if err := p.hello.Check(ack); err != nil {
		return err
	}
	p.codec = p.opts.codec(ack.Codec)
	return p.m.Agree(ack.Limits)
}

func (p *Peer) sendConfig(ctx context.Context, c codec.Codec, config syncproto.Value, fds []int) (digest string, size int, err error) {
	b, err := p.encode(c, make([]byte, 0, 8<<10), config)
	if err != nil {
		return "", 0, err
	}
	for rest, first := b, true; first || len(rest) > 0; first = false {
		p.mu.Lock()
		n := min(len(rest), int(p.m.Limits().Fragment)) // HELLO_ACK may come in between and lower it
		p.mu.Unlock()
		f := syncproto.Frame{Kind: syncproto.KindConfig, More: n < len(rest)}
		if err := p.sendBytes(ctx, f, rest[:n], fds); err != nil {
			return "", 0, err
		}
		rest, fds = rest[n:], nil
	}
	return syncproto.Digest(b), len(b), nil
}

// confirmed waits for CONFIG_OK and compares what arrived with what was sent.
func (p *Peer) confirmed(ctx context.Context, digest string, size int) error {
	in, err := p.expect(ctx, syncproto.KindConfigOK)
	if err != nil {
		return err
	}
	var ok syncproto.ConfigOK
	err = syncproto.FromValue(in.body, &ok, true)
	if err == nil && (ok.Digest != digest || int64(ok.Size) != int64(size)) {
		err = &syncproto.ProtocolError{Code: syncproto.CodeDecode, Kind: in.kind, Sender: syncproto.Child, Text: "the configuration that it confirms is not the one that was sent"}
	}
	if err != nil {
		return p.fail(ctx, syncproto.Violated, asProtocol(err, in.kind, syncproto.Child))
	}
	return nil
}

// expect waits for a frame of one kind. The machine lets no other through in such a state but those that wait has judged.
func (p *Peer) expect(ctx context.Context, k syncproto.Kind) (incoming, error) {
	in, err := p.wait(ctx)
	if err != nil {
		return in, err
	}
	if in.kind != k {
		CloseAll(in.fds)
		return in, p.fail(ctx, syncproto.Violated, &syncproto.ProtocolError{Code: syncproto.CodeState, Kind: in.kind, Sender: p.m.Role().Peer(), Text: "want " + k.String()})
	}
	return in, nil
}

// Next waits for the peer's next request. io.EOF is the end in success: the child said EXEC and its end of the socket closed. Every other error is a *Failure and the
// conversation is over.
func (p *Peer) Next(ctx context.Context) (*Request, error) {
	for {
		in, err := p.wait(ctx)
		if err != nil {
			return nil, err
		}
		switch in.kind {
		case syncproto.KindRequest:
			p.request = Request{Name: in.call.Name, Arg: in.call.Arg, FDs: in.fds}
			return &p.request, nil
		case syncproto.KindExec:
			continue
		}
		CloseAll(in.fds)
		return nil, p.fail(ctx, syncproto.Violated, &syncproto.ProtocolError{Code: syncproto.CodeState, Kind: in.kind, Sender: p.m.Role().Peer(), Text: "want a request"})
	}
}

// Reply answers the pending request by the name that the profile gives the answer. The descriptors stay the caller's.
func (p *Peer) Reply(ctx context.Context, arg syncproto.Value, fds ...int) error {
	p.mu.Lock()
	name := p.m.Answer()
	p.mu.Unlock()
	if err := p.sendCall(ctx, syncproto.KindReply, name, arg, fds); err != nil {
		return p.sendFailed(ctx, err)
	}
	return nil
}

// Refuse answers the pending request with an error and ends the conversation for this side: err is its cause, and what the peer still says is kept beside it.
func (p *Peer) Refuse(ctx context.Context, err error) error {
	short, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	if p.report(short, err, true) == nil {
		return p.failTold(syncproto.LocalError, err)
	}
	return p.fail(ctx, syncproto.LocalError, err)
}

// Abort ends the conversation whatever its state: the peer is told of err.
func (p *Peer) Abort(ctx context.Context, err error) error {
	return p.fail(ctx, syncproto.LocalError, err)
}

// sendFailed ends the conversation after a frame could not be sent. What the machine refused to send is this side's mistake, unless the conversation was over because the
// peer had reported an error meanwhile: then that is the cause. What the kernel refused is often the peer's end, and its last words are still to be read.
func (p *Peer) sendFailed(ctx context.Context, err error) error {
	o := outcomeOf(ctx, err)
	switch {
	case p.end != nil:
		return p.end
	case p.Verdict().Outcome == syncproto.PeerError:
		return p.fail(ctx, syncproto.Broken, nil)
	case o == syncproto.Violated:
		o = syncproto.LocalError
	case errors.Is(err, os.ErrDeadlineExceeded):
		o = syncproto.TimedOut
	}
	f := p.fail(ctx, o, err)
	var failure *Failure
	if o == syncproto.TimedOut && errors.As(f, &failure) {
		failure.Waited = p.opts.Deadlines.Write
	}
	return f
}
