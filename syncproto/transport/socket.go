package transport

import (
	"time"

	"golang.org/x/sys/unix"
)

// socket is what framing needs of a connection: one message in, one message out. Two files carry it out: unix.go with the kernel, memory.go without.
type socket interface {
	// recv reads at most len(p) bytes; n zero with a nil error is end of file. Descriptors that came along are appended to fds whatever else happens, and the
	// caller owns them. cut says that the kernel dropped bytes of the packet, or descriptors.
	recv(p []byte, fds []int) (n int, got []int, cut cut, err error)
	// send writes p, or the first n bytes of it. The descriptors go with its first byte; they stay the caller's.
	send(p []byte, fds []int) (n int, err error)
	// sendNow is send that never waits: unix.EAGAIN where nothing fits, whatever the deadline.
	sendNow(p []byte, fds []int) (n int, err error)
	setReadDeadline(t time.Time) error
	setWriteDeadline(t time.Time) error
	shutdownWrite() error
	close() error
}

// cut says what recv could not deliver.
type cut struct{ data, fds bool }

// CloseAll closes descriptors that a frame brought and nobody wants.
func CloseAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
