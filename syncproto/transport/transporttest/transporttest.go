// Package transporttest is the test suite for every Link of package transport, whatever carries the frames.
package transporttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

// Link makes connected pairs and says what they can do. If the two ends of a pair differ, the first one can do more.
type Link struct {
	Make        func(t testing.TB) (a, b *transport.Conn) // both are closed by the test that asked for them
	Descriptors bool                                      // both ends carry descriptors; otherwise b carries none
	Deadlines   bool                                      // b's waits can be bounded
	Interrupts  bool                                      // Wake and Close from another goroutine end b's wait
}

// Run runs the suite on a link.
func Run(t *testing.T, l Link) {
	for _, test := range []struct {
		name string
		skip bool
		f    func(t *testing.T, a, b *transport.Conn)
	}{
		{"every size arrives", false, testSizes},
		{"descriptors arrive", !l.Descriptors, testDescriptors},
		{"descriptors are refused before a byte leaves", l.Descriptors, testNoDescriptors},
		{"the end comes between two frames", false, testEnd},
		{"the end within a frame is told apart", false, testTorn},
		{"half of a connection closes", false, testHalfClose},
		{"what a dead peer has said is read", false, testDeadPeer},
		{"both write much at once", false, testBothDirections},
		{"a wait ends with its deadline", !l.Deadlines, testDeadlines},
		{"a wait ends with the connection", !l.Interrupts, testInterrupted},
		{"a wait of the other end does", !l.Interrupts, swapped(testInterrupted)},
		{"a wait is woken", !l.Interrupts, testWake},
		{"a Link is closed once", !l.Interrupts, testClosed},
		{"so is that of the other end", !l.Interrupts, swapped(testClosed)},
		{"a packet that is too long is cut", false, testCut},
	} {
		if test.skip {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			a, b := l.Make(t)
			defer func() { _, _ = a.Close(), b.Close() }()
			test.f(t, a, b)
		})
	}
}

func admitAll(syncproto.Header) error { return nil }

func header(seq, size, fds int) syncproto.Header {
	return syncproto.Header{Kind: syncproto.KindRequest, Seq: uint16(seq), Length: uint32(size), NFDs: uint8(fds)}
}

// sendAndRead sends a frame from one end and reads it at the other.
func sendAndRead(from, to *transport.Conn, h syncproto.Header, payload []byte, fds []int) (got []int, err error) {
	sent := make(chan error, 1)
	go func() { sent <- from.WriteFrame(h, payload, fds) }()
	h2, p2, got, err := to.ReadFrame(admitAll)
	if e := <-sent; e != nil || err != nil {
		return nil, errors.Join(e, err)
	}
	if h2 != h || !bytes.Equal(p2, payload) {
		transport.CloseAll(got)
		return nil, fmt.Errorf("%+v with %d bytes arrived as %+v with %d", h, len(payload), h2, len(p2))
	}
	return got, nil
}

func testSizes(t *testing.T, a, b *transport.Conn) {
	list := []int{0, 1, 2, 15, 16, 17, 30000, syncproto.MaxFrame - 1, syncproto.MaxFrame}
	for k := 1; k <= 5; k++ { // the lengths at which a newline behind JSON once stayed unread
		list = append(list, 512*(1<<k-1)-1, 512*(1<<k-1), 512*(1<<k-1)+1)
	}
	for i, n := range list {
		payload := bytes.Repeat([]byte{byte(i + 1)}, n)
		for _, dir := range [][2]*transport.Conn{{a, b}, {b, a}} {
			if _, err := sendAndRead(dir[0], dir[1], header(i+1, n, 0), payload, nil); err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
	}
}

func testDescriptors(t *testing.T, a, b *transport.Conn) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var want, have unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &want); err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{1, 0, 2, 16, syncproto.MaxFDs} {
		fds := make([]int, n)
		for j := range fds {
			fds[j] = int(f.Fd())
		}
		for _, dir := range [][2]*transport.Conn{{a, b}, {b, a}} {
			got, err := sendAndRead(dir[0], dir[1], header(i+1, 100, n), make([]byte, 100), fds)
			if err != nil || len(got) != n {
				t.Fatalf("%d descriptors: %d came, %v", n, len(got), err)
			}
			for _, fd := range got {
				flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
				if err != nil || flags&unix.FD_CLOEXEC == 0 || unix.Fstat(fd, &have) != nil || have.Ino != want.Ino {
					t.Errorf("descriptor %d: flags %#x, inode %d, want %d, %v", fd, flags, have.Ino, want.Ino, err)
				}
			}
			transport.CloseAll(got)
		}
	}
}

func testNoDescriptors(t *testing.T, a, b *transport.Conn) {
	if err := b.WriteFrame(header(1, 0, 1), nil, []int{0}); err == nil {
		t.Error("a descriptor was sent")
	}
	if _, err := sendAndRead(b, a, header(1, 3, 0), []byte("abc"), nil); err != nil {
		t.Errorf("and something left before: %v", err)
	}
	if err := a.WriteFrame(header(1, 0, 1), nil, []int{0}); err != nil { // nor does the other end carry any
		if _, err := sendAndRead(a, b, header(1, 3, 0), []byte("abc"), nil); err != nil {
			t.Errorf("something left before the other end refused: %v", err)
		}
		return
	}
	if _, _, _, err := b.ReadFrame(admitAll); !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeDescriptors}) {
		t.Errorf("a frame whose descriptor was lost: %v", err)
	}
}

func testEnd(t *testing.T, a, b *transport.Conn) {
	for _, dir := range [][2]*transport.Conn{{a, b}, {b, a}} {
		if err := dir[0].WriteFrame(header(1, 2, 0), []byte("ab"), nil); err != nil {
			t.Fatal(err)
		}
		if err := dir[0].CloseWrite(); err != nil {
			t.Fatal(err)
		}
		_, p, _, err := dir[1].ReadFrame(admitAll)
		if err != nil || string(p) != "ab" {
			t.Fatalf("%q, %v", p, err)
		}
		for range 2 {
			if _, _, _, err := dir[1].ReadFrame(admitAll); err != io.EOF {
				t.Errorf("after the last frame: %v", err)
			}
		}
	}
}

// testTorn checks a frame whose sender dies in the middle of it: a packet is then lost as a whole.
func testTorn(t *testing.T, a, b *transport.Conn) {
	a = WithFaults(a, Faults{CutAfter: 40})
	for i := range 2 {
		if err := a.WriteFrame(header(i+1, 10, 0), make([]byte, 10), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err := b.ReadFrame(admitAll); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := b.ReadFrame(admitAll); err != io.ErrUnexpectedEOF && err != io.EOF {
		t.Errorf("%v", err)
	}
}

func testHalfClose(t *testing.T, a, b *transport.Conn) {
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := b.ReadFrame(admitAll); err != io.EOF {
		t.Fatal(err)
	}
	if _, err := sendAndRead(b, a, header(1, 5, 0), []byte("still"), nil); err != nil {
		t.Errorf("the other direction: %v", err)
	}
	if err := a.WriteFrame(header(1, 0, 0), nil, nil); !errors.Is(err, unix.EPIPE) {
		t.Errorf("writing after it: %v", err)
	}
}

func testDeadPeer(t *testing.T, a, b *transport.Conn) {
	if err := a.WriteFrame(header(1, 0, 0), nil, nil); err != nil { // unread by b: its close resets the connection
		t.Fatal(err)
	}
	for i := range 3 {
		if err := b.WriteFrame(header(i+1, 4, 0), []byte("last"), nil); err != nil {
			t.Fatal(err)
		}
	}
	_ = b.Close()
	if err := a.WriteFrame(header(2, 0, 0), nil, nil); !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("writing to it: %v", err)
	}
	for range 3 {
		if _, p, _, err := a.ReadFrame(admitAll); err != nil || string(p) != "last" {
			t.Fatalf("%q, %v", p, err)
		}
	}
	if _, _, _, err := a.ReadFrame(admitAll); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
}

func testBothDirections(t *testing.T, a, b *transport.Conn) {
	const n, size = 40, 20000
	errs := make(chan error, 4)
	for _, c := range []*transport.Conn{a, b} {
		go func() {
			for i := range n {
				if err := c.WriteFrame(header(i+1, size, 0), make([]byte, size), nil); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
		go func() {
			for i := range n {
				h, p, _, err := c.ReadFrame(admitAll)
				if err == nil && (int(h.Seq) != i+1 || len(p) != size) {
					err = fmt.Errorf("frame %d came as %d of %d bytes", i+1, h.Seq, len(p))
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func testDeadlines(t *testing.T, a, b *transport.Conn) {
	for _, c := range []*transport.Conn{a, b} {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, _, _, err := c.ReadFrame(admitAll); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading: %v", err)
		}
		_ = c.SetReadDeadline(time.Time{})
	}
	for _, c := range []*transport.Conn{a, b} {
		_ = c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		var err error
		for i := 0; err == nil && i < 1000; i++ {
			err = c.WriteFrame(header(i+1, 30000, 0), make([]byte, 30000), nil)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("writing: %v", err)
		}
	}
}

// swapped returns the same test with the ends swapped.
func swapped(f func(t *testing.T, a, b *transport.Conn)) func(t *testing.T, a, b *transport.Conn) {
	return func(t *testing.T, a, b *transport.Conn) { f(t, b, a) }
}

func testInterrupted(t *testing.T, a, _ *transport.Conn) {
	done := make(chan error, 1)
	go func() {
		_, _, _, err := a.ReadFrame(admitAll)
		done <- err
	}()
	time.Sleep(5 * time.Millisecond)
	_ = a.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// testWake checks that Wake ends the Wait that runs, or the next one, although nothing is received or sent.
func testWake(t *testing.T, a, b *transport.Conn) {
	for _, l := range []transport.Link{a.Link(), b.Link()} {
		if err := l.Wakeable(); err != nil {
			t.Fatal(err)
		}
		for _, early := range []bool{true, false} {
			if early {
				l.Wake()
			} else {
				go func() {
					time.Sleep(5 * time.Millisecond)
					l.Wake()
				}()
			}
			is, err := l.Wait(transport.Readable, patience)
			if err != nil || is != transport.Woken {
				t.Errorf("events %#x, %v, woken before the Wait: %v", is, err, early)
			}
			if is, err = l.Wait(transport.Readable, 0); err != nil || is != 0 {
				t.Errorf("events %#x, %v: a Wake ends one Wait", is, err)
			}
		}
	}
}

// patience bounds the waits of a Link that is not correct.
const patience = 10 * time.Second

// testClosed checks that Close ends a Wait, and that each later call says that the Link is closed.
func testClosed(t *testing.T, a, _ *transport.Conn) {
	l := a.Link()
	waited := make(chan error, 1)
	go func() {
		_, err := l.Wait(transport.Readable, patience)
		waited <- err
	}()
	time.Sleep(5 * time.Millisecond)
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-waited; !errors.Is(err, os.ErrClosed) {
		t.Errorf("the Wait that ran: %v", err)
	}
	l.Wake()
	for name, call := range map[string]func() error{
		"Recv":       func() error { _, _, _, err := l.Recv(make([]byte, 16), nil); return err },
		"Send":       func() error { _, err := l.Send(make([]byte, 16), nil); return err },
		"Wait":       func() error { _, err := l.Wait(transport.Readable, patience); return err },
		"CloseWrite": l.CloseWrite,
		"Close":      l.Close,
	} {
		if err := again(call); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s of a closed Link: %v", name, err)
		}
	}
}

// testCut checks that Recv of the first end reports bytes of a packet for which there was no room, and loses nothing of
// a stream.
func testCut(t *testing.T, a, b *transport.Conn) {
	const room, whole = 10, 100
	from, to := b.Link(), a.Link()
	sent, got := make([]byte, whole), 0
	for i := range sent {
		sent[i] = byte(i)
	}
	for off := 0; off < whole; {
		err := again(func() error {
			n, err := from.Send(sent[off:], nil)
			off += n
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for p := make([]byte, room); got < whole; {
		var n int
		var lost transport.Lost
		err := again(func() (err error) {
			if _, err = to.Wait(transport.Readable, patience); err == nil {
				n, _, lost, err = to.Recv(p, nil)
			}
			return err
		})
		if err != nil || n < 1 || n > room || !bytes.Equal(p[:n], sent[got:got+n]) || lost.Data != to.Packets() {
			t.Fatalf("%d bytes at %d, lost %+v: %v", n, got, lost, err)
		}
		if got += n; to.Packets() {
			return
		}
	}
}

// again repeats a call that was interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
