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

// conn is a connection to a bus or to systemd itself. It owns its socket until close. Only one goroutine may use it at
// a time, and nothing runs between calls. After a failure in the middle of a message it cannot be used any more.
type conn struct {
	socket  *os.File
	bus     bool
	serial  uint32
	signals []*message // received during other waits, oldest first
}

// maxSignals is how many signals are kept that nothing waits for yet: on its private socket systemd sends all of them.
const maxSignals = 4096

// connect opens the socket and authenticates, until ctx ends.
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

// dial connects. While the listener's queue is full, connect(2) of a Unix socket fails with EAGAIN, and poll(2) does
// not report when there is room, so dial tries again.
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

// bounded runs a function that reads and writes, and interrupts it when ctx ends, with the cause of ctx as the error.
func (c *conn) bounded(ctx context.Context, do func() error) error {
	deadline, _ := ctx.Deadline() // the zero time is none
	if err := c.socket.SetDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.socket.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err := do()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		<-ctx.Done() // its timer may fire a moment after the socket's
		return context.Cause(ctx)
	}
	return err
}

// greet authenticates (D-Bus Specification, "Authentication Protocol"), with EXTERNAL and without an identity, so that
// the peer takes that from the kernel (unix(7), SO_PEERCRED). A user id would be wrong in a user namespace, where the
// peer knows the user by another one.
//
// It sends all of it at once, and the first message only after the replies, as systemd's own clients do. On its private
// socket systemd may read a message that follows closely together with BEGIN, and then does not look at it until more
// data arrives (src/libsystemd/sd-bus/bus-socket.c, bus_socket_auth_verify_server), so that the call would never get a
// reply.
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
			return fmt.Errorf("authentication as user %d: the reply is %q: %w", os.Geteuid(), line, unix.EACCES)
		}
	}
	return nil
}

// line reads one line of the authentication, byte by byte, because what follows is no longer text.
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

// send writes a message with a new serial.
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

// ended rewords the end of the stream.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the other side has closed the connection: %w", unix.ECONNRESET)
	}
	return err
}

// reply waits for the reply to the message with this serial, and keeps the signals that arrive before it.
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

// signal returns the first signal that matches, among those that were kept, or else waits for one.
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
