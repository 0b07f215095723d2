package transporttest

import (
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/transport"
)

// Memory returns a connected pair without a kernel socket: what one end sends, the other receives, as packets or as a
// stream. Descriptors are duplicated when they are sent, as the kernel does, and closed if the receiving end is closed
// before it receives them. size bounds the bytes that wait in one direction, like a socket buffer; zero means 212,992,
// the kernel's default.
func Memory(t transport.Type, size int) (*transport.Conn, *transport.Conn) {
	if size <= 0 {
		size = 212992
	}
	p := &memoryPair{packets: t == transport.SeqPacket, size: size}
	p.cond = sync.NewCond(&p.mu)
	return transport.New(&memory{memoryPair: p, me: 0}), transport.New(&memory{memoryPair: p, me: 1})
}

// memoryPair holds both directions, each indexed by the receiving end.
type memoryPair struct {
	mu      sync.Mutex
	cond    *sync.Cond
	packets bool
	size    int
	ends    [2]memoryEnd
}

// memoryEnd is the state of one end.
type memoryEnd struct {
	queue  []chunk
	bytes  int
	ended  bool // nothing more will come
	closed bool
	woken  bool
}

// chunk holds the data of one Send.
type chunk struct {
	data []byte
	fds  []int
}

// memory is one end of the pair.
type memory struct {
	*memoryPair
	me int
}

func (m *memory) own() *memoryEnd   { return &m.ends[m.me] }
func (m *memory) other() *memoryEnd { return &m.ends[1-m.me] }

// Packets reports whether one Send is one Recv.
func (m *memory) Packets() bool { return m.packets }

// Recv takes one packet, or of a stream as much as there is room for, up to and with the first bytes that bring
// descriptors, as the kernel does (unix_stream_read_generic).
func (m *memory) Recv(p []byte, fds []int) (n int, got []int, lost transport.Lost, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.cond.Broadcast()
	e := m.own()
	switch {
	case e.closed:
		return 0, fds, lost, os.ErrClosed
	case len(e.queue) == 0 && e.ended:
		return 0, fds, lost, io.EOF
	case len(e.queue) == 0:
		return 0, fds, lost, unix.EAGAIN
	}
	for len(e.queue) > 0 && (n < len(p) || n == 0) {
		c := &e.queue[0]
		k := copy(p[n:], c.data)
		brought := len(c.fds) > 0
		fds = append(fds, c.fds...)
		n += k
		if m.packets {
			e.bytes -= len(c.data)
			lost.Data = k < len(c.data)
			e.queue = e.queue[1:]
			break
		}
		e.bytes -= k
		if c.data, c.fds = c.data[k:], nil; len(c.data) == 0 {
			e.queue = e.queue[1:]
		}
		if brought || k == 0 {
			break
		}
	}
	return n, fds, lost, nil
}

// Send sends as much as there is room for.
func (m *memory) Send(p []byte, fds []int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	to := m.other()
	room := m.size - to.bytes
	switch {
	case m.own().closed:
		return 0, os.ErrClosed
	case m.packets && len(p) > m.size:
		return 0, unix.EMSGSIZE
	case to.closed || to.ended:
		return 0, unix.EPIPE
	case room <= 0 || m.packets && room < len(p):
		return 0, unix.EAGAIN
	}
	c := chunk{data: append([]byte(nil), p[:min(len(p), room)]...)}
	for _, fd := range fds {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			transport.CloseAll(c.fds)
			return 0, err
		}
		c.fds = append(c.fds, dup)
	}
	to.queue = append(to.queue, c)
	to.bytes += len(c.data)
	m.cond.Broadcast()
	return len(c.data), nil
}

// eventsOf returns which of the wanted events have happened. The caller holds mu.
func (m *memory) eventsOf(want transport.Events) (is transport.Events) {
	e, to := m.own(), m.other()
	if len(e.queue) > 0 || e.ended {
		is |= transport.Readable & want
	}
	if to.closed || to.ended || m.size > to.bytes && (!m.packets || to.bytes == 0) {
		is |= transport.Writable & want
	}
	if e.woken {
		e.woken = false
		is |= transport.Woken
	}
	return is
}

// Wait waits for the other end.
func (m *memory) Wait(want transport.Events, d time.Duration) (transport.Events, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	late := d == 0
	if d > 0 {
		t := time.AfterFunc(d, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			late = true
			m.cond.Broadcast()
		})
		defer t.Stop()
	}
	for {
		if m.own().closed {
			return 0, os.ErrClosed
		}
		if is := m.eventsOf(want); is != 0 || late {
			return is, nil
		}
		m.cond.Wait()
	}
}

// Wakeable does nothing: Wake always works.
func (m *memory) Wakeable() error { return nil }

// Wake ends a Wait.
func (m *memory) Wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.own().woken = true
	m.cond.Broadcast()
}

// CloseWrite is the end of what the other end receives.
func (m *memory) CloseWrite() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.own().closed {
		return os.ErrClosed
	}
	m.other().ended = true
	m.cond.Broadcast()
	return nil
}

// Close ends both directions.
func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.own()
	if e.closed {
		return os.ErrClosed
	}
	e.closed, m.other().ended = true, true
	for _, c := range e.queue {
		transport.CloseAll(c.fds)
	}
	e.queue, e.bytes = nil, 0
	m.cond.Broadcast()
	return nil
}
