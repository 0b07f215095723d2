package transport

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Memory is a connected pair without a kernel socket between: what one end sends, the other receives, as packets or as a stream. Descriptors are duplicated when they are sent, as the
// kernel does, and closed with the end that did not receive them. size bounds the bytes that wait in one direction, as a socket buffer does; zero is 212,992,
// the kernel's own default.
func Memory(t Type, size int) (*Conn, *Conn) {
	if size <= 0 {
		size = 212992
	}
	mu := &sync.Mutex{}
	a, b := newPipe(mu, size), newPipe(mu, size)
	packet := t == SeqPacket
	return &Conn{s: &memory{in: a, out: b, packet: packet}, packet: packet}, &Conn{s: &memory{in: b, out: a, packet: packet}, packet: packet}
}

// pipe is one direction.
type pipe struct {
	mu       *sync.Mutex // of the pair: both directions close together
	cond     *sync.Cond
	size     int
	queue    []chunk
	bytes    int
	ended    bool // nothing more will be sent
	gone     bool // nobody will receive
	deadline [2]time.Time
	timer    [2]*time.Timer
}

// chunk is what one send put in.
type chunk struct {
	data []byte
	fds  []int
}

// Sides of a pipe that wait, each with a deadline of its own.
const (
	receiver = iota
	sender
)

func newPipe(mu *sync.Mutex, size int) *pipe {
	return &pipe{mu: mu, cond: sync.NewCond(mu), size: size}
}

// wait sleeps until ready, the side's deadline, or the end of the pair.
func (p *pipe) wait(side int, ready func() bool) error {
	for !ready() {
		if d := p.deadline[side]; !d.IsZero() && !time.Now().Before(d) {
			return os.ErrDeadlineExceeded
		}
		p.cond.Wait()
	}
	return nil
}

func (p *pipe) setDeadline(side int, t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer[side] != nil {
		p.timer[side].Stop()
		p.timer[side] = nil
	}
	p.deadline[side] = t
	if !t.IsZero() {
		p.timer[side] = time.AfterFunc(time.Until(t), p.wake)
	}
	p.cond.Broadcast()
}

func (p *pipe) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cond.Broadcast()
}

// memory is one end of the pair.
type memory struct {
	in, out *pipe
	packet  bool
	closed  bool
}

func (m *memory) recv(p []byte, fds []int) (int, []int, cut, error) {
	m.in.mu.Lock()
	defer m.in.mu.Unlock()
	if err := m.in.wait(receiver, func() bool { return m.closed || len(m.in.queue) > 0 || m.in.ended }); err != nil {
		return 0, fds, cut{}, err
	}
	if m.closed {
		return 0, fds, cut{}, os.ErrClosed
	}
	if len(m.in.queue) == 0 {
		return 0, fds, cut{}, nil
	}
	n, fds, lost := m.in.take(p, fds, m.packet)
	m.in.cond.Broadcast()
	return n, fds, lost, nil
}

func (m *memory) send(p []byte, fds []int) (int, error) { return m.put(p, fds, true) }

func (m *memory) sendNow(p []byte, fds []int) (int, error) { return m.put(p, fds, false) }

func (m *memory) put(p []byte, fds []int, wait bool) (int, error) {
	m.out.mu.Lock()
	defer m.out.mu.Unlock()
	need := 1
	if m.packet {
		if need = len(p); need > m.out.size {
			return 0, unix.EMSGSIZE
		}
	}
	ready := func() bool { return m.closed || m.out.gone || m.out.ended || m.out.size-m.out.bytes >= need }
	if !wait && !ready() {
		return 0, unix.EAGAIN
	}
	err := m.out.wait(sender, ready)
	switch {
	case m.closed:
		return 0, os.ErrClosed
	case err != nil:
		return 0, err
	case m.out.gone || m.out.ended:
		return 0, unix.EPIPE
	}
	c := chunk{data: append([]byte(nil), p[:min(len(p), m.out.size-m.out.bytes)]...)}
	for _, fd := range fds {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			CloseAll(c.fds)
			return 0, err
		}
		c.fds = append(c.fds, dup)
	}
	m.out.queue = append(m.out.queue, c)
	m.out.bytes += len(c.data)
	m.out.cond.Broadcast()
	return len(c.data), nil
}

// take moves what is queued into b: one packet, or of a stream as much as there is room for, up to and with the first bytes that bring descriptors, as the kernel does
// (unix_stream_read_generic).
func (p *pipe) take(b []byte, fds []int, packet bool) (n int, got []int, lost cut) {
	for len(p.queue) > 0 && (n < len(b) || n == 0) {
		c := &p.queue[0]
		k := copy(b[n:], c.data)
		brought := len(c.fds) > 0
		fds = append(fds, c.fds...)
		n += k
		p.bytes -= k
		if packet {
			p.bytes -= len(c.data) - k
			p.queue = p.queue[1:]
			return n, fds, cut{data: k < len(c.data)}
		}
		if c.data, c.fds = c.data[k:], nil; len(c.data) == 0 {
			p.queue = p.queue[1:]
		}
		if brought || k == 0 {
			break
		}
	}
	return n, fds, lost
}

func (m *memory) setReadDeadline(t time.Time) error  { m.in.setDeadline(receiver, t); return nil }
func (m *memory) setWriteDeadline(t time.Time) error { m.out.setDeadline(sender, t); return nil }

func (m *memory) shutdownWrite() error {
	m.out.mu.Lock()
	defer m.out.mu.Unlock()
	m.out.ended = true
	m.out.cond.Broadcast()
	return nil
}

func (m *memory) close() error {
	m.in.mu.Lock()
	defer m.in.mu.Unlock()
	if m.closed {
		return os.ErrClosed
	}
	m.closed, m.out.ended, m.in.gone = true, true, true
	for _, c := range m.in.queue {
		CloseAll(c.fds)
	}
	m.in.queue, m.in.bytes = nil, 0
	m.in.cond.Broadcast()
	m.out.cond.Broadcast()
	for _, t := range []*time.Timer{m.in.timer[receiver], m.out.timer[sender]} {
		if t != nil {
			t.Stop()
		}
	}
	return nil
}
