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

// driver joins a Session and a Conn: it moves frames, keeps time, and tells the one what became of the other. It
// decides nothing. It starts no goroutine and no timer; where nothing can be moved it waits in Link.Wait, for all that
// may happen at once. What it reads while a frame of its own finds no room waits in box, so that two large writes
// cannot block each other.
type driver struct {
	op sync.Mutex // one call at a time

	mu     sync.Mutex // guards the rest; free while a call waits, and while a callback runs
	s      session.Session
	conn   *Conn
	o      Options
	set    session.Settings
	closed bool
	exited bool // Exited was called

	buf   []byte // the frame that is under way
	sent  int    // bytes of it that have left
	fds   []int  // descriptors that ride with it, the caller's
	name  string // of the request or reply in it
	since time.Time

	box     []arrival // what has come and nobody has asked for yet
	config  []byte    // child: CONFIG so far
	request Request   // what Next returns

	timer   session.Timer // that runs
	began   time.Time     // since
	started time.Time     // the first call, where the whole conversation has a deadline
	away    time.Time     // since when the caller has not been in a call
	late    lateness      // of the deadline that passed

	causes []cause
	end    error // the Failure, or io.EOF after success, once known
	wake   watch

	first struct { // what buf and box begin as: most conversations need no more
		frame [smallFrame]byte
		box   [1]arrival
	}
}

// arrival is an event with what the caller gets of it.
type arrival struct {
	session.Event
	fds []int
}

// init makes d, which is zero, one side of a conversation.
func (d *driver) init(r syncproto.Role, c *Conn, p *syncproto.Profile, o Options) error {
	if c == nil || isNil(c.link) {
		return errors.New("transport: no connection")
	}
	for _, each := range o.Codecs {
		if isNil(each) {
			return errors.New("transport: a codec is nil")
		}
	}
	d.conn, d.o, d.buf, d.box = c, o.withDefaults(r), d.first.frame[:0], d.first.box[:0]
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

// isNil reports that v is nothing, or a pointer to nothing.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil()
}

// begin is the beginning of a call, and finish its end.
func (d *driver) begin(ctx context.Context) (context.Context, error) {
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
	if !d.away.IsZero() {
		d.notThePeers(time.Since(d.away))
	}
	return ctx, d.watchContext(ctx)
}

func (d *driver) finish() {
	d.away = time.Now()
	d.mu.Unlock()
	d.op.Unlock()
}

// outside runs a callback of the user's: without the lock, so that Close need not wait for it.
func (d *driver) outside(f func()) {
	from := time.Now()
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.notThePeers(time.Since(from))
	}()
	f()
}

// notThePeers takes time that this side has spent on its own out of what its peer is measured by.
func (d *driver) notThePeers(spent time.Duration) {
	if !d.began.IsZero() {
		d.began = d.began.Add(spent)
	}
	if !d.since.IsZero() {
		d.since = d.since.Add(spent)
	}
}

// load makes the frame that dst holds the one under way.
func (d *driver) load(frame []byte, name string, fds []int) {
	d.buf, d.sent, d.name, d.fds = frame, 0, name, fds
	d.since = time.Time{}
}

// flush sends the frame under way. It returns once that has left whole; an error is the end of the conversation, and
// what the peer said before it has been read.
func (d *driver) flush(ctx context.Context) error {
	for d.sent < len(d.buf) || !d.s.Live() {
		if err := d.turn(ctx, false); err != nil {
			return err
		}
	}
	if !d.s.Live() {
		return d.conclude(ctx)
	}
	return nil
}

// await is the next event. An error is the end of the conversation.
func (d *driver) await(ctx context.Context) (arrival, error) {
	for len(d.box) == 0 {
		if err := d.turn(ctx, true); err != nil {
			return arrival{}, err
		}
	}
	a := d.box[0]
	rest := copy(d.box, d.box[1:])
	d.box[rest] = arrival{}
	d.box = d.box[:rest]
	return a, nil
}

// conclude goes on until the end is known, and returns it.
func (d *driver) conclude(ctx context.Context) error {
	for {
		if err := d.turn(ctx, true); err != nil {
			return err
		}
	}
}

// turn moves what can be moved now, or waits. It reads where it is told to, where a frame finds no room, and always
// after the end is known.
func (d *driver) turn(ctx context.Context, read bool) error {
	if d.closed {
		return os.ErrClosed
	}
	if d.exited {
		d.s.Exited()
	}
	if err := ctx.Err(); err != nil && d.s.Live() {
		why := context.Cause(ctx)
		d.blame(syncproto.Cancelled, why)
		d.s.Cancel(why.Error())
	}
	d.say()
	if d.s.Over() {
		return d.over()
	}
	blocked := d.sent < len(d.buf)
	if blocked && d.since.IsZero() {
		d.since = time.Now()
	}
	left, inTime := d.left(ctx, blocked)
	switch read = read || !d.s.Live(); {
	case !inTime:
	case blocked && d.write():
	case (read || blocked) && d.s.Reading() && d.read():
	default:
		d.wait(blocked, left)
	}
	return nil
}

// say makes the frame that the Session itself wants to send. A frame of the caller's that is under way gives way to
// the last word.
func (d *driver) say() {
	if d.sent < len(d.buf) {
		if d.s.Live() || d.s.Saying() {
			return
		}
		d.s.WriteFailed(false)
		d.load(d.buf[:0], "", nil)
	}
	if !d.s.Due() {
		return
	}
	frame, err := d.s.Say(d.buf[:0])
	if err != nil {
		frame = frame[:0]
	}
	d.load(frame, "", nil)
}

// write sends what there is room for; moved reports that something has happened.
func (d *driver) write() (moved bool) {
	n, err := d.conn.tryWrite(d.buf[d.sent:], d.fds)
	switch {
	case err == unix.EAGAIN:
		return false
	case errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET):
		d.blame(syncproto.Broken, err)
		d.s.WriteFailed(true)
		d.load(d.buf[:0], "", nil)
		return true
	case err != nil:
		d.blame(syncproto.LocalError, err)
		d.s.WriteFailed(false)
		d.load(d.buf[:0], "", nil)
		d.s.Abort(remote.Report(err, remote.CodeOf(err)))
		return true
	}
	if d.sent == 0 {
		d.s.Left()
		d.traceSent()
	}
	if d.sent += n; d.sent == len(d.buf) {
		d.s.Written()
		d.load(d.buf[:0], "", nil)
	} else {
		d.fds = nil
	}
	return true
}

// read takes in what has arrived, one frame; moved reports that something has happened.
func (d *driver) read() (moved bool) {
	h, payload, fds, err := d.conn.tryRead(&d.s)
	if err == nil {
		d.receive(h, payload, fds)
		return true
	}
	if err == unix.EAGAIN {
		d.s.Quiet()
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
		d.blame(syncproto.Died, err)
		d.s.EndOfFile(true)
	case errors.As(err, &p):
		d.blame(syncproto.Violated, err)
		d.s.Violate(err)
	case err == errNoRoomForFDs:
		d.blame(syncproto.LocalError, err)
		d.s.Abort(remote.Report(err, remote.CodeOf(err)))
	default:
		d.blame(syncproto.Broken, err)
		d.s.ReadFailed()
	}
}

// receive hands a frame to the Session, and what comes of it to whoever it concerns.
func (d *driver) receive(h syncproto.Header, payload []byte, fds []int) {
	ev, err := d.s.Receive(h, payload)
	if err != nil {
		o := syncproto.Violated
		if d.s.Verdict().Outcome == syncproto.LocalError {
			o = syncproto.LocalError // the greeting cannot be accepted
		}
		d.blame(o, err)
		discard(fds)
		return
	}
	d.traceReceived(h, ev.Name, payload)
	switch ev.Kind {
	case session.Config:
		d.config = append(d.config, ev.Bytes...)
		d.box = append(d.box, arrival{session.Event{Kind: session.Config, Last: ev.Last}, fds})
	case session.Note:
		discard(fds)
		if d.o.Note != nil {
			d.outside(func() { d.o.Note(ev.Note) })
		}
	case session.Error:
		discard(fds)
		d.blame(syncproto.PeerError, remote.FromReport(ev.Report))
	case session.Cancel:
		discard(fds)
		if !d.s.Live() {
			d.blame(syncproto.Cancelled, &CancelledError{Reason: ev.Text})
			return
		}
		d.box = append(d.box, arrival{ev, nil})
	case session.Greeted, session.Nothing:
		discard(fds)
	default:
		d.box = append(d.box, arrival{ev, fds})
	}
}

// wait waits for something to do, for as long as is left.
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
	case err != nil: // os.ErrClosed too: somebody else has closed the link
		d.blame(syncproto.Broken, err)
		d.s.ReadFailed()
	case is&Exited != 0:
		d.s.Exited()
	}
}

// left is how much time is left for what is waited for, negative for no bound. Where a deadline has passed, inTime is
// false, and the Session has been told. It is looked at between any two frames, for a peer may send them without end.
func (d *driver) left(ctx context.Context, blocked bool) (left time.Duration, inTime bool) {
	now := time.Now()
	if t := d.s.Timer(); t != d.timer {
		d.timer, d.began = t, now
	}
	live, limits := d.s.Live(), &d.o.Deadlines
	left = -1
	within := func(most time.Duration, since time.Time, write bool) bool {
		rest := most - now.Sub(since)
		if rest > 0 {
			if left < 0 || rest < left {
				left = rest
			}
			return true
		}
		if live {
			d.late = lateness{wait: d.timer.Wait, after: most, write: write}
		}
		d.s.Expired()
		return false
	}
	if most := limits.Write; blocked && live && most > 0 && !within(most, d.since, true) {
		return 0, false
	}
	if most := limits.of(d.timer.Wait); most > 0 && !within(most, d.began, false) {
		return 0, false
	}
	if most := limits.Total; live && most > 0 && !within(most, d.started, false) {
		return 0, false
	}
	if at, ok := ctx.Deadline(); ok && live { // the context says itself that it is over, a moment later
		if rest := max(at.Sub(now), time.Millisecond); left < 0 || rest < left {
			left = rest
		}
	}
	return left, true
}

// Verdict is how the conversation stands, or ended.
func (d *driver) Verdict() syncproto.Verdict {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.s.Verdict()
}

// Narrow puts a stricter form of the profile in force, before the configuration is confirmed
// (syncproto.Profile.Require, Forbid). Both sides derive it from the same configuration.
func (d *driver) Narrow(p *syncproto.Profile) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.s.Narrow(p)
}

// Close ends the conversation whatever its state and without a word, closes the socket and what descriptors had come
// and were not taken. A call that waits returns os.ErrClosed.
func (d *driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return os.ErrClosed
	}
	d.closed = true
	d.s.Close()
	d.unwatch()
	d.dropBox()
	return d.conn.Close()
}
