package transport

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Link may be anybody's. What is here holds it to its contract, so that one that breaks it is an error of the call,
// and never a panic, an endless loop, or a frame that nobody sent.

// named puts the name of a system call to the number of its error. What a Link says in its own words stays as it is.
func named(call string, err error) error {
	if errno, ok := err.(unix.Errno); ok {
		return os.NewSyscallError(call, errno)
	}
	return err
}

// interruptions is how often in a row a link may say unix.EINTR.
const interruptions = 10000

var errInterrupted = errors.New("the link was interrupted again and again, and did nothing")

// checkedRecv is Link.Recv. Descriptors are kept in the Conn, whatever happens.
func (c *Conn) checkedRecv(p []byte) (n int, lost Lost, err error) {
	had := len(c.fds)
	n, got, lost, err := c.link.Recv(p, c.fds)
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

// checkedSend is Link.Send.
func (c *Conn) checkedSend(b []byte, fds []int) (int, error) {
	n, err := c.link.Send(b, fds)
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

// idleWaits counts the waits since something was received or sent. Some are the rule, as where a deadline is moved; but
// a link whose Wait returns at once, each time, while there is nothing to receive and no room to send would keep a
// processor busy for ever.
type idleWaits struct {
	n     atomic.Int32
	since atomic.Int64 // when a few had passed, in nanoseconds since 1970
}

const (
	idleFew  = 100
	idleMost = 1 << 14
	idleTime = 10 * time.Second // in which so many are too many
)

func (w *idleWaits) moved() {
	if w.n.Load() != 0 {
		w.n.Store(0)
	}
}

// tooMany counts one more.
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

// wait is Link.Wait.
func (c *Conn) wait(want Events, d time.Duration) (Events, error) {
	is, err := c.link.Wait(want, d)
	if err == nil && c.idle.tooMany() {
		return 0, errIdle
	}
	return is, err
}
