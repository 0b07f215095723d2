package transport

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/remote"
)

// Peer is one side of a conversation: a Machine that says what is legal, a codec that gives it bytes, and a Conn that moves them.
//
// A parent's Peer reads at all times on a goroutine of its own, also while it writes or its caller works, so that no pair of large writes can block
// each other and an error of the child is never stuck behind one of its own. A child's Peer reads only when it waits; it starts no goroutine.
// Its methods are for one goroutine; Exited, Machine state readers and Close may be called from others.
type Peer struct {
	conn    *Conn
	profile *syncproto.Profile
	opts    Options

	mu    sync.Mutex // guards m, codec and the calls of Trace
	m     *syncproto.Machine
	codec codec.Codec

	inbox    chan incoming // what the parent's reader has read, closed when it ends; nil for a child
	reading  atomic.Bool   // the parent's reader was started
	lastRead atomic.Int64  // when, in nanoseconds, for the idle deadline
	exited   chan struct{} // closed when the peer's process is known to be gone
	exit     sync.Once
	hello    syncproto.Hello
	config   []byte // child: CONFIG so far
	end      error  // the Failure, or io.EOF after success, once known
}

// incoming is one thing that a reader learned.
type incoming struct {
	kind syncproto.Kind
	re   uint16
	body syncproto.Value
	call syncproto.Call
	more bool
	fds  []int
	err  error // reading ended with it; io.EOF is the peer's end
}

// NewParent is the parent's side of a conversation over c. The Peer owns c.
func NewParent(c *Conn, p *syncproto.Profile, o Options) (*Peer, error) {
	peer, err := newPeer(syncproto.Parent, c, p, o)
	if err == nil {
		peer.inbox = make(chan incoming, 16)
		peer.m.Offer(len(peer.opts.Codecs))
	}
	return peer, err
}

// NewChild is the child's side of a conversation over c. The Peer owns c.
func NewChild(c *Conn, p *syncproto.Profile, o Options) (*Peer, error) {
	return newPeer(syncproto.Child, c, p, o)
}

func newPeer(r syncproto.Role, c *Conn, p *syncproto.Profile, o Options) (*Peer, error) {
	o = o.withDefaults(r)
	m, err := syncproto.NewMachine(r, p, o.Limits)
	if err != nil {
		return nil, err
	}
	return &Peer{conn: c, profile: p, opts: o, m: m, exited: make(chan struct{})}, nil
}

// Close ends the conversation whatever its state, and closes the socket and what descriptors had come and were not taken.
func (p *Peer) Close() error {
	err := p.conn.Close()
	if p.reading.Load() {
		for in := range p.inbox {
			CloseAll(in.fds)
		}
	}
	return err
}

// Exited tells a parent's Peer that the child's process is gone. What it has said is still read; then the conversation is over even if somebody
// else holds a copy of its socket open, so that end of file will never come.
func (p *Peer) Exited() { p.exit.Do(func() { close(p.exited) }) }

// Verdict is how the conversation stands, or ended.
func (p *Peer) Verdict() syncproto.Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m.Verdict()
}

// Narrow puts a stricter form of the profile in force, before the configuration is confirmed (Machine.Narrow).
func (p *Peer) Narrow(q *syncproto.Profile) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m.Narrow(q)
}

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
	var payload []byte
	if !body.IsNull() {
		p.mu.Lock()
		c := p.codecFor(f.Kind)
		p.mu.Unlock()
		b, err := p.encode(c, body)
		if err != nil {
			return err
		}
		payload = b
	}
	return p.sendBytes(ctx, f, payload, fds)
}

// encode refuses what the peer would: a value nested deeper than both sides have agreed on.
func (p *Peer) encode(c codec.Codec, v syncproto.Value) ([]byte, error) {
	p.mu.Lock()
	depth := int(p.m.Limits().Depth)
	p.mu.Unlock()
	if err := codec.Check(v, depth); err != nil {
		return nil, err
	}
	return c.Append(nil, v)
}

func (p *Peer) sendBytes(ctx context.Context, f syncproto.Frame, payload []byte, fds []int) error {
	f.Size, f.FDs = len(payload), len(fds)
	p.mu.Lock()
	h, err := p.m.Send(f)
	if err == nil {
		p.trace(true, h, f.Name)
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	deadline := deadlineOf(ctx, p.opts.Deadlines.Write)
	_ = p.conn.SetWriteDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = p.conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := p.conn.WriteFrame(h, payload, fds); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	return nil
}

func (p *Peer) trace(sent bool, h syncproto.Header, name string) {
	if p.opts.Trace != nil {
		p.opts.Trace(Event{Sent: sent, Header: h, Name: name, State: p.m.State(), Phase: p.m.Phase()})
	}
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

// read takes in frames until there is one that the caller must know of. It is the only reader of the Conn.
func (p *Peer) read() incoming {
	for {
		h, payload, fds, err := p.conn.ReadFrame(p.admit)
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
	case syncproto.KindHello, syncproto.KindHelloAck, syncproto.KindCancel, syncproto.KindConfigOK, syncproto.KindNote, syncproto.KindRequest, syncproto.KindReply:
		in.body, err = p.codecFor(h.Kind).Decode(payload, p.m.Limits())
	default:
		return incoming{}, p.m.Receive(h, "") // skippable
	}
	if err == nil && (h.Kind == syncproto.KindRequest || h.Kind == syncproto.KindReply) {
		err = syncproto.FromValue(in.body, &in.call, false)
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
	p.trace(false, h, in.call.Name)
	if h.Kind == syncproto.KindNote {
		return incoming{}, p.note(in.body)
	}
	return in, nil
}

func (p *Peer) note(v syncproto.Value) error {
	var n syncproto.Note
	if err := syncproto.FromValue(v, &n, false); err != nil {
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
		_ = p.conn.SetReadDeadline(deadlineOf(ctx, d))
		stop := context.AfterFunc(ctx, func() { _ = p.conn.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
		in := p.read()
		if in.err != nil && ctx.Err() != nil {
			return incoming{}, context.Cause(ctx)
		}
		return in, nil
	}
	var expired <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		expired = t.C
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
			expired = time.After(rest)
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

// Refused is the failure of one request: the other side answered it with an error. The conversation goes on.
type Refused struct{ Err error }

func (e *Refused) Error() string { return e.Err.Error() }
func (e *Refused) Unwrap() error { return e.Err }

// CancelledError is what a child's call returns when the parent asked it to stop. The child then says so with Fail and ends.
type CancelledError struct{ Reason string }

func (e *CancelledError) Error() string { return "cancelled by the parent: " + e.Reason }

// SyncCode is CodeCancelled.
func (e *CancelledError) SyncCode() syncproto.Code { return syncproto.CodeCancelled }

// Is reports that a cancellation is a context.Canceled.
func (e *CancelledError) Is(target error) bool { return target == context.Canceled }

// isEnd reports the peer's end between two frames, as opposed to one in the middle of a frame.
func isEnd(err error) bool { return err == io.EOF }
