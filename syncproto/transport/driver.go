package transport

import (
	"context"
	"errors"
	"io"
	"os"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/session"
)

// driver connects a Session and a Conn: it moves frames, measures time, and reports events of one to the other. It
// makes no decisions of its own. It starts no goroutine and no timer: if nothing can be moved, it waits in Link.Wait
// for all events at once. Events that it reads while a frame of its own finds no room are stored in inbox, so two large
// writes cannot block each other.
type driver struct {
	op sync.Mutex // one call at a time

	mu     sync.Mutex // guards the rest; free while a call waits, and while a callback runs
	s      session.Session
	conn   *Conn
	o      Options
	set    session.Settings
	closed bool
	exited bool // Exited was called

	buf          []byte // the outgoing frame
	sent         int    // bytes of it that have left
	fds          []int  // descriptors sent with it; they belong to the caller
	name         string // of the request or reply in it
	blockedSince time.Time

	inbox   []arrival // events that no call has returned yet
	config  []byte    // child: CONFIG so far
	request Request   // the Request that Next returns

	timer      session.Timer // the wait that is running
	timerStart time.Time     // since
	started    time.Time     // time of the first call, if Deadlines.Total is set
	idleSince  time.Time     // when the last call returned
	lateness   lateness      // the deadline that passed

	causes []cause
	end    error // the Failure, or io.EOF after success, once known
	wake   contextWatch

	inline struct { // initial memory of buf and inbox; most conversations need no more
		frame [smallFrame]byte
		box   [1]arrival
	}
}

// arrival is an event with its descriptors.
type arrival struct {
	session.Event
	fds []int
}

// init initializes d, which must be zero, as one side of a conversation.
func (d *driver) init(r syncproto.Role, c *Conn, p *syncproto.Profile, o Options) error {
	if c == nil || isNil(c.link) {
		return errors.New("transport: no connection")
	}
	for _, each := range o.Codecs {
		if isNil(each) {
			return errors.New("transport: a codec is nil")
		}
	}
	d.conn, d.o, d.buf, d.inbox = c, o.withDefaults(r), d.inline.frame[:0], d.inline.box[:0]
	d.set = session.Settings{
		Profile: p, Codecs: d.o.Codecs, Limits: d.o.Limits, Session: d.o.Session, PID: os.Getpid(),
	}
	var err error
	if d.s, err = session.New(r, &d.set); err != nil {
		return err
	}
	if d.o.Process != nil {
		return c.watchProcess(d.o.Process)
	}
	if r == syncproto.Parent {
		return c.link.Wakeable() // by Exited
	}
	return nil
}

// isNil reports whether v is nil or a nil pointer.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil()
}

// beginCall begins every call of a method and takes the locks; endCall releases them.
func (d *driver) beginCall(ctx context.Context) (context.Context, error) {
	if d == nil {
		return ctx, errZero
	}
	d.op.Lock()
	d.mu.Lock()
	if ctx == nil {
		ctx = context.Background()
	}
	switch {
	case d.end != nil:
		return ctx, d.end
	case d.closed:
		return ctx, os.ErrClosed
	}
	if d.started.IsZero() && d.o.Deadlines.Total > 0 {
		d.started = time.Now()
	}
	if !d.idleSince.IsZero() {
		d.excludeOwnTime(time.Since(d.idleSince))
	}
	return ctx, d.watchContext(ctx)
}

func (d *driver) endCall() {
	if d == nil {
		return
	}
	d.idleSince = time.Now()
	d.mu.Unlock()
	d.op.Unlock()
}

// runCallback runs a callback of the user's without the lock, so that Close need not wait for it.
func (d *driver) runCallback(f func()) {
	from := time.Now()
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.excludeOwnTime(time.Since(from))
	}()
	f()
}

// excludeOwnTime excludes time that this side has spent itself from the time that the peer is allowed.
func (d *driver) excludeOwnTime(spent time.Duration) {
	if !d.timerStart.IsZero() {
		d.timerStart = d.timerStart.Add(spent)
	}
	if !d.blockedSince.IsZero() {
		d.blockedSince = d.blockedSince.Add(spent)
	}
}

// startFrame makes frame the outgoing frame.
func (d *driver) startFrame(frame []byte, name string, fds []int) {
	d.buf, d.sent, d.name, d.fds = frame, 0, name, fds
	d.blockedSince = time.Time{}
}

// sendFrame sends the outgoing frame and returns once all of it is sent. An error is the end of the conversation; what
// the peer sent before it has been read.
func (d *driver) sendFrame(ctx context.Context) error {
	for d.sent < len(d.buf) || !d.s.Live() {
		if err := d.moveOrWait(ctx, false); err != nil {
			return err
		}
	}
	if !d.s.Live() {
		return d.conclude(ctx)
	}
	return nil
}

// nextArrival returns the next event. An error is the end of the conversation.
func (d *driver) nextArrival(ctx context.Context) (arrival, error) {
	for len(d.inbox) == 0 {
		if err := d.moveOrWait(ctx, true); err != nil {
			return arrival{}, err
		}
	}
	a := d.inbox[0]
	rest := copy(d.inbox, d.inbox[1:])
	d.inbox[rest] = arrival{}
	d.inbox = d.inbox[:rest]
	return a, nil
}

// conclude runs the conversation until its end is known, and returns it.
func (d *driver) conclude(ctx context.Context) error {
	for {
		if err := d.moveOrWait(ctx, true); err != nil {
			return err
		}
	}
}

// moveOrWait moves what can be moved now, or waits. It reads if read is set, if the outgoing frame finds no room, and
// always once the outcome is known.
func (d *driver) moveOrWait(ctx context.Context, read bool) error {
	if d.closed {
		return os.ErrClosed
	}
	if d.exited {
		d.s.Exited()
	}
	if err := ctx.Err(); err != nil && d.s.Live() {
		why := printable(context.Cause(ctx))
		d.addCause(syncproto.Cancelled, why)
		d.s.Cancel(why.Error())
	}
	d.startDueFrame()
	if d.s.Over() {
		return d.endError()
	}
	blocked := d.sent < len(d.buf)
	if blocked && d.blockedSince.IsZero() {
		d.blockedSince = time.Now()
	}
	left, inTime := d.timeLeft(ctx, blocked)
	switch read = read || !d.s.Live(); {
	case !inTime:
	case blocked && d.write():
	case (read || blocked) && d.s.Reading() && d.read():
	default:
		d.wait(blocked, left)
	}
	return nil
}

// startDueFrame starts sending the frame that the Session itself wants to send. The last word replaces an outgoing
// frame of the caller's.
func (d *driver) startDueFrame() {
	if d.sent < len(d.buf) {
		if d.s.Live() || d.s.Saying() {
			return
		}
		d.s.WriteFailed(false)
		d.startFrame(d.buf[:0], "", nil)
	}
	if !d.s.Due() {
		return
	}
	frame, err := d.s.Say(d.buf[:0])
	if err != nil {
		frame = frame[:0]
	}
	d.startFrame(frame, "", nil)
}

// write sends as much as there is room for; moved reports whether something has happened.
func (d *driver) write() (moved bool) {
	n, err := d.conn.tryWrite(d.buf[d.sent:], d.fds)
	switch {
	case err == unix.EAGAIN:
		return false
	case errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET):
		d.addCause(syncproto.Broken, err)
		d.s.WriteFailed(true)
		d.startFrame(d.buf[:0], "", nil)
		return true
	case err != nil:
		d.addCause(syncproto.LocalError, err)
		d.s.WriteFailed(false)
		d.startFrame(d.buf[:0], "", nil)
		d.s.Abort(remote.Report(err, remote.CodeOf(err)))
		return true
	}
	if d.sent == 0 {
		d.s.Left()
		d.traceSent()
	}
	if d.sent += n; d.sent == len(d.buf) {
		d.s.Written()
		d.startFrame(d.buf[:0], "", nil)
	} else {
		d.fds = nil
	}
	return true
}

// read receives one frame if one has arrived; moved reports whether something has happened.
func (d *driver) read() (moved bool) {
	h, payload, fds, err := d.conn.tryRead(&d.s)
	if err == nil {
		d.receive(h, payload, fds)
		return true
	}
	if err == unix.EAGAIN {
		d.s.Quiet(d.conn.midFrame())
		return d.s.Over()
	}
	d.readFailed(err)
	return true
}

func (d *driver) readFailed(err error) {
	if err == io.EOF {
		d.s.EndOfFile(false)
		return
	}
	var p *syncproto.ProtocolError
	switch {
	case err == io.ErrUnexpectedEOF:
		d.addCause(syncproto.Died, err)
		d.s.EndOfFile(true)
	case errors.As(err, &p):
		d.addCause(syncproto.Violated, err)
		d.s.Violate(err)
	case err == errNoRoomForFDs:
		d.addCause(syncproto.LocalError, err)
		d.s.Abort(remote.Report(err, remote.CodeOf(err)))
	default:
		d.addCause(syncproto.Broken, err)
		d.s.ReadFailed()
	}
}

// receive passes a frame to the Session, and the resulting event to the caller or a callback.
func (d *driver) receive(h syncproto.Header, payload []byte, fds []int) {
	ev, err := d.s.Receive(h, payload)
	if err != nil {
		o := syncproto.Violated
		if d.s.Verdict().Outcome == syncproto.LocalError {
			o = syncproto.LocalError // the greeting cannot be accepted
		}
		d.addCause(o, err)
		discard(fds)
		return
	}
	d.traceReceived(h, ev.Name, payload)
	switch ev.Kind {
	case session.Config:
		d.config = append(d.config, ev.Bytes...)
		d.inbox = append(d.inbox, arrival{session.Event{Kind: session.Config, Last: ev.Last}, fds})
	case session.Note:
		discard(fds)
		if d.o.Note != nil {
			d.runCallback(func() { d.o.Note(ev.Note) })
		}
	case session.Error:
		discard(fds)
		d.addCause(syncproto.PeerError, remote.FromReport(ev.Report))
	case session.Cancel:
		discard(fds)
		if !d.s.Live() {
			d.addCause(syncproto.Cancelled, &CancelledError{Reason: ev.Text})
			return
		}
		d.inbox = append(d.inbox, arrival{ev, nil})
	case session.Greeted, session.Nothing:
		discard(fds)
	default:
		d.inbox = append(d.inbox, arrival{ev, fds})
	}
}

// wait waits for something to do, at most for the time left.
func (d *driver) wait(blocked bool, left time.Duration) {
	var want Events
	if d.s.Reading() {
		want = Readable
	}
	if blocked {
		want |= Writable
	}
	d.mu.Unlock()
	is, err := d.conn.wait(want, left)
	d.mu.Lock()
	switch {
	case d.closed:
	case err != nil: // os.ErrClosed too, if somebody else has closed the link
		d.addCause(syncproto.Broken, err)
		d.s.ReadFailed()
	case is&Exited != 0:
		d.s.Exited()
	}
}

// timeLeft returns how much time is left for the current wait; negative means no limit. If a deadline has passed,
// inTime is false and the Session has been notified. It is called between any two frames, because a peer may send
// frames without end.
func (d *driver) timeLeft(ctx context.Context, blocked bool) (left time.Duration, inTime bool) {
	now := time.Now()
	if t := d.s.Timer(); t != d.timer {
		d.timer, d.timerStart = t, now
	}
	live, limits := d.s.Live(), &d.o.Deadlines
	left = -1
	checkDeadline := func(most time.Duration, since time.Time, write bool) bool {
		rest := most - now.Sub(since)
		if rest > 0 {
			if left < 0 || rest < left {
				left = rest
			}
			return true
		}
		if live {
			d.lateness = lateness{wait: d.timer.Wait, after: most, write: write}
		}
		d.s.Expired()
		return false
	}
	if most := limits.Write; blocked && live && most > 0 && !checkDeadline(most, d.blockedSince, true) {
		return 0, false
	}
	if most := limits.forWait(d.timer.Wait); most > 0 && !checkDeadline(most, d.timerStart, false) {
		return 0, false
	}
	if most := limits.Total; live && most > 0 && !checkDeadline(most, d.started, false) {
		return 0, false
	}
	if at, ok := ctx.Deadline(); ok && live { // the context itself reports its end a moment later
		if rest := max(at.Sub(now), time.Millisecond); left < 0 || rest < left {
			left = rest
		}
	}
	return left, true
}

// Verdict returns how the conversation stands, or how it ended.
func (d *driver) Verdict() syncproto.Verdict {
	if d == nil {
		return syncproto.Verdict{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.s.Verdict()
}

// Narrow puts a stricter form of the profile in force (syncproto.Profile.Require, Forbid). It must be called before the
// configuration is confirmed. Both sides derive the stricter form from the same configuration.
func (d *driver) Narrow(p *syncproto.Profile) error {
	if d == nil {
		return errZero
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.s.Narrow(p)
}

// Close ends the conversation in any state without sending anything, and closes the socket and all received descriptors
// that no call has returned. A waiting call returns os.ErrClosed.
func (d *driver) Close() error {
	if d == nil {
		return errZero
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return os.ErrClosed
	}
	d.closed = true
	d.s.Close()
	d.unwatch()
	d.dropInbox()
	return d.conn.Close()
}
