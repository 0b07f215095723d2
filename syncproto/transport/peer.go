package transport

import (
	"context"
	"errors"
	"strconv"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/session"
)

// Request is one request of the peer. Its descriptors belong to whoever got the Request; the Request itself is another
// one after the next call of Next.
type Request struct {
	Name string
	Arg  syncproto.Value
	FDs  []int
}

// Peer is what both sides of a conversation can do: Parent and Child.
type Peer interface {
	// Call makes a request and waits for its reply. The descriptors given stay the caller's, those returned become
	// the caller's. A *Refused is the other side's word that it cannot be done, after which the conversation goes
	// on; a child may get a *CancelledError, after which it says Fail. Every other error is the end (a *Failure), or
	// a call that may not be made now, of which nothing has left.
	Call(ctx context.Context, name string, arg syncproto.Value, fds ...int) (syncproto.Value, []int, error)
	// Next waits for the peer's next request. io.EOF is the end in success, for a parent: the child said EXEC and its
	// end of the socket closed. A *Failure is every other end.
	Next(ctx context.Context) (*Request, error)
	// Reply replies to the pending request, under the name that the profile gives the reply. The descriptors stay the
	// caller's. After an error that is no *Failure the request still waits.
	Reply(ctx context.Context, arg syncproto.Value, fds ...int) error
	// Decline replies to the pending request that it cannot be done; the peer's Call returns err as a *Refused. The
	// conversation goes on.
	Decline(ctx context.Context, err error) error
	// Verdict is how the conversation stands, or ended.
	Verdict() syncproto.Verdict
	// Narrow puts a stricter form of the profile in force, before the configuration is confirmed.
	Narrow(p *syncproto.Profile) error
	// Close ends the conversation whatever its state and without a word.
	Close() error

	side() *driver
}

var (
	_ Peer = (*Parent)(nil)
	_ Peer = (*Child)(nil)
)

func (d *driver) side() *driver { return d }

// Call is documented at Peer.
func (d *driver) Call(
	ctx context.Context, name string, arg syncproto.Value, fds ...int,
) (syncproto.Value, []int, error) {
	ctx, err := d.begin(ctx)
	defer d.finish()
	if err != nil {
		return syncproto.Value{}, nil, err
	}
	frame, err := d.s.Call(d.buf[:0], syncproto.KindRequest, syncproto.Call{Name: name, Arg: arg}, len(fds))
	if err != nil {
		return syncproto.Value{}, nil, d.refusedHere(ctx, err)
	}
	return d.exchange(ctx, frame, name, fds)
}

// exchange sends a REQUEST and waits for its reply.
func (d *driver) exchange(ctx context.Context, frame []byte, name string, fds []int) (syncproto.Value, []int, error) {
	d.load(frame, name, fds)
	if err := d.flush(ctx); err != nil {
		return syncproto.Value{}, nil, err
	}
	a, err := d.await(ctx)
	if err != nil {
		return syncproto.Value{}, nil, err
	}
	switch a.Kind {
	case session.Reply:
		return a.Arg, a.fds, nil
	case session.Refused:
		return syncproto.Value{}, nil, &Refused{remote.FromReport(a.Report)}
	}
	return syncproto.Value{}, nil, d.unexpected(ctx, a)
}

// refusedHere is the error of a frame that this side may not send. Where that is because the peer has ended the
// conversation, the end is the error, with the peer's words.
func (d *driver) refusedHere(ctx context.Context, err error) error {
	if !d.s.Live() {
		return d.conclude(ctx)
	}
	return err
}

// unexpected is an event that the caller has not waited for.
func (d *driver) unexpected(ctx context.Context, a arrival) error {
	discard(a.fds)
	if a.Kind == session.Cancel {
		return &CancelledError{Reason: a.Text}
	}
	v := d.s.Verdict()
	err := &syncproto.ProtocolError{Code: syncproto.CodeState, State: v.State, Phase: v.Phase, Sender: d.s.Role().Peer(),
		Text: "not what is waited for"}
	return d.violation(ctx, err)
}

// violation ends the conversation over what the peer sent.
func (d *driver) violation(ctx context.Context, err error) error {
	if d.s.Live() {
		d.blame(syncproto.Violated, err)
		d.s.Violate(err)
	}
	return d.conclude(ctx)
}

// Next is documented at Peer.
func (d *driver) Next(ctx context.Context) (*Request, error) {
	ctx, err := d.begin(ctx)
	defer d.finish()
	if err != nil {
		return nil, err
	}
	for {
		if err := d.mayWait(ctx); err != nil {
			return nil, err
		}
		a, err := d.await(ctx)
		if err != nil {
			return nil, err
		}
		switch a.Kind {
		case session.Request:
			d.request = Request{Name: a.Name, Arg: a.Arg, FDs: a.fds}
			return &d.request, nil
		case session.Exec:
			continue
		}
		return nil, d.unexpected(ctx, a)
	}
}

// mayWait refuses to wait for a peer that waits for this side.
func (d *driver) mayWait(ctx context.Context) error {
	if len(d.box) > 0 || !d.s.Live() || ctx.Err() != nil {
		return nil
	}
	why := ""
	switch s := d.s.State(); {
	case s < syncproto.Configured:
		why = "the configuration has not been confirmed yet"
	case s == syncproto.Configured && d.s.Pending() != "" && d.s.Timer().Wait == syncproto.WaitSelf:
		why = "the request " + strconv.Quote(d.s.Pending()) + " waits for its reply"
	case s == syncproto.Configured && d.s.Timer().Wait == syncproto.WaitSelf,
		s == syncproto.Committed && d.s.Role() == syncproto.Child:
		why = "the other side waits for this one"
	default:
		return nil
	}
	v := d.s.Verdict()
	return &syncproto.ProtocolError{Code: syncproto.CodeState, State: v.State, Phase: v.Phase,
		Text: "there is no request to wait for in state " + v.State.String() + ": " + why}
}

// Reply is documented at Peer.
func (d *driver) Reply(ctx context.Context, arg syncproto.Value, fds ...int) error {
	ctx, err := d.begin(ctx)
	defer d.finish()
	if err != nil {
		return err
	}
	name := d.s.ReplyName()
	frame, err := d.s.Call(d.buf[:0], syncproto.KindReply, syncproto.Call{Name: name, Arg: arg}, len(fds))
	if err != nil {
		return d.refusedHere(ctx, err)
	}
	d.load(frame, name, fds)
	return d.flush(ctx)
}

// Decline is documented at Peer.
func (d *driver) Decline(ctx context.Context, cause error) error {
	ctx, err := d.begin(ctx)
	defer d.finish()
	if err != nil {
		return err
	}
	frame, err := d.s.Refuse(d.buf[:0], remote.Report(cause, remote.CodeOf(cause)))
	if err != nil {
		return d.refusedHere(ctx, err)
	}
	d.load(frame, "", nil)
	return d.flush(ctx)
}

var errNoCause = errors.New("no reason was given")
