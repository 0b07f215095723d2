package systemd

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handfast/handfast/cgroupfs"
)

// fake is a bus with a systemd on it, for as long as the test runs. do says what it does with each call of systemd's
// manager that has a unit; by default it answers well.
type fake struct {
	path  string
	do    func(*peer, *message)
	mu    sync.Mutex
	calls []*message
}

// peer is one connection as the fake has it.
type peer struct {
	t    testing.TB
	conn net.Conn
	next uint32
}

func newFake(t testing.TB, do func(*peer, *message)) *fake {
	t.Helper()
	f := &fake{path: filepath.Join(t.TempDir(), "bus"), do: do}
	l, err := net.Listen("unix", f.path)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			all.Go(func() { f.serve(&peer{t: t, conn: c}) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return f
}

// open gives a Manager whose later calls have that bound; its first ones have all the time that a busy machine needs.
func (f *fake) open(t testing.TB, timeout time.Duration) *Manager {
	t.Helper()
	m, err := Open(t.Context(), Options{Socket: f.path, Layout: &cgroupfs.Layout{}})
	if err != nil {
		t.Fatal(err)
	}
	m.o.Timeout = timeout
	t.Cleanup(m.Close)
	return m
}

// called is the calls that had a unit, in their order.
func (f *fake) called() (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.calls {
		names = append(names, m.member)
	}
	return names
}

func (f *fake) last() *message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[len(f.calls)-1]
}

// serve authenticates and answers until the other side goes.
func (f *fake) serve(p *peer) {
	defer p.conn.Close()
	r := bufio.NewReader(p.conn)
	if b, err := r.ReadByte(); err != nil || b != 0 {
		return
	}
	for _, want := range [...]string{"AUTH EXTERNAL\r\n", "DATA\r\n", "BEGIN\r\n"} {
		if line, err := r.ReadString('\n'); err != nil || line != want {
			return
		}
	}
	if r.Buffered() > 0 {
		p.t.Error("a message came behind BEGIN before the answers: systemd may leave it lying")
		return
	}
	io.WriteString(p.conn, "DATA\r\nOK 0123\r\n")
	for {
		header := make([]byte, fixed)
		if _, err := io.ReadFull(r, header); err != nil {
			return
		}
		n, err := messageLength(header)
		if err != nil {
			p.t.Error(err)
			return
		}
		b := append(header, make([]byte, n-fixed)...)
		if _, err := io.ReadFull(r, b[fixed:]); err != nil {
			return
		}
		m, err := decodeMessage(b)
		if err != nil {
			p.t.Error(err)
			return
		}
		f.answer(p, m)
	}
}

func (f *fake) answer(p *peer, m *message) {
	switch m.member {
	case "Hello":
		p.answer(m, text(":1.7"))
	case "AddMatch", "Subscribe":
		p.answer(m)
	case "Get":
		p.answer(m, variant(map[string]Value{"Version": text("252.38-1~deb12u1"), "ControlGroup": text("/")}[m.body[1].text]))
	default:
		f.mu.Lock()
		f.calls = append(f.calls, m)
		f.mu.Unlock()
		if f.do != nil {
			f.do(p, m)
			return
		}
		p.well(m, "done")
	}
}

// well answers a call as systemd does when all is well, but for the result of its job.
func (p *peer) well(m *message, result string) {
	if m.member != "StartTransientUnit" && m.member != "StopUnit" {
		p.answer(m)
		return
	}
	p.answer(m, object("/j/1"))
	p.removed("/j/1", result)
}

func (p *peer) removed(job, result string) {
	p.send(&message{kind: signalKind, path: managerPath, iface: managerName, member: "JobRemoved", sender: ":1.0",
		body: []Value{uint32v(1), object(job), text("any.scope"), text(result)}})
}

func (p *peer) answer(m *message, body ...Value) {
	p.send(&message{kind: methodReturn, replyTo: m.serial, sender: ":1.0", body: body})
}

func (p *peer) refuse(m *message, name, words string) {
	p.send(&message{kind: errorReply, replyTo: m.serial, sender: ":1.0", errorName: name, body: []Value{text(words)}})
}

// send writes a message; that the other side has gone is its business.
func (p *peer) send(m *message) {
	p.next++
	m.serial = p.next
	if _, err := p.conn.Write(m.encode()); err != nil && !errors.Is(err, net.ErrClosed) &&
		!errors.Is(err, os.ErrDeadlineExceeded) && !strings.Contains(err.Error(), "broken pipe") {
		p.t.Error(err)
	}
}
