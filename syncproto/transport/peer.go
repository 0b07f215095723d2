package transport

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
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
	config   []byte    // child: CONFIG so far
	began    time.Time // of the wait that goes on
	end      error     // the Failure, or io.EOF after success, once known

	// What a frame needs anew each time is kept, so that control messages take no memory: one goroutine sends, one reads, and one calls Next.
	fields  [2]syncproto.Field // the body that is being sent
	wbuf    []byte             // and its encoding
	request Request            // what Next returns
	timer   *time.Timer        // of the wait for the peer's next frame
	admits  func(syncproto.Header) error
	knows   func([]byte) string
	watch   watch
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
	peer := &Peer{conn: c, profile: p, opts: o, m: m, exited: make(chan struct{})}
	peer.admits, peer.knows = peer.admit, m.Known
	return peer, nil
}

// Close ends the conversation whatever its state, and closes the socket and what descriptors had come and were not taken.
func (p *Peer) Close() error {
	p.unwatch()
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

// trace tells of a frame. The caller holds mu.
func (p *Peer) trace(sent bool, h syncproto.Header, name string, payload []byte) {
	if p.opts.Trace != nil {
		p.opts.Trace(Event{Sent: sent, Header: h, Name: name, State: p.m.State(), Phase: p.m.Phase(), Payload: payload, Codec: p.codecFor(h.Kind).Name()})
	}
}

// traceEnd tells of the end, which is known once.
func (p *Peer) traceEnd() {
	if p.opts.Trace == nil {
		return
	}
	e := Event{End: syncproto.Success}
	if f, ok := p.end.(*Failure); ok {
		e.End, e.State, e.Phase, e.Err = f.Outcome, f.State, f.Phase, f
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opts.Trace(e)
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
