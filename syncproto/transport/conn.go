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

// Conn carries frames and their descriptors over a Link. One goroutine may read while another writes, but no two may do
// the same at once. A Conn owns its Link until Close. A Parent or Child made from a Conn is its only user.
type Conn struct {
	link  Link
	reset bool  // ECONNRESET was seen: the peer closed its end with unread data
	lost  error // set once the frames of a stream can no longer be told apart

	// The frame that is being read. The lock protects it from Close, which any goroutine may call during tryRead.
	partial  sync.Mutex
	head     [syncproto.HeaderSize]byte
	got      int // bytes read of head, and then of the payload
	header   syncproto.Header
	rbuf     []byte
	smallBuf [smallFrame]byte // the initial rbuf
	fds      []int
	wbuf     []byte
	torn     bool // a frame was sent only in part, so no other can follow it
	reading  deadline
	writing  deadline
	idle     idleWaits
}

// smallFrame is large enough for most frames other than CONFIG and ERROR.
const smallFrame = 512

// New makes a Conn that uses l, and owns l.
func New(l Link) *Conn {
	if isNil(l) {
		l = nil // the methods say so
	}
	return &Conn{link: l}
}

// Link returns the Link of c, which c still owns.
func (c *Conn) Link() Link { return c.link }

// deadline is a time in nanoseconds since 1970; zero means none.
type deadline struct{ at atomic.Int64 }

func (d *deadline) set(t time.Time) {
	if t.IsZero() {
		d.at.Store(0)
		return
	}
	d.at.Store(max(t.UnixNano(), 1))
}

// left returns the time until the deadline, but at most a short moment, so that a change by another goroutine is
// noticed.
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

// ReadFrame waits for one frame. admit gets the header, on a stream before the payload is read and in a packet before
// it is looked at; if admit returns an error, ReadFrame does too. If admit is nil, every frame is accepted.
//
// The payload is valid until the next ReadFrame. The descriptors belong to the caller; on an error all that arrived are
// closed. io.EOF means that the peer closed between two frames, io.ErrUnexpectedEOF that it closed within one.
// ECONNRESET does not end reading: the kernel reports it before what is still queued (SOCK_SEQPACKET) or after it
// (SOCK_STREAM), so reading goes on until end of file. os.ErrDeadlineExceeded means that the deadline passed. A
// *syncproto.ProtocolError is the peer's fault, unix.EMFILE this process's own.
func (c *Conn) ReadFrame(admit func(syncproto.Header) error) (syncproto.Header, []byte, []int, error) {
	if c.link == nil {
		return syncproto.Header{}, nil, nil, errZero
	}
	if admit == nil {
		admit = func(syncproto.Header) error { return nil }
	}
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

// cutError marks a deadline that passed in the middle of a frame, after which the conversation cannot go on.
type cutError struct{ err error }

func (e *cutError) Error() string { return "in the middle of a frame: " + e.err.Error() }
func (e *cutError) Unwrap() error { return e.err }

// tryRead is ReadFrame without waiting: it returns unix.EAGAIN if no whole frame has arrived.
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

// recv receives one message and reads past a connection reset. Descriptors are stored in the Conn.
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
			return 0, lost, syscallError("recvmsg", err)
		case lost.FDs:
			return 0, lost, errNoRoomForFDs
		}
		c.idle.moved()
		return n, lost, nil
	}
	return 0, lost, errInterrupted
}

// errNoRoomForFDs is a failure of this process, not of the peer.
var errNoRoomForFDs error = &outOfDescriptors{}

type outOfDescriptors struct{}

func (*outOfDescriptors) Error() string {
	return "the kernel dropped descriptors of a frame (MSG_CTRUNC): this process has as many open as RLIMIT_NOFILE " +
		"allows, or a security module denied them"
}

// Unwrap returns the errno that the kernel does not report.
func (*outOfDescriptors) Unwrap() error { return unix.EMFILE }

// SyncCode returns CodeLimit.
func (*outOfDescriptors) SyncCode() syncproto.Code { return syncproto.CodeLimit }

func (c *Conn) readPacket(admit admitter) ([]byte, error) {
	room := packets.Get().(*[maxPacket]byte)
	defer packets.Put(room)
	n, lost, err := c.recv(room[:])
	if err != nil {
		return nil, err
	}
	if c.rbuf == nil {
		c.rbuf = c.smallBuf[:0]
	}
	if n == 0 && len(c.fds) > 0 {
		return nil, descriptorError("an empty packet with descriptors")
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

// readStream continues with the frame that is being read. It never takes bytes of the next frame, which stay in the
// kernel together with the descriptors sent with its first byte.
func (c *Conn) readStream(admit admitter) ([]byte, error) {
	for c.got < syncproto.HeaderSize {
		if err := c.readSome(c.head[c.got:]); err != nil {
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
		if err := c.readSome(c.rbuf[c.got-syncproto.HeaderSize:]); err != nil {
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
		c.rbuf = c.smallBuf[:0]
	}
	// Admit has checked Length, so this allocates no more than a frame may hold.
	if uint32(cap(c.rbuf)) < c.header.Length {
		c.rbuf = make([]byte, c.header.Length)
	}
	c.rbuf = c.rbuf[:c.header.Length]
	return nil
}

// readSome reads a part of a frame. Descriptors may arrive only with its first byte.
func (c *Conn) readSome(p []byte) error {
	before := len(c.fds)
	n, lost, err := c.recv(p)
	switch {
	case err == io.EOF && (c.got > 0 || len(c.fds) > 0):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case len(c.fds) > before && c.got > 0:
		return descriptorError("descriptors in the middle of a frame")
	case n == 0:
		return errors.New("the link received nothing and did not say why")
	case lost.Data:
		return errors.New("the link lost bytes of a stream")
	}
	c.got += n
	return nil
}

// midFrame reports whether a frame has arrived only in part.
func (c *Conn) midFrame() bool {
	c.partial.Lock()
	defer c.partial.Unlock()
	return c.got > 0
}

func (c *Conn) matchFDs() error {
	if len(c.fds) == int(c.header.NFDs) {
		return nil
	}
	return descriptorError(c.header.Kind.String() + " says " + strconv.Itoa(int(c.header.NFDs)) + " descriptors, " +
		strconv.Itoa(len(c.fds)) + " came")
}

func descriptorError(text string) error {
	return &syncproto.ProtocolError{Code: syncproto.CodeDescriptors, Text: text}
}

var errLost = errors.New("the stream cannot be read any further: where the next frame begins is not known")

var errTorn = errors.New("a frame before this one was sent in part only")

// WriteFrame writes one frame and waits for room. fds are sent with its first byte and still belong to the caller. The
// header comes from Machine.Send, so it has been checked already. EPIPE and ECONNRESET mean that the peer is gone; what
// it sent before can still be read, and should be.
func (c *Conn) WriteFrame(h syncproto.Header, payload []byte, fds []int) error {
	if c.link == nil {
		return errZero
	}
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

// tryWrite sends as much as there is room for; unix.EAGAIN means that there is none.
func (c *Conn) tryWrite(b []byte, fds []int) (int, error) {
	for range interruptions {
		n, err := c.checkedSend(b, fds)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN, errors.Is(err, os.ErrClosed):
			return 0, err
		case err != nil:
			return 0, syscallError("sendmsg", err)
		}
		c.idle.moved()
		return n, nil
	}
	return 0, errInterrupted
}

// CloseWrite shuts down sending (SHUT_WR): the peer reads what was sent, then end of file. Receiving goes on. The
// protocol never needs it.
func (c *Conn) CloseWrite() error {
	if c.link == nil {
		return errZero
	}
	return c.link.CloseWrite()
}

// SetReadDeadline bounds ReadFrame, including one that is waiting; the zero time means no bound.
func (c *Conn) SetReadDeadline(t time.Time) error { c.reading.set(t); return nil }

// SetWriteDeadline bounds WriteFrame, including one that is waiting; the zero time means no bound.
func (c *Conn) SetWriteDeadline(t time.Time) error { c.writing.set(t); return nil }

// Close closes the link and ends a waiting read or write. It closes the descriptors of a frame that has arrived only in
// part.
func (c *Conn) Close() error {
	if c.link == nil {
		return errZero
	}
	err := c.link.Close()
	c.partial.Lock()
	defer c.partial.Unlock()
	discard(c.fds)
	c.fds = nil
	return err
}

// packets holds buffers for receiving packets, each used for one call. Most frames are short, and only their bytes are
// kept.
var packets = sync.Pool{New: func() any { return new([maxPacket]byte) }}

// maxPacket is the size of the largest frame that any limits allow.
const maxPacket = syncproto.HeaderSize + syncproto.MaxFrame
