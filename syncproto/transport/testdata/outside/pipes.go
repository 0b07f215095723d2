// Package outside is a Link implemented outside of this module: frames over two pipes, pipe(2), such as a child's
// standard input and output if it cannot have a socket. A pipe carries no descriptors.
package outside

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/transport"
)

// Pipes is a transport.Link over the reading end of one pipe and the writing end of another.
type Pipes struct {
	r, w, wake int // wake is an eventfd(2); -1 is closed

	mu     sync.RWMutex // held for reading by every call that uses the descriptors
	closed chan struct{}
	once   sync.Once
}

var _ transport.Link = (*Pipes)(nil)

// New makes a Link of two descriptors, neither of which blocks, and owns them.
func New(r, w int) (*Pipes, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return &Pipes{r: r, w: w, wake: wake, closed: make(chan struct{})}, nil
}

// enter keeps the descriptors open until the returned function is called.
func (p *Pipes) enter() (leave func(), err error) {
	p.mu.RLock()
	select {
	case <-p.closed:
		p.mu.RUnlock()
		return nil, os.ErrClosed
	default:
		return p.mu.RUnlock, nil
	}
}

// Packets says that a pipe is a stream.
func (p *Pipes) Packets() bool { return false }

// Recv is read(2).
func (p *Pipes) Recv(b []byte, fds []int) (int, []int, transport.Lost, error) {
	leave, err := p.enter()
	if err != nil {
		return 0, fds, transport.Lost{}, err
	}
	defer leave()
	n, err := unix.Read(p.r, b)
	if err != nil {
		return 0, fds, transport.Lost{}, err
	}
	if n == 0 && len(b) > 0 {
		return 0, fds, transport.Lost{}, io.EOF
	}
	return n, fds, transport.Lost{}, nil
}

// Send is write(2). Descriptors are refused before a byte leaves.
func (p *Pipes) Send(b []byte, fds []int) (int, error) {
	leave, err := p.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	if len(fds) > 0 {
		return 0, errors.New("a pipe carries no descriptors")
	}
	if p.w < 0 {
		return 0, unix.EPIPE
	}
	n, err := unix.Write(p.w, b)
	return max(n, 0), err
}

// Wait is poll(2).
func (p *Pipes) Wait(want transport.Events, d time.Duration) (is transport.Events, err error) {
	leave, err := p.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	fds := []unix.PollFd{{Fd: int32(p.wake), Events: unix.POLLIN}, {Fd: -1}, {Fd: -1}}
	if want&transport.Readable != 0 {
		fds[1] = unix.PollFd{Fd: int32(p.r), Events: unix.POLLIN}
	}
	if want&transport.Writable != 0 {
		if p.w < 0 {
			return transport.Writable, nil
		}
		fds[2] = unix.PollFd{Fd: int32(p.w), Events: unix.POLLOUT}
	}
	var limit *unix.Timespec
	if d >= 0 {
		ts := unix.NsecToTimespec(d.Nanoseconds())
		limit = &ts
	}
	if _, err := unix.Ppoll(fds, limit, nil); err != nil && err != unix.EINTR {
		return 0, err
	}
	for i, e := range []transport.Events{transport.Woken, transport.Readable, transport.Writable} {
		if fds[i].Revents != 0 {
			is |= e
		}
	}
	if is&transport.Woken != 0 {
		_, _ = unix.Read(p.wake, make([]byte, 8))
		select {
		case <-p.closed:
			p.Wake() // for the next one that waits
			return 0, os.ErrClosed
		default:
		}
	}
	return is, nil
}

// Wakeable does nothing: the eventfd is there from the beginning.
func (p *Pipes) Wakeable() error { return nil }

// Wake makes the eventfd readable.
func (p *Pipes) Wake() { _, _ = unix.Write(p.wake, []byte{0: 1, 7: 0}) }

// CloseWrite closes the end that is written.
func (p *Pipes) CloseWrite() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w < 0 {
		return os.ErrClosed
	}
	fd := p.w
	p.w = -1
	return unix.Close(fd)
}

// Close wakes every call that waits, and closes the descriptors after the last of them.
func (p *Pipes) Close() error {
	err := os.ErrClosed
	p.once.Do(func() {
		close(p.closed)
		p.Wake()
		_ = p.CloseWrite()
		p.mu.Lock()
		defer p.mu.Unlock()
		err = errors.Join(unix.Close(p.r), unix.Close(p.wake))
		p.wake = -1
	})
	return err
}
