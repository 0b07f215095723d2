package transport

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Link may be implemented by anybody. The checks in this file enforce its contract: a Link that breaks it causes an
// error, and never a panic, an endless loop, or a frame that was not sent.

// syscallError adds the name of the system call to an errno. Other errors of a Link stay as they are.
func syscallError(call string, err error) error {
	if errno, ok := err.(unix.Errno); ok {
		return os.NewSyscallError(call, errno)
	}
	return err
}

// linkError returns err in a form that can be compared and printed.
func linkError(err error) error {
	switch err.(type) {
	case nil, unix.Errno:
		return err
	}
	return printable(err)
}

// interruptions is how many times in a row a link may return unix.EINTR.
const interruptions = 10000

var errInterrupted = errors.New("the link was interrupted again and again, and did nothing")

// checkedRecv is Link.Recv with checks. Descriptors are stored in the Conn, whatever happens.
func (c *Conn) checkedRecv(p []byte) (n int, lost Lost, err error) {
	had := len(c.fds)
	n, got, lost, err := c.link.Recv(p, c.fds)
	err = linkError(err)
	if len(got) < had {
		return 0, lost, fmt.Errorf("the link was given %d descriptors to append to, and returned %d", had, len(got))
	}
	c.fds = got
	switch {
	case n != 0 && err != nil:
		return 0, lost, fmt.Errorf("the link received %d bytes and failed in the same call: %w", n, err)
	case n < 0 || n > len(p):
		return 0, lost, fmt.Errorf("the link received %d bytes into room for %d", n, len(p))
	}
	for _, fd := range got[had:] {
		if fd < 0 {
			return 0, lost, fmt.Errorf("the link received the descriptor %d", fd)
		}
	}
	return n, lost, err
}

// checkedSend is Link.Send with checks.
func (c *Conn) checkedSend(b []byte, fds []int) (int, error) {
	n, err := c.link.Send(b, fds)
	err = linkError(err)
	switch {
	case err != nil && n != 0:
		return 0, fmt.Errorf("the link sent %d bytes and failed in the same call: %w", n, err)
	case err != nil:
		return 0, err
	case n <= 0 || n > len(b):
		return 0, fmt.Errorf("the link sent %d bytes of %d", n, len(b))
	case n < len(b) && c.link.Packets():
		return 0, fmt.Errorf("the link cut a packet of %d bytes after %d", len(b), n)
	}
	return n, nil
}

// idleWaits counts the waits since something was received or sent. A few are normal, for example when a deadline is
// moved. But a link whose Wait keeps returning at once, although there is nothing to receive and no room to send, would
// keep a processor busy for ever.
type idleWaits struct {
	n     atomic.Int32
	since atomic.Int64 // when a few had passed, in nanoseconds since 1970
}

const (
	idleFew  = 100
	idleMost = 1 << 14
	idleTime = 10 * time.Second // more than idleMost waits in this time are too many
)

func (w *idleWaits) moved() {
	if w.n.Load() != 0 {
		w.n.Store(0)
	}
}

// tooMany counts one more wait and reports whether there were too many.
func (w *idleWaits) tooMany() bool {
	switch w.n.Add(1) {
	case idleFew:
		w.since.Store(time.Now().UnixNano())
	case idleMost:
		w.n.Store(0)
		return time.Since(time.Unix(0, w.since.Load())) < idleTime
	}
	return false
}

var errIdle error = idleError{}

// idleError writes its text when somebody reads it: package fmt costs every start of a process that does not need it.
type idleError struct{}

func (idleError) Error() string {
	return fmt.Sprintf("the link ended %d waits within %v, and nothing could be received or sent", idleMost, idleTime)
}

// wait is Link.Wait with the check for idle waits.
func (c *Conn) wait(want Events, d time.Duration) (Events, error) {
	is, err := c.link.Wait(want, d)
	err = linkError(err)
	if err == nil && c.idle.tooMany() {
		return 0, errIdle
	}
	return is, err
}
