package transporttest

import (
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/transport"
)

// Faults go wrong on one end of a connection, for tests of the code that uses it. The zero value means none. They are
// plain data: a test can generate, print and repeat them. The first four may happen with any kernel, and no
// conversation may notice them; the others end a conversation, and the only question is how.
type Faults struct {
	Short     int // a send takes at most so many bytes; a stream only, for a packet is sent whole or not at all
	Piece     int // a receive returns at most so many bytes; a stream only
	Interrupt int // every so many calls, two or more, one is interrupted by a signal first (EINTR)
	Pause     time.Duration

	// sending ends after so many bytes, as if this side had died: what follows is lost, a packet that would be cut is lost
	// whole
	CutAfter int
	// receiving meets ECONNRESET once before what is queued, as SOCK_SEQPACKET has it where the peer closed with something
	// unread
	ResetBefore bool
	ResetAfter  bool // and once behind it, as SOCK_STREAM has it
	BrokenPipe  int  // sending is EPIPE after so many sends
	// the kernel drops the descriptors of the first message that has some, and says so (MSG_CTRUNC): RLIMIT_NOFILE, or a
	// security module
	CutFDs     bool
	ExtraFDs   int  // so many descriptors more than the frame says go with every send that starts one
	MissingFDs int  // and so many fewer
	Leaked     bool // end of file never comes: a copy of the peer's end is open somewhere
	Full       bool // nothing more is taken: the peer never reads
}

// Lethal reports whether a conversation cannot be expected to survive.
func (f Faults) Lethal() bool {
	f.Short, f.Piece, f.Interrupt, f.Pause, f.ResetBefore, f.ResetAfter = 0, 0, 0, 0, false, false
	return f != Faults{}
}

// WithFaults returns a Conn over the same connection that suffers from faults. It takes over c.
func WithFaults(c *transport.Conn, f Faults) *transport.Conn {
	s := &faulty{Link: c.Link(), f: f}
	if w, ok := c.Link().(transport.Watcher); ok {
		return transport.New(watcher{s, w})
	}
	return transport.New(s)
}

// watcher is a faulty Link that can watch a process, if the Link that it wraps can.
type watcher struct {
	*faulty
	transport.Watcher
}

// faulty is a Link that misbehaves as a socket may.
type faulty struct {
	transport.Link
	f           Faults
	calls       atomic.Int64
	sent, sends int
	dead        bool // CutAfter is reached
	reset       [2]bool
	cut         bool
	ended       atomic.Bool // the end of file is kept back
}

// interrupt delays or interrupts a call.
func (s *faulty) interrupt() error {
	if s.f.Pause > 0 {
		time.Sleep(s.f.Pause)
	}
	if n := s.f.Interrupt; n > 0 && s.calls.Add(1)%int64(n) == 0 {
		return unix.EINTR
	}
	return nil
}

// Recv calls the wrapped Link and applies the faults.
func (s *faulty) Recv(p []byte, fds []int) (int, []int, transport.Lost, error) {
	if err := s.interrupt(); err != nil {
		return 0, fds, transport.Lost{}, err
	}
	if s.f.ResetBefore && !s.reset[0] {
		s.reset[0] = true
		return 0, fds, transport.Lost{}, unix.ECONNRESET
	}
	if s.f.Piece > 0 && !s.Packets() && len(p) > s.f.Piece {
		p = p[:s.f.Piece]
	}
	had := len(fds)
	n, fds, lost, err := s.Link.Recv(p, fds)
	if err == nil && s.f.CutFDs && !s.cut && len(fds) > had {
		s.cut, lost.FDs = true, true
		transport.CloseAll(fds[had:])
		fds = fds[:had]
	}
	if err == io.EOF {
		switch {
		case s.f.ResetAfter && !s.reset[1]:
			s.reset[1] = true
			return 0, fds, lost, unix.ECONNRESET
		case s.f.Leaked:
			s.ended.Store(true)
			return 0, fds, lost, unix.EAGAIN
		}
	}
	return n, fds, lost, err
}

// Wait calls the wrapped Link and hides an end that is delayed and room that a fault denies.
func (s *faulty) Wait(want transport.Events, d time.Duration) (transport.Events, error) {
	if s.ended.Load() {
		want &^= transport.Readable
	}
	if s.f.Full {
		want &^= transport.Writable
	}
	if want != 0 || d >= 0 {
		return s.Link.Wait(want, d)
	}
	return s.Link.Wait(want, time.Hour)
}

// Send applies the faults and calls the wrapped Link.
func (s *faulty) Send(p []byte, fds []int) (int, error) {
	if err := s.interrupt(); err != nil {
		return 0, err
	}
	if s.sends++; s.f.BrokenPipe > 0 && s.sends > s.f.BrokenPipe {
		return 0, unix.EPIPE
	}
	if s.f.Full {
		return 0, unix.EAGAIN
	}
	if s.dead {
		return len(p), nil
	}
	if s.f.Short > 0 && !s.Packets() && len(p) > s.f.Short {
		p = p[:s.f.Short]
	}
	whole := len(p)
	if left := s.f.CutAfter - s.sent; s.f.CutAfter > 0 && len(p) > left {
		s.dead = true
		if p = p[:max(left, 0)]; s.Packets() {
			p = nil
		}
	}
	if len(p) > 0 {
		n, err := s.sendFDs(p, fds)
		if err != nil || n < len(p) {
			s.sent += n
			s.dead = false
			return n, err
		}
	}
	if s.sent += whole; s.dead {
		_ = s.Link.CloseWrite()
	}
	return whole, nil
}

// sendFDs sends other descriptors than announced. They still belong to the caller; additional ones are standard input.
func (s *faulty) sendFDs(p []byte, fds []int) (int, error) {
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
	return s.Link.Send(p, fds)
}
