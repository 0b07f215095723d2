package transport

import (
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
)

// Conn carries frames with their descriptors over one connection. One goroutine may read while another writes; two may not do the same.
// A Conn owns its socket until Close.
type Conn struct {
	s      socket
	packet bool // SOCK_SEQPACKET: one frame is one packet
	head   [syncproto.HeaderSize]byte
	rbuf   []byte
	wbuf   []byte
	torn   bool // a frame was sent in part: what would follow it is no frame
	reset  bool // ECONNRESET was seen: the peer closed with something of ours unread
}

// ReadFrame reads one frame. admit sees the header before the payload is read on a stream, and before it is looked at in a packet; its error ends the reading.
//
// The payload is valid until the next ReadFrame. The descriptors belong to the caller: on an error there are none, all that came are closed.
// io.EOF means that the peer closed between two frames; within one it is io.ErrUnexpectedEOF. ECONNRESET is not an end: the kernel reports it before what is still
// queued (SOCK_SEQPACKET) or after (SOCK_STREAM), so reading goes on until the end of file proper. os.ErrDeadlineExceeded means that the deadline passed.
func (c *Conn) ReadFrame(admit func(syncproto.Header) error) (h syncproto.Header, payload []byte, fds []int, err error) {
	if c.packet {
		h, payload, fds, err = c.readPacket(admit)
	} else {
		h, payload, fds, err = c.readStream(admit)
	}
	if err != nil {
		CloseAll(fds)
		return syncproto.Header{}, nil, nil, err
	}
	return h, payload, fds, nil
}

// recv is one message, past a connection reset.
func (c *Conn) recv(p []byte, fds []int) (int, []int, cut, error) {
	for {
		n, fds2, cut, err := c.s.recv(p, fds)
		fds = fds2
		if err == unix.EINTR {
			continue
		}
		if err == unix.ECONNRESET && !c.reset {
			c.reset = true
			continue
		}
		if err == unix.ECONNRESET {
			return 0, fds, cut, nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, os.ErrClosed) {
			err = os.NewSyscallError("recvmsg", err)
		}
		if err == nil && cut.fds {
			err = descriptors("the kernel dropped descriptors of a frame (MSG_CTRUNC): raise RLIMIT_NOFILE, or a security module denied them")
		}
		return n, fds, cut, err
	}
}

func (c *Conn) readPacket(admit func(syncproto.Header) error) (h syncproto.Header, payload []byte, fds []int, err error) {
	room := packets.Get().(*[maxPacket]byte)
	defer packets.Put(room)
	n, fds, cut, err := c.recv(room[:], nil)
	if err == nil && n == 0 && len(fds) == 0 {
		// A nonblocking read that finds nothing, and then finds the connection shut down, reports the end although a packet may have come between the two looks
		// (unix_dgram_recvmsg, net/unix/af_unix.c). What the peer sent before it ended is queued now, so a second read finds it.
		n, fds, cut, err = c.recv(room[:], nil)
	}
	if err != nil {
		return h, nil, fds, err
	}
	if n == 0 && len(fds) > 0 {
		return h, nil, fds, descriptors("an empty packet with descriptors")
	}
	if n == 0 {
		return h, nil, nil, io.EOF
	}
	c.rbuf = append(c.rbuf[:0], room[:min(n, len(room))]...)
	b := c.rbuf
	if h, err = syncproto.ParseHeader(b); err != nil {
		return h, nil, fds, err
	}
	if err = admit(h); err != nil {
		return h, nil, fds, err
	}
	if cut.data || uint64(h.Length) != uint64(len(b)-syncproto.HeaderSize) {
		return h, nil, fds, &syncproto.ProtocolError{Code: syncproto.CodeFrame,
			Text: "packet of " + strconv.Itoa(n) + " bytes or more holds a frame of " + strconv.FormatUint(uint64(h.Length)+syncproto.HeaderSize, 10)}
	}
	return h, b[syncproto.HeaderSize:], fds, matchFDs(h, fds)
}

func (c *Conn) readStream(admit func(syncproto.Header) error) (h syncproto.Header, payload []byte, fds []int, err error) {
	head := c.head[:] // in the Conn, for it would be made anew for every frame
	fds, err = c.readFull(head, nil, true)
	if err != nil {
		return h, nil, fds, err
	}
	if h, err = syncproto.ParseHeader(head); err != nil {
		return h, nil, fds, err
	}
	if err = admit(h); err != nil {
		return h, nil, fds, err
	}
	if err = matchFDs(h, fds); err != nil {
		return h, nil, fds, err
	}
	// admit has bounded Length, so this allocates what a frame may hold at most.
	if uint32(cap(c.rbuf)) < h.Length {
		c.rbuf = make([]byte, h.Length)
	}
	payload = c.rbuf[:h.Length]
	fds, err = c.readFull(payload, fds, false)
	return h, payload, fds, err
}

// readFull fills p exactly, never more: bytes of the next frame stay in the kernel, and with them the descriptors that ride with its first byte.
// Descriptors may come with the first byte of a frame only.
func (c *Conn) readFull(p []byte, fds []int, start bool) ([]int, error) {
	for got := 0; got < len(p); {
		before := len(fds)
		n, fds2, _, err := c.recv(p[got:], fds)
		fds = fds2
		switch {
		case err != nil:
			if got == 0 && start {
				return fds, err
			}
			return fds, within(err)
		case n == 0 && got == 0 && start && len(fds) == before:
			return fds, io.EOF
		case n == 0:
			return fds, io.ErrUnexpectedEOF
		case len(fds) > before && !(start && got == 0):
			return fds, descriptors("descriptors in the middle of a frame")
		case got == 0 && start && string(p[:min(n, 2)]) != "SY"[:min(n, 2)]:
			_, err := syncproto.ParseHeader(p[:n])
			return fds, err
		}
		got += n
	}
	return fds, nil
}

// within marks a deadline that passed in the middle of a frame: the conversation cannot go on after it.
func within(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &cutError{err}
	}
	return err
}

type cutError struct{ err error }

func (e *cutError) Error() string { return "in the middle of a frame: " + e.err.Error() }
func (e *cutError) Unwrap() error { return e.err }

func matchFDs(h syncproto.Header, fds []int) error {
	if len(fds) == int(h.NFDs) {
		return nil
	}
	return descriptors(h.Kind.String() + " says " + strconv.Itoa(int(h.NFDs)) + " descriptors, " + strconv.Itoa(len(fds)) + " came")
}

func descriptors(text string) error {
	return &syncproto.ProtocolError{Code: syncproto.CodeDescriptors, Text: text}
}

var errTorn = errors.New("a frame before this one was sent in part only")

// WriteFrame writes one frame; fds ride with its first byte and stay the caller's. The header comes from Machine.Send, so it has been judged already.
// EPIPE and ECONNRESET mean that the peer is gone; what it sent before can still be read, and should be.
func (c *Conn) WriteFrame(h syncproto.Header, payload []byte, fds []int) error {
	if c.torn {
		return errTorn
	}
	c.wbuf = append(h.Append(c.wbuf[:0]), payload...)
	return c.write(c.wbuf, fds)
}

// writeNow is WriteFrame for as much as there is room for at once, whatever the deadline: rest is what is left to be sent by writeRest, nil for nothing.
func (c *Conn) writeNow(h syncproto.Header, payload []byte, fds []int) (rest []byte, err error) {
	if c.torn {
		return nil, errTorn
	}
	c.wbuf = append(h.Append(c.wbuf[:0]), payload...)
	n, err := c.s.sendNow(c.wbuf, fds)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR || err == nil && n < len(c.wbuf):
		return c.wbuf[max(n, 0):], nil
	case err != nil:
		return nil, sendError(err)
	}
	return nil, nil
}

// writeRest sends what writeNow has left, waiting for room within the deadline.
func (c *Conn) writeRest(rest []byte, fds []int) error {
	if len(rest) < len(c.wbuf) {
		fds = nil
	}
	return c.write(rest, fds)
}

func (c *Conn) write(b []byte, fds []int) error {
	for len(b) > 0 {
		n, err := c.s.send(b, fds)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			c.torn = len(b) < len(c.wbuf)
			return sendError(err)
		}
		b, fds = b[n:], nil
	}
	return nil
}

func sendError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
		return err
	}
	return os.NewSyscallError("sendmsg", err)
}

// CloseWrite is SHUT_WR: the peer reads what was sent, then end of file; the other direction goes on. The protocol never needs it.
func (c *Conn) CloseWrite() error { return c.s.shutdownWrite() }

// SetReadDeadline bounds reads, those that wait included; the zero time is no bound.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.s.setReadDeadline(t) }

// SetWriteDeadline bounds writes, those that wait included; the zero time is no bound.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.s.setWriteDeadline(t) }

// Close closes the socket and ends a read or write that waits.
func (c *Conn) Close() error { return c.s.close() }

// packets are the buffers that packets are received into, each for one call: most frames are a few bytes, and are kept in as many.
var packets = sync.Pool{New: func() any { return new([maxPacket]byte) }}

// maxPacket is room for the largest frame that any limits allow.
const maxPacket = syncproto.HeaderSize + syncproto.MaxFrame
