package transport

import (
	"time"

	"golang.org/x/sys/unix"
)

// Link is what carries the bytes of frames and the descriptors that ride with them: a Unix socket (Take, Adopt), or
// whatever a user of this package has instead. Package transporttest holds any Link to this contract.
//
// Only Wait waits. One goroutine may be in Recv, another in Send, and any in Wait; Wake and Close may be called by
// any goroutine at any time.
type Link interface {
	// Packets reports that one Send is one Recv, as with SOCK_SEQPACKET. Otherwise the bytes are a stream.
	Packets() bool

	// Recv takes what has arrived, at most len(p) bytes: of a stream some, of packets one, cut where it is longer.
	// unix.EAGAIN is that nothing has, io.EOF that nothing ever will, unix.ECONNRESET that the peer has closed its
	// end with something unread, after which Recv goes on. Zero bytes without an error are an empty packet.
	// The descriptors that came along are appended to fds whatever else happens, and are the caller's, FD_CLOEXEC
	// set. Of a stream, Recv returns no bytes from behind those that brought descriptors.
	Recv(p []byte, fds []int) (n int, got []int, lost Lost, err error)

	// Send sends p, or the first n bytes of it, a packet whole or not at all. unix.EAGAIN is that there is no room
	// now, unix.EPIPE or unix.ECONNRESET that the peer is gone. The descriptors go with the first byte and stay the
	// caller's.
	Send(p []byte, fds []int) (n int, err error)

	// Wait waits until one of what is wanted has happened, or d has passed (negative: no bound), and says what has.
	// It returns Woken after Wake, and Exited once the watched process is gone, wanted or not.
	Wait(want Events, d time.Duration) (Events, error)

	// Wakeable prepares for Wake; without it Wake does nothing. It is called before the Wait that is to be woken.
	Wakeable() error

	// Wake makes the present Wait, or else the next one, return Woken.
	Wake()

	// CloseWrite ends the sending: the peer reads what was sent, then io.EOF. Receiving goes on.
	CloseWrite() error

	// Close ends both, and every call that waits: os.ErrClosed, as every later call returns.
	Close() error
}

// Watcher is what a Link is that can report the end of a process, for Options.Process.
type Watcher interface {
	// Watch has Wait return Exited once the process of pidfd has ended, pidfd_open(2). It is called before the first
	// Wait, and pidfd is borrowed until Close.
	Watch(pidfd int)
}

// Lost says what Recv could not deliver: bytes of a packet (MSG_TRUNC), or descriptors (MSG_CTRUNC).
type Lost struct{ Data, FDs bool }

// Events are what Wait waits for, and what has happened.
type Events uint8

// The events.
const (
	Readable Events = 1 << iota // Recv would not return unix.EAGAIN
	Writable                    // Send may find room
	Woken                       // Wake was called
	Exited                      // the watched process is gone
)

// CloseAll closes descriptors that came with a message and are not wanted.
func CloseAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// discard is CloseAll for descriptors that the peer chose: it does not wait for what close(2) may wait for, a socket
// with SO_LINGER or a file system that has to be asked.
func discard(fds []int) {
	if len(fds) == 0 {
		return
	}
	done := make(chan struct{})
	go func() {
		CloseAll(fds)
		close(done)
	}()
	// Not by a timer: the runtime would need a descriptor for its first one, and there may be none left.
	for range 500 {
		select {
		case <-done:
			return
		default:
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 200_000}, nil)
		}
	}
}
