package transport

import (
	"time"

	"golang.org/x/sys/unix"
)

// Link carries the bytes of frames and the descriptors sent with them: a Unix socket (Take, Adopt), or an
// implementation of the caller's. Package transporttest tests any Link against this contract.
//
// Only Wait waits. One goroutine may be in Recv, another in Send, and any number in Wait; Wake and Close may be called
// by any goroutine at any time.
type Link interface {
	// Packets reports whether one Send is one Recv, as with SOCK_SEQPACKET. Otherwise the bytes are a stream.
	Packets() bool

	// Recv receives at most len(p) bytes that have arrived: some bytes of a stream, or one packet, truncated if it is
	// longer. unix.EAGAIN means that nothing has arrived, io.EOF that nothing ever will, and unix.ECONNRESET that the peer
	// has closed its end with unread data, after which Recv can go on. Zero bytes without an error are an empty packet.
	// Descriptors that arrive are appended to fds whatever else happens. They belong to the caller and have FD_CLOEXEC
	// set. On a stream, Recv returns no bytes beyond those that were sent with descriptors.
	Recv(p []byte, fds []int) (n int, got []int, lost Lost, err error)

	// Send sends p, or the first n bytes of it; it sends a packet as a whole or not at all. unix.EAGAIN means that there
	// is no room now, unix.EPIPE or unix.ECONNRESET that the peer is gone. The descriptors are sent with the first byte
	// and still belong to the caller.
	Send(p []byte, fds []int) (n int, err error)

	// Wait waits until one of the wanted events has happened, or d has passed (negative: no limit), and returns the
	// events. It returns Woken after Wake, and Exited once the watched process has ended, even if not wanted.
	Wait(want Events, d time.Duration) (Events, error)

	// Wakeable prepares for Wake, which does nothing without it. It is called before the Wait that Wake is to end.
	Wakeable() error

	// Wake makes the current Wait, or else the next one, return Woken.
	Wake()

	// CloseWrite ends sending: the peer reads what was sent, then io.EOF. Receiving goes on.
	CloseWrite() error

	// Close ends both directions and every waiting call; these and all later calls return os.ErrClosed.
	Close() error
}

// Watcher is a Link that can report the end of a process, as Options.Process requires.
type Watcher interface {
	// Watch makes Wait return Exited once the process of pidfd has ended, pidfd_open(2). It is called before the first
	// Wait. pidfd is borrowed until Close.
	Watch(pidfd int)
}

// Lost says what Recv could not deliver: bytes of a packet (MSG_TRUNC), or descriptors (MSG_CTRUNC).
type Lost struct{ Data, FDs bool }

// Events are what Wait waits for and what it returns.
type Events uint8

// The events.
const (
	Readable Events = 1 << iota // Recv would not return unix.EAGAIN
	Writable                    // Send may find room
	Woken                       // Wake was called
	Exited                      // the watched process is gone
)

// CloseAll closes descriptors that were received with a message and are not needed.
func CloseAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// discard is CloseAll for descriptors that the peer chose: it does not wait long if close(2) blocks, as it can for a
// socket with SO_LINGER or on a remote file system.
func discard(fds []int) {
	if len(fds) == 0 {
		return
	}
	done := make(chan struct{})
	go func() {
		CloseAll(fds)
		close(done)
	}()
	// Not with a timer: the runtime needs a descriptor for its first one, and there may be none left.
	for range 500 {
		select {
		case <-done:
			return
		default:
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 200_000}, nil)
		}
	}
}
