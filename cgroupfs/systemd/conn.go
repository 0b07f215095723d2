package systemd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// conn is a connection to a bus or to systemd itself. It owns its socket until close. One goroutine uses it at a time;
// nothing runs beside the calls. What has failed in the middle of a message is of no use any more.
type conn struct {
	socket  *os.File
	bus     bool
	serial  uint32
	signals []*message // that came while something else was waited for, the oldest first
}

// maxSignals bounds what is kept of signals that nobody has asked for: on a private socket systemd tells everything.
const maxSignals = 4096

// connect opens the socket and introduces itself, until ctx ends.
func connect(ctx context.Context, p place) (*conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := dial(ctx, fd, p.path); err != nil {
		_ = unix.Close(fd)
		return nil, &os.PathError{Op: "connect", Path: p.path, Err: err}
	}
	c := &conn{socket: os.NewFile(uintptr(fd), p.path), bus: p.bus}
	if err := c.bounded(ctx, c.greet); err != nil {
		c.close()
		return nil, fmt.Errorf("%s: %w", p.path, err)
	}
	return c, nil
}

// dial waits for room in the queue of a listener that is slow to accept: connect(2) of a Unix socket says EAGAIN then,
// and poll(2) does not tell when it is over.
func dial(ctx context.Context, fd int, path string) error {
	for {
		err := unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		if err != unix.EAGAIN && err != unix.EINTR {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (c *conn) close() { _ = c.socket.Close() }

// bounded runs something that reads and writes, and ends it with ctx, with the error that ctx has then.
func (c *conn) bounded(ctx context.Context, do func() error) error {
	deadline, _ := ctx.Deadline() // the zero time is none
	if err := c.socket.SetDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.socket.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err := do()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		<-ctx.Done() // its timer may be a moment behind the socket's
		return context.Cause(ctx)
	}
	return err
}

// greet is the conversation before the first message (D-Bus Specification, "Authentication Protocol"): EXTERNAL without
// a name, so that the other side takes whom the kernel tells it of (unix(7), SO_PEERCRED). To write a user's id would
// be wrong in a user namespace, where it is another one outside.
//
// All of it is said at once, and the first message only after the answers, as systemd's own clients do it. On its
// private socket systemd may take a message that comes close behind BEGIN in together with it, and then waits for more
// to come before it looks at it (src/libsystemd/sd-bus/bus-socket.c, bus_socket_auth_verify_server): the call would
// never be answered.
func (c *conn) greet() error {
	if _, err := io.WriteString(c.socket, "\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"); err != nil {
		return err
	}
	for _, want := range [...]string{"DATA", "OK"} {
		line, err := c.line()
		if err != nil {
			return fmt.Errorf("authentication: %w", err)
		}
		if word, _, _ := strings.Cut(line, " "); word != want {
			return fmt.Errorf("authentication as user %d was answered with %q: %w", os.Geteuid(), line, unix.EACCES)
		}
	}
	return nil
}

// line reads one line of the authentication, byte by byte: what follows it is not text any more.
func (c *conn) line() (string, error) {
	const longest = 1024
	var b []byte
	one := make([]byte, 1)
	for len(b) < longest {
		if _, err := io.ReadFull(c.socket, one); err != nil {
			return "", ended(err)
		}
		if b = append(b, one[0]); strings.HasSuffix(string(b), "\r\n") {
			return string(b[:len(b)-2]), nil
		}
	}
	return "", fmt.Errorf("a line of more than %d bytes: %w", longest, unix.EBADMSG)
}

// send writes a message, with a serial of its own.
func (c *conn) send(m *message) error {
	c.serial++
	m.serial = c.serial
	_, err := c.socket.Write(m.encode())
	return err
}

// receive reads the next message.
func (c *conn) receive() (*message, error) {
	header := make([]byte, fixed)
	if _, err := io.ReadFull(c.socket, header); err != nil {
		return nil, ended(err)
	}
	n, err := messageLength(header)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	copy(b, header)
	if _, err := io.ReadFull(c.socket, b[fixed:]); err != nil {
		return nil, ended(err)
	}
	return decodeMessage(b)
}

// ended says what an end of the stream means here.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the other side has closed the connection: %w", unix.ECONNRESET)
	}
	return err
}

// reply waits for the answer to the message with this serial, and keeps the signals that come before it.
func (c *conn) reply(serial uint32) (*message, error) {
	for {
		m, err := c.receive()
		if err != nil {
			return nil, err
		}
		switch {
		case m.kind == signalKind:
			if len(c.signals) < maxSignals {
				c.signals = append(c.signals, m)
			}
		case (m.kind == methodReturn || m.kind == errorReply) && m.replyTo == serial:
			return m, nil
		}
	}
}

// signal waits for one that fits, among those that are kept first.
func (c *conn) signal(fits func(*message) bool) error {
	for _, m := range c.signals {
		if fits(m) {
			return nil
		}
	}
	for {
		m, err := c.receive()
		if err != nil {
			return err
		}
		if m.kind == signalKind && fits(m) {
			return nil
		}
	}
}
