package transport

import (
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
)

// Conn carries frames with their descriptors over a Link. One goroutine may read while another writes; two may not do
// the same. A Conn owns its Link until Close. A Parent or Child that was made of it is its only user.
type Conn struct {
	link  Link
	reset bool  // ECONNRESET was seen: the peer closed with something of ours unread
	lost  error // a stream in which frames can no longer be told apart

	// The frame that is being read. Of these the lock keeps Close, which any goroutine may call, from what tryRead has.
	partial sync.Mutex
	head    [syncproto.HeaderSize]byte
	got     int // bytes of head, and then of the payload behind it
	header  syncproto.Header
	rbuf    []byte
	small   [smallFrame]byte // the first rbuf
	fds     []int
	wbuf    []byte
	torn    bool // a frame was sent in part: what would follow it is no frame
	reading deadline
	writing deadline
	idle    idleWaits
}

// smallFrame holds any frame but CONFIG and ERROR, as a rule.
const smallFrame = 512

// New makes a Conn of a Link of one's own, and owns the Link.
func New(l Link) *Conn { return &Conn{link: l} }

// Link is what c carries its frames over. It stays c's.
func (c *Conn) Link() Link { return c.link }

// deadline is a time in nanoseconds since 1970; zero is none.
type deadline struct{ at atomic.Int64 }

func (d *deadline) set(t time.Time) {
	if t.IsZero() {
		d.at.Store(0)
		return
	}
	d.at.Store(max(t.UnixNano(), 1))
}

// left is how long until the deadline, at most a moment, so that one that another goroutine moves is seen.
func (d *deadline) left() (time.Duration, error) {
	const moment = 50 * time.Millisecond
	at := d.at.Load()
	if at == 0 {
		return moment, nil
	}
	left := time.Until(time.Unix(0, at))
	if left <= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return min(left, moment), nil
}

// admitter judges a frame by its header, before its payload is read.
type admitter interface {
	Admit(h syncproto.Header) error
}

type admitFunc func(syncproto.Header) error

func (f admitFunc) Admit(h syncproto.Header) error { return f(h) }

// ReadFrame waits for one frame. admit sees the header before the payload is read on a stream, and before it is looked
// at in a packet; its error ends the reading.
//
// The payload is valid until the next ReadFrame. The descriptors belong to the caller: on an error there are none, all
// that came are closed. io.EOF means that the peer closed between two frames; within one it is io.ErrUnexpectedEOF.
// ECONNRESET is not an end: the kernel reports it before what is still queued (SOCK_SEQPACKET) or after
// (SOCK_STREAM), so reading goes on until the end of file proper. os.ErrDeadlineExceeded means that the deadline
// passed. A *syncproto.ProtocolError is the peer's fault, unix.EMFILE this process's own.
func (c *Conn) ReadFrame(admit func(syncproto.Header) error) (syncproto.Header, []byte, []int, error) {
	for {
		h, payload, fds, err := c.tryRead(admitFunc(admit))
		if err != unix.EAGAIN {
			return h, payload, fds, err
		}
		left, err := c.reading.left()
		if err == nil {
			_, err = c.wait(Readable, left)
		}
		if err != nil {
			if c.got > 0 {
				err = &cutError{err}
			}
			return syncproto.Header{}, nil, nil, err
		}
	}
}

// cutError marks a deadline that passed in the middle of a frame: the conversation cannot go on after it.
type cutError struct{ err error }

func (e *cutError) Error() string { return "in the middle of a frame: " + e.err.Error() }
func (e *cutError) Unwrap() error { return e.err }

// tryRead is ReadFrame for what has arrived: unix.EAGAIN where that is no whole frame.
func (c *Conn) tryRead(admit admitter) (h syncproto.Header, payload []byte, fds []int, err error) {
	c.partial.Lock()
	defer c.partial.Unlock()
	if c.lost != nil {
		return h, nil, nil, c.lost
	}
	if c.link.Packets() {
		payload, err = c.readPacket(admit)
	} else {
		payload, err = c.readStream(admit)
	}
	if err == unix.EAGAIN {
		return h, nil, nil, err
	}
	h, fds = c.header, c.fds
	c.header, c.fds, c.got = syncproto.Header{}, nil, 0
	if err != nil {
		discard(fds)
		if !c.link.Packets() && err != io.EOF && !errors.Is(err, os.ErrClosed) {
			c.lost = errLost
		}
		return syncproto.Header{}, nil, nil, err
	}
	return h, payload, fds, nil
}

// recv is one message, past a connection reset. Descriptors are kept in the Conn.
func (c *Conn) recv(p []byte) (n int, lost Lost, err error) {
	for range interruptions {
		n, lost, err = c.checkedRecv(p)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ECONNRESET && !c.reset:
			c.reset = true
			continue
		case err == unix.ECONNRESET:
			return 0, lost, io.EOF
		case err == unix.EAGAIN, err == io.EOF, errors.Is(err, os.ErrClosed):
			return 0, lost, err
		case err != nil:
			return 0, lost, named("recvmsg", err)
		case lost.FDs:
			return 0, lost, errNoRoomForFDs
		}
		c.idle.moved()
		return n, lost, nil
	}
	return 0, lost, errInterrupted
}

// errNoRoomForFDs is this process's own failure, not the peer's.
var errNoRoomForFDs error = &outOfDescriptors{}

type outOfDescriptors struct{}

func (*outOfDescriptors) Error() string {
	return "the kernel dropped descriptors of a frame (MSG_CTRUNC): this process has as many open as RLIMIT_NOFILE " +
		"allows, or a security module denied them"
}

// Unwrap is the errno that the kernel keeps to itself.
func (*outOfDescriptors) Unwrap() error { return unix.EMFILE }

// SyncCode is CodeLimit.
func (*outOfDescriptors) SyncCode() syncproto.Code { return syncproto.CodeLimit }

func (c *Conn) readPacket(admit admitter) ([]byte, error) {
	room := packets.Get().(*[maxPacket]byte)
	defer packets.Put(room)
	n, lost, err := c.recv(room[:])
	if err != nil {
		return nil, err
	}
	if c.rbuf == nil {
		c.rbuf = c.small[:0]
	}
	if n == 0 && len(c.fds) > 0 {
		return nil, descriptors("an empty packet with descriptors")
	}
	if n == 0 {
		return nil, &syncproto.ProtocolError{Code: syncproto.CodeFrame, Text: "an empty packet"}
	}
	c.rbuf = append(c.rbuf[:0], room[:n]...)
	if c.header, err = syncproto.ParseHeader(c.rbuf); err != nil {
		return nil, err
	}
	if err = admit.Admit(c.header); err != nil {
		return nil, err
	}
	if lost.Data || uint64(c.header.Length) != uint64(n-syncproto.HeaderSize) {
		return nil, &syncproto.ProtocolError{Code: syncproto.CodeFrame, Text: "packet of " + strconv.Itoa(n) +
			" bytes or more holds a frame of " + strconv.FormatUint(uint64(c.header.Length)+syncproto.HeaderSize, 10)}
	}
	return c.rbuf[syncproto.HeaderSize:], c.matchFDs()
}

// readStream goes on with the frame that is being read. It never takes bytes of the next one, which stay in the
// kernel, and with them the descriptors that ride with its first byte.
func (c *Conn) readStream(admit admitter) ([]byte, error) {
	for c.got < syncproto.HeaderSize {
		if err := c.more(c.head[c.got:]); err != nil {
			return nil, err
		}
		if n := min(c.got, 2); string(c.head[:n]) != "SY"[:n] {
			_, err := syncproto.ParseHeader(c.head[:c.got])
			return nil, err
		}
		if c.got == syncproto.HeaderSize {
			if err := c.headComplete(admit); err != nil {
				return nil, err
			}
		}
	}
	for c.got < syncproto.HeaderSize+len(c.rbuf) {
		if err := c.more(c.rbuf[c.got-syncproto.HeaderSize:]); err != nil {
			return nil, err
		}
	}
	return c.rbuf, nil
}

func (c *Conn) headComplete(admit admitter) (err error) {
	if c.header, err = syncproto.ParseHeader(c.head[:]); err != nil {
		return err
	}
	if err = admit.Admit(c.header); err != nil {
		return err
	}
	if err = c.matchFDs(); err != nil {
		return err
	}
	if c.rbuf == nil {
		c.rbuf = c.small[:0]
	}
	// Admit has bounded Length, so this allocates what a frame may hold at most.
	if uint32(cap(c.rbuf)) < c.header.Length {
		c.rbuf = make([]byte, c.header.Length)
	}
	c.rbuf = c.rbuf[:c.header.Length]
	return nil
}

// more reads some of a frame. Descriptors may come with its first byte only.
func (c *Conn) more(p []byte) error {
	before := len(c.fds)
	n, lost, err := c.recv(p)
	switch {
	case err == io.EOF && (c.got > 0 || len(c.fds) > 0):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case len(c.fds) > before && c.got > 0:
		return descriptors("descriptors in the middle of a frame")
	case n == 0:
		return errors.New("the link received nothing and did not say why")
	case lost.Data:
		return errors.New("the link lost bytes of a stream")
	}
	c.got += n
	return nil
}

func (c *Conn) matchFDs() error {
	if len(c.fds) == int(c.header.NFDs) {
		return nil
	}
	return descriptors(c.header.Kind.String() + " says " + strconv.Itoa(int(c.header.NFDs)) + " descriptors, " +
		strconv.Itoa(len(c.fds)) + " came")
}

func descriptors(text string) error {
	return &syncproto.ProtocolError{Code: syncproto.CodeDescriptors, Text: text}
}

var errLost = errors.New("the stream cannot be read any further: where the next frame begins is not known")

var errTorn = errors.New("a frame before this one was sent in part only")

// WriteFrame writes one frame, waiting for room; fds ride with its first byte and stay the caller's. The header comes
// from Machine.Send, so it has been judged already. EPIPE and ECONNRESET mean that the peer is gone; what it sent
// before can still be read, and should be.
func (c *Conn) WriteFrame(h syncproto.Header, payload []byte, fds []int) error {
	if c.torn {
		return errTorn
	}
	c.wbuf = append(h.Append(c.wbuf[:0]), payload...)
	for rest := c.wbuf; len(rest) > 0; {
		n, err := c.tryWrite(rest, fds)
		if n > 0 {
			rest, fds = rest[n:], nil
			continue
		}
		if err == unix.EAGAIN {
			var left time.Duration
			if left, err = c.writing.left(); err == nil {
				_, err = c.wait(Writable, left)
			}
		}
		if err != nil {
			c.torn = len(rest) < len(c.wbuf) && !errors.Is(err, os.ErrClosed)
			return err
		}
	}
	return nil
}

// tryWrite sends what there is room for: unix.EAGAIN for nothing.
func (c *Conn) tryWrite(b []byte, fds []int) (int, error) {
	for range interruptions {
		n, err := c.checkedSend(b, fds)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN, errors.Is(err, os.ErrClosed):
			return 0, err
		case err != nil:
			return 0, named("sendmsg", err)
		}
		c.idle.moved()
		return n, nil
	}
	return 0, errInterrupted
}

// CloseWrite is SHUT_WR: the peer reads what was sent, then end of file; the other direction goes on. The protocol
// never needs it.
func (c *Conn) CloseWrite() error { return c.link.CloseWrite() }

// SetReadDeadline bounds ReadFrame, also one that waits; the zero time is no bound.
func (c *Conn) SetReadDeadline(t time.Time) error { c.reading.set(t); return nil }

// SetWriteDeadline bounds WriteFrame, also one that waits; the zero time is no bound.
func (c *Conn) SetWriteDeadline(t time.Time) error { c.writing.set(t); return nil }

// Close closes the link and ends a read or write that waits. Descriptors of a frame that has come in part are closed.
func (c *Conn) Close() error {
	err := c.link.Close()
	c.partial.Lock()
	defer c.partial.Unlock()
	discard(c.fds)
	c.fds = nil
	return err
}

// packets are the buffers that packets are received into, each for one call: most frames are a few bytes, and are kept
// in as many.
var packets = sync.Pool{New: func() any { return new([maxPacket]byte) }}

// maxPacket is room for the largest frame that any limits allow.
const maxPacket = syncproto.HeaderSize + syncproto.MaxFrame
