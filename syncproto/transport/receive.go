package transport

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/remote"
)

// read takes in frames until there is one that the caller must know of. It is the only reader of the Conn.
func (p *Peer) read() incoming {
	for {
		h, payload, fds, err := p.conn.ReadFrame(p.admits)
		if err != nil {
			return incoming{err: err}
		}
		in, err := p.take(h, payload)
		if err != nil {
			CloseAll(fds)
			return incoming{err: err}
		}
		p.lastRead.Store(time.Now().UnixNano())
		if in.fds = fds; in.kind != 0 {
			return in
		}
		CloseAll(fds)
	}
}

func (p *Peer) admit(h syncproto.Header) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m.Admit(h)
}

// take decodes a payload and gives the frame to the machine. A zero kind needs no more attention.
func (p *Peer) take(h syncproto.Header, payload []byte) (in incoming, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	over := p.m.State() == syncproto.Failed
	in = incoming{kind: h.Kind, re: h.Re, more: h.More()}
	if over && h.Kind != syncproto.KindError {
		return incoming{}, p.m.Receive(h, "")
	}
	switch h.Kind {
	case syncproto.KindError:
		in.body, err = codec.JSON().Decode(payload, p.m.Limits())
		if err != nil {
			in.body, err = syncproto.StringValue("an error report that cannot be read: "+err.Error()), nil
		}
	case syncproto.KindExec:
		if len(payload) > 0 {
			err = &syncproto.ProtocolError{Code: syncproto.CodeFrame, Kind: h.Kind, Sender: syncproto.Child, Text: "has a payload"}
		}
	case syncproto.KindConfig:
		p.config = append(p.config, payload...)
	case syncproto.KindRequest, syncproto.KindReply:
		in.call, err = p.takeCall(h.Kind, payload)
	case syncproto.KindHello, syncproto.KindHelloAck, syncproto.KindCancel, syncproto.KindConfigOK, syncproto.KindNote:
		in.body, err = p.codecFor(h.Kind).Decode(payload, p.m.Limits())
	default:
		return incoming{}, p.m.Receive(h, "") // skippable
	}
	if err == nil {
		err = p.m.Receive(h, in.call.Name)
	}
	if err == nil && h.Kind == syncproto.KindHelloAck {
		err = p.agree(in.body)
	}
	if err != nil {
		return incoming{}, asProtocol(err, h.Kind, p.m.Role().Peer())
	}
	p.trace(false, h, in.call.Name, payload)
	if h.Kind == syncproto.KindNote {
		return incoming{}, p.note(in.body)
	}
	return in, nil
}

// takeCall decodes the body of a REQUEST or REPLY. Its name is one that the machine holds, as a rule, and needs no
// memory then.
func (p *Peer) takeCall(k syncproto.Kind, payload []byte) (call syncproto.Call, err error) {
	err = codec.DecodeKnown(p.codecFor(k), payload, &call, p.m.Limits(), false, p.knows)
	return call, err
}

func (p *Peer) note(v syncproto.Value) error {
	var n syncproto.Note
	err := syncproto.FromValue(v, &n, false)
	if err == nil {
		err = n.Validate()
	}
	if err != nil {
		return asProtocol(err, syncproto.KindNote, syncproto.Child)
	}
	if p.opts.Note != nil {
		p.opts.Note(n)
	}
	return nil
}

// asProtocol makes a refusal of a body a breach of the protocol by its sender.
func asProtocol(err error, k syncproto.Kind, sender syncproto.Role) error {
	var p *syncproto.ProtocolError
	if errors.As(err, &p) {
		return err
	}
	return &syncproto.ProtocolError{Code: syncproto.CodeDecode, Kind: k, Sender: sender, Text: err.Error()}
}

// pump is the parent's reader: it goes on until the conversation's last byte.
func (p *Peer) pump() {
	defer close(p.inbox)
	for {
		in := p.read()
		p.inbox <- in
		if in.err != nil {
			return
		}
	}
}

// wait is the next frame of the peer, or why there will be none: then the conversation is over, and the error is what ended it (io.EOF for success).
func (p *Peer) wait(ctx context.Context) (incoming, error) {
	if p.end != nil {
		return incoming{}, p.end
	}
	p.mu.Lock()
	w := p.m.Waiting()
	p.mu.Unlock()
	p.began = time.Now()
	in, err := p.next(ctx, p.opts.Deadlines.of(w))
	if err == nil {
		err = in.err
	}
	if err == nil {
		return p.judge(ctx, in)
	}
	return incoming{}, p.finish(ctx, err, w)
}

// next is the next frame, from the reader or by reading.
func (p *Peer) next(ctx context.Context, d time.Duration) (incoming, error) {
	if p.inbox == nil {
		p.interruptible(ctx)
		_ = p.conn.SetReadDeadline(deadlineOf(ctx, d))
		if ctx.Err() != nil {
			return incoming{}, context.Cause(ctx)
		}
		in := p.read()
		if in.err != nil && ctx.Err() != nil {
			return incoming{}, context.Cause(ctx)
		}
		return in, nil
	}
	var expired <-chan time.Time
	if d > 0 {
		if p.timer == nil {
			p.timer = time.NewTimer(d)
		} else {
			p.timer.Reset(d)
		}
		defer p.timer.Stop()
		expired = p.timer.C
	}
	exited := p.exited
	for {
		select {
		case in, open := <-p.inbox:
			if !open {
				return incoming{}, os.ErrClosed
			}
			return in, nil
		case <-ctx.Done():
			return incoming{}, context.Cause(ctx)
		case <-exited:
			exited = nil
			// All that the process ever wrote is queued; the reader needs a moment to take it, and then nothing can follow.
			_ = p.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		case <-expired:
			rest := d - time.Since(time.Unix(0, p.lastRead.Load()))
			if rest <= 0 {
				return incoming{}, os.ErrDeadlineExceeded
			}
			p.timer.Reset(rest)
		}
	}
}

// judge turns the frames that end a conversation into the error that they are.
func (p *Peer) judge(ctx context.Context, in incoming) (incoming, error) {
	switch in.kind {
	case syncproto.KindError:
		report := remoteError(in.body)
		if in.re != 0 {
			return incoming{}, &Refused{report}
		}
		return incoming{}, p.fail(ctx, syncproto.PeerError, report)
	case syncproto.KindCancel:
		var c syncproto.Cancel
		_ = syncproto.FromValue(in.body, &c, true)
		return incoming{}, &CancelledError{Reason: c.Reason}
	}
	return in, nil
}

func remoteError(v syncproto.Value) error {
	if text, ok := v.Text(); ok {
		return errors.New(text)
	}
	var r syncproto.Report
	if err := syncproto.FromValue(v, &r, true); err != nil {
		return errors.New("an error report that cannot be read: " + err.Error())
	}
	return remote.FromReport(r)
}

// isEnd reports the peer's end between two frames, as opposed to one in the middle of a frame.
func isEnd(err error) bool { return err == io.EOF }
