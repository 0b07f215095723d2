package transport

import (
	"context"
	"errors"
	"strconv"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/session"
)

// Request is a request of the peer. Its descriptors belong to the caller of Next. The Request itself is only valid
// until the next call of Next.
type Request struct {
	Name string
	Arg  syncproto.Value
	FDs  []int
}

// Peer is what a Parent and a Child have in common.
type Peer interface {
	// Call makes a request and waits for its reply. The descriptors passed still belong to the caller; those returned
	// belong to the caller too. A *Refused means that the other side has refused the request; the conversation goes on. A
	// child may get a *CancelledError, and must then call Fail. Every other error is the end of the conversation (a
	// *Failure), or reports a request that is not legal now, of which nothing was sent.
	Call(ctx context.Context, name string, arg syncproto.Value, fds ...int) (syncproto.Value, []int, error)
	// Next waits for the peer's next request. For a parent, io.EOF means success: the child has sent EXEC and its end of
	// the socket was closed. Every other end is a *Failure.
	Next(ctx context.Context) (*Request, error)
	// Reply replies to the pending request; the profile determines the name of the reply. The descriptors still belong to
	// the caller. After an error other than a *Failure the request is still pending.
	Reply(ctx context.Context, arg syncproto.Value, fds ...int) error
	// Decline refuses the pending request; the peer's Call returns err as a *Refused. The conversation goes on.
	Decline(ctx context.Context, err error) error
	// Verdict returns how the conversation stands, or how it ended.
	Verdict() syncproto.Verdict
	// Narrow puts a stricter form of the profile in force. It must be called before the configuration is confirmed.
	Narrow(p *syncproto.Profile) error
	// Close ends the conversation in any state without sending anything.
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
	ctx, err := d.beginCall(ctx)
	defer d.endCall()
	if err != nil {
		return syncproto.Value{}, nil, err
	}
	frame, err := d.s.Call(d.buf[:0], syncproto.KindRequest, syncproto.Call{Name: name, Arg: arg}, len(fds))
	if err != nil {
		return syncproto.Value{}, nil, d.sendError(ctx, err)
	}
	return d.exchange(ctx, frame, name, fds)
}

// exchange sends a REQUEST and waits for its reply.
func (d *driver) exchange(ctx context.Context, frame []byte, name string, fds []int) (syncproto.Value, []int, error) {
	d.startFrame(frame, name, fds)
	if err := d.sendFrame(ctx); err != nil {
		return syncproto.Value{}, nil, err
	}
	a, err := d.nextArrival(ctx)
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

// sendError returns the error for a frame that this side may not send. If the peer has ended the conversation, the
// error is that end, with the peer's report.
func (d *driver) sendError(ctx context.Context, err error) error {
	if !d.s.Live() {
		return d.conclude(ctx)
	}
	return err
}

// unexpected ends the conversation because of an event that the caller was not waiting for.
func (d *driver) unexpected(ctx context.Context, a arrival) error {
	discard(a.fds)
	if a.Kind == session.Cancel {
		return &CancelledError{Reason: a.Text}
	}
	v := d.s.Verdict()
	err := &syncproto.ProtocolError{Code: syncproto.CodeState, State: v.State, Phase: v.Phase, Sender: d.s.Role().Peer(),
		Text: "not the frame that is expected now"}
	return d.violation(ctx, err)
}

// violation ends the conversation because of a violation by the peer.
func (d *driver) violation(ctx context.Context, err error) error {
	if d.s.Live() {
		d.addCause(syncproto.Violated, err)
		d.s.Violate(err)
	}
	return d.conclude(ctx)
}

// Next is documented at Peer.
func (d *driver) Next(ctx context.Context) (*Request, error) {
	ctx, err := d.beginCall(ctx)
	defer d.endCall()
	if err != nil {
		return nil, err
	}
	for {
		if err := d.mayWait(ctx); err != nil {
			return nil, err
		}
		a, err := d.nextArrival(ctx)
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

// mayWait refuses to wait for a request if the peer itself is waiting for this side.
func (d *driver) mayWait(ctx context.Context) error {
	if len(d.inbox) > 0 || !d.s.Live() || ctx.Err() != nil {
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
	ctx, err := d.beginCall(ctx)
	defer d.endCall()
	if err != nil {
		return err
	}
	name := d.s.ReplyName()
	frame, err := d.s.Call(d.buf[:0], syncproto.KindReply, syncproto.Call{Name: name, Arg: arg}, len(fds))
	if err != nil {
		return d.sendError(ctx, err)
	}
	d.startFrame(frame, name, fds)
	return d.sendFrame(ctx)
}

// Decline is documented at Peer.
func (d *driver) Decline(ctx context.Context, cause error) error {
	ctx, err := d.beginCall(ctx)
	defer d.endCall()
	if err != nil {
		return err
	}
	frame, err := d.s.Refuse(d.buf[:0], remote.Report(cause, remote.CodeOf(cause)))
	if err != nil {
		return d.sendError(ctx, err)
	}
	d.startFrame(frame, "", nil)
	return d.sendFrame(ctx)
}

var errNoCause = errors.New("no reason was given")
