package transport

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Faults are what goes wrong on one end of a connection, for tests of whatever speaks over it. The zero value is none. They are plain data: a test can draw, print and repeat them.
//
// The first four are the kernel's right, and no conversation may notice them; the others end one, and the only question is how.
type Faults struct {
	Short     int // a send takes at most so many bytes; a stream only, for a packet is sent whole or not at all
	Piece     int // a receive returns at most so many bytes; a stream only
	Interrupt int // every so many calls, two or more, one is interrupted by a signal first (EINTR)
	Pause     time.Duration

	CutAfter    int  // sending ends after so many bytes, as if this side had died: what follows is lost, a packet that would be cut is lost whole
	ResetBefore bool // receiving meets ECONNRESET once before what is queued, as SOCK_SEQPACKET has it where the peer closed with something unread
	ResetAfter  bool // and once behind it, as SOCK_STREAM has it
	BrokenPipe  int  // sending is EPIPE after so many sends
	CutFDs      bool // the kernel drops the descriptors of the first message that has some, and says so (MSG_CTRUNC): RLIMIT_NOFILE, or a security module
	ExtraFDs    int  // so many descriptors more than the frame says go with every send that starts one
	MissingFDs  int  // and so many fewer
	Leaked      bool // end of file never comes: a copy of the peer's end is open somewhere
	Full        bool // nothing more is taken: the peer never reads
}

// Lethal reports whether a conversation cannot be expected to survive.
func (f Faults) Lethal() bool {
	f.Short, f.Piece, f.Interrupt, f.Pause, f.ResetBefore, f.ResetAfter = 0, 0, 0, 0, false, false
	return f != Faults{}
}

// WithFaults is a Conn over the same connection on which things go wrong. It takes c over.
func WithFaults(c *Conn, f Faults) *Conn {
	return &Conn{s: &faulty{inner: c.s, f: f, packet: c.packet}, packet: c.packet}
}

// faulty is a socket that misbehaves as a socket may. One goroutine receives while another sends, as with every socket.
type faulty struct {
	inner       socket
	f           Faults
	packet      bool
	calls       atomic.Int64
	sent, sends int
	dead        bool // CutAfter is reached
	reset       [2]bool
	cut         bool

	mu        sync.Mutex
	deadlines [2]time.Time
	closed    bool
}

// before is what comes before a call: a pause, an interruption.
func (s *faulty) before() error {
	if s.f.Pause > 0 {
		time.Sleep(s.f.Pause)
	}
	if n := s.f.Interrupt; n > 0 && s.calls.Add(1)%int64(n) == 0 {
		return unix.EINTR
	}
	return nil
}

func (s *faulty) recv(p []byte, fds []int) (int, []int, cut, error) {
	if err := s.before(); err != nil {
		return 0, fds, cut{}, err
	}
	if s.f.ResetBefore && !s.reset[0] {
		s.reset[0] = true
		return 0, fds, cut{}, unix.ECONNRESET
	}
	if s.f.Piece > 0 && !s.packet && len(p) > s.f.Piece {
		p = p[:s.f.Piece]
	}
	had := len(fds)
	n, fds, c, err := s.inner.recv(p, fds)
	if err == nil && s.f.CutFDs && !s.cut && len(fds) > had {
		s.cut, c.fds = true, true
		CloseAll(fds[had:])
		fds = fds[:had]
	}
	if err != nil || n > 0 || len(fds) > had {
		return n, fds, c, err
	}
	switch {
	case s.f.ResetAfter && !s.reset[1]:
		s.reset[1] = true
		return 0, fds, cut{}, unix.ECONNRESET
	case s.f.Leaked:
		return 0, fds, cut{}, s.wait(receiver)
	}
	return 0, fds, c, nil
}

// wait is a wait that only a deadline or the end of this side ends.
func (s *faulty) wait(side int) error {
	for {
		s.mu.Lock()
		d, closed := s.deadlines[side], s.closed
		s.mu.Unlock()
		switch {
		case closed:
			return os.ErrClosed
		case !d.IsZero() && !time.Now().Before(d):
			return os.ErrDeadlineExceeded
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *faulty) send(p []byte, fds []int) (int, error) { return s.put(p, fds, s.inner.send) }

func (s *faulty) sendNow(p []byte, fds []int) (int, error) {
	if s.f.Full {
		return 0, unix.EAGAIN
	}
	return s.put(p, fds, s.inner.sendNow)
}

func (s *faulty) put(p []byte, fds []int, send func([]byte, []int) (int, error)) (int, error) {
	if err := s.before(); err != nil {
		return 0, err
	}
	if s.sends++; s.f.BrokenPipe > 0 && s.sends > s.f.BrokenPipe {
		return 0, unix.EPIPE
	}
	if s.f.Full {
		return 0, s.wait(sender)
	}
	if s.dead {
		return len(p), nil
	}
	if s.f.Short > 0 && !s.packet && len(p) > s.f.Short {
		p = p[:s.f.Short]
	}
	whole := len(p)
	if left := s.f.CutAfter - s.sent; s.f.CutAfter > 0 && len(p) > left {
		s.dead = true
		if p = p[:max(left, 0)]; s.packet {
			p = nil
		}
	}
	if len(p) > 0 {
		n, err := s.sendFDs(p, fds, send)
		if err != nil || n < len(p) {
			return n, err
		}
	}
	if s.sent += whole; s.dead {
		_ = s.inner.shutdownWrite()
	}
	return whole, nil
}

// sendFDs sends with other descriptors than was said. They stay the caller's, and those that are too many are standard input.
func (s *faulty) sendFDs(p []byte, fds []int, send func([]byte, []int) (int, error)) (int, error) {
	starts := len(p) > 1 && string(p[:2]) == "SY"
	if starts && s.f.MissingFDs > 0 {
		fds = fds[:max(len(fds)-s.f.MissingFDs, 0)]
	}
	if starts && s.f.ExtraFDs > 0 {
		fds = append([]int(nil), fds...)
		for range s.f.ExtraFDs {
			fds = append(fds, 0)
		}
	}
	return send(p, fds)
}

func (s *faulty) setReadDeadline(t time.Time) error {
	s.setDeadline(receiver, t)
	return s.inner.setReadDeadline(t)
}

func (s *faulty) setWriteDeadline(t time.Time) error {
	s.setDeadline(sender, t)
	return s.inner.setWriteDeadline(t)
}

func (s *faulty) setDeadline(side int, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadlines[side] = t
}

func (s *faulty) shutdownWrite() error { return s.inner.shutdownWrite() }

func (s *faulty) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.inner.close()
}
