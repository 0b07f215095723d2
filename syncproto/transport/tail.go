package transport

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// tail is a socket for a process that may do next to nothing any more: after a seccomp(2) filter of somebody else's making, sendmsg, recvmsg, poll and fcntl may be refused, trapped or
// handed to a supervisor that waits for this very conversation. It uses two system calls, read(2) and write(2), and close(2) at the end; it carries no descriptors and has no
// deadlines. (Go's runtime itself needs futex, nanosleep, sched_yield, mmap, munmap, madvise, rt_sigprocmask, rt_sigreturn, sigaltstack, getpid, tgkill and exit_group.)
//
// A write to a peer that is gone raises SIGPIPE, which Go ignores on descriptors above 2; the write is EPIPE.
type tail struct{ fd int }

// errTailFDs is for descriptors, which only sendmsg(2) can send.
var errTailFDs = errors.New("a tail carries no descriptors: they go with sendmsg(2), which may be forbidden now")

// Tail turns c, which TakeBlocking or Adopt has made, into one that uses nothing but read(2) and write(2). Descriptors that the peer sends from then on are lost, so a frame that
// claims any is refused.
func (c *Conn) Tail() error {
	b, ok := c.s.(*blocking)
	if !ok {
		return errors.New("only a blocking socket (TakeBlocking, Adopt) can become a tail")
	}
	c.s = &tail{b.fd}
	return nil
}

// Tail has the child's side go on with nothing but read(2) and write(2), for the time after a seccomp filter: Conn.Tail. Its deadlines and contexts end no wait from then on; end of file
// does, when the parent dies.
func (p *Peer) Tail() error { return p.conn.Tail() }

func (s *tail) recv(p []byte, fds []int) (int, []int, cut, error) {
	for {
		n, err := unix.Read(s.fd, p)
		if err != unix.EINTR {
			return max(n, 0), fds, cut{}, err
		}
	}
}

func (s *tail) send(p []byte, fds []int) (int, error) {
	if len(fds) > 0 {
		return 0, errTailFDs
	}
	for {
		n, err := unix.Write(s.fd, p)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

func (s *tail) sendNow(p []byte, fds []int) (int, error) { return s.send(p, fds) }

func (s *tail) setReadDeadline(t time.Time) error  { return os.ErrNoDeadline }
func (s *tail) setWriteDeadline(t time.Time) error { return os.ErrNoDeadline }
func (s *tail) shutdownWrite() error               { return unix.Shutdown(s.fd, unix.SHUT_WR) }

func (s *tail) close() error {
	if s.fd < 0 {
		return os.ErrClosed
	}
	fd := s.fd
	s.fd = -1
	return unix.Close(fd)
}
