package history

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// end is one end of a historic socket. It reads and writes like a plain file, which encoding/json was given: a
// descriptor that arrives in a Read is lost.
type end struct{ fd int }

// pair returns a connected pair, which is closed with the test. No read or write waits for more than a minute, so that
// a historic hang does not hang the tests.
func pair(t testing.TB, typ int) (parent, child *end) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	parent, child = &end{fds[0]}, &end{fds[1]}
	for _, e := range []*end{parent, child} {
		t.Cleanup(e.Close)
		for _, opt := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
			if err := unix.SetsockoptTimeval(e.fd, unix.SOL_SOCKET, opt, &unix.Timeval{Sec: 60}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return parent, child
}

func (e *end) Read(b []byte) (int, error) {
	for {
		switch n, err := unix.Read(e.fd, b); {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (e *end) Write(b []byte) (int, error) { return len(b), e.send(b) }

// send is one sendmsg(2) of b with descriptors.
func (e *end) send(b []byte, fds ...int) error {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		n, err := unix.SendmsgN(e.fd, b, oob, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n < len(b) {
			return io.ErrShortWrite
		}
		return err
	}
}

// receive is one recvmsg(2). The descriptors are the caller's.
func (e *end) receive(b []byte) (n int, fds []int, err error) {
	oob := make([]byte, unix.CmsgSpace(4*16))
	for {
		n, oobn, _, _, err := unix.Recvmsg(e.fd, b, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return 0, nil, err
		}
		for i := range messages {
			got, err := unix.ParseUnixRights(&messages[i])
			if err != nil {
				return 0, nil, err
			}
			fds = append(fds, got...)
		}
		return n, fds, nil
	}
}

// drained waits until the other end has read everything.
func (e *end) drained() error {
	for range 60_000 {
		n, err := unix.IoctlGetInt(e.fd, unix.SIOCOUTQ)
		if err != nil || n == 0 {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("the other end does not read")
}

// shut is SHUT_WR.
func (e *end) shut() error { return unix.Shutdown(e.fd, unix.SHUT_WR) }

// Close closes the socket once.
func (e *end) Close() {
	if e.fd >= 0 {
		_ = unix.Close(e.fd)
		e.fd = -1
	}
}

// framer splits the unframed stream into messages: a JSON value ends with its last brace, a netlink message begins with
// its length, and a descriptor comes wherever the conversation has one. Nothing else separated messages.
type framer struct {
	e *end
	r *bufio.Reader
}

func newFramer(e *end) *framer { return &framer{e, bufio.NewReader(e)} }

// next returns the bytes of the next message, with the newline after it if that has arrived.
func (f *framer) next() ([]byte, error) {
	first, err := f.r.Peek(1)
	if err != nil {
		return nil, err
	}
	if first[0] != '{' {
		return f.blob()
	}
	var b []byte
	depth, text, escaped := 0, false, false
	for {
		c, err := f.r.ReadByte()
		if err != nil {
			return b, errors.Join(io.ErrUnexpectedEOF, err)
		}
		b = append(b, c)
		switch {
		case escaped:
			escaped = false
		case text:
			text, escaped = c != '"', c == '\\'
		case c == '"':
			text = true
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
		if depth > 0 {
			continue
		}
		if f.r.Buffered() > 0 {
			if next, _ := f.r.Peek(1); next[0] == '\n' {
				_, _ = f.r.Discard(1)
				b = append(b, '\n')
			}
		}
		return b, nil
	}
}

// blob returns a netlink message: its length in host byte order, including itself, then the rest.
func (f *framer) blob() ([]byte, error) {
	head, err := f.r.Peek(4)
	if err != nil {
		return nil, err
	}
	n := binary.NativeEndian.Uint32(head)
	if n < 4 || n > 1<<16 {
		return nil, fmt.Errorf("%q is neither JSON nor netlink", head)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(f.r, b)
	return b, err
}

// descriptor returns a message that carries a descriptor. If the reader has read ahead, the descriptor is lost.
func (f *framer) descriptor() (name []byte, fd int, err error) {
	if n := f.r.Buffered(); n > 0 {
		return nil, -1, fmt.Errorf("%d bytes were read ahead, and the descriptor with them", n)
	}
	b := make([]byte, 4096)
	n, fds, err := f.e.receive(b)
	if err == nil && len(fds) != 1 {
		err = fmt.Errorf("%d descriptors with %q, want one", len(fds), b[:n])
	}
	if err != nil {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		return nil, -1, err
	}
	return b[:n], fds[0], nil
}
