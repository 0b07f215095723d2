package transport

import (
	"errors"
	"io"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tail is a Link for a process that may make almost no system calls any more: under a seccomp(2) filter written by
// somebody else, sendmsg, recvmsg, ppoll and fcntl may be refused, trapped, or handed to a supervisor that waits for
// this very conversation. It uses two system calls, read(2) and write(2), and close(2) at the end. It carries no
// descriptors, and its calls wait, so no deadline bounds them. (Go's runtime itself needs futex, nanosleep,
// sched_yield, mmap, munmap, madvise, rt_sigprocmask, rt_sigreturn, sigaltstack, getpid, tgkill and exit_group.)
//
// A write to a peer that is gone raises SIGPIPE, which Go ignores on descriptors above 2, and fails with EPIPE.
type tail struct {
	fd      int
	packets bool
}

// errTailFDs is the error for descriptors, which only sendmsg(2) can send.
var errTailFDs = errors.New("a tail carries no descriptors: they go with sendmsg(2), which may be forbidden now")

// Tail turns c, a blocking Unix socket (Take, Adopt), into one that uses only read(2) and write(2). Descriptors that
// the peer sends from then on are lost, so a frame that announces any is refused.
func (c *Conn) Tail() error {
	l, ok := c.link.(*unixLink)
	if !ok {
		return errors.New("only a Unix socket (Take, Adopt) can become a tail")
	}
	c.link = &tail{fd: l.fd, packets: l.packets}
	return nil
}

// Packets reports whether one write is one read.
func (t *tail) Packets() bool { return t.packets }

// Recv waits.
func (t *tail) Recv(p []byte, fds []int) (int, []int, Lost, error) {
	for {
		switch n, errno := t.call(unix.SYS_READ, p); {
		case errno == unix.EINTR:
		case errno != 0:
			return 0, fds, Lost{}, errno
		case n == 0:
			return 0, fds, Lost{}, io.EOF
		default:
			return n, fds, Lost{}, nil
		}
	}
}

// Send waits.
func (t *tail) Send(p []byte, fds []int) (int, error) {
	if len(fds) > 0 {
		return 0, errTailFDs
	}
	for {
		switch n, errno := t.call(unix.SYS_WRITE, p); errno {
		case 0:
			return n, nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// call is read(2) or write(2). In a process with a single goroutine it does not inform the scheduler, as in ppoll: what
// the scheduler would do for other goroutines, such as starting a thread, may be forbidden to this process.
func (t *tail) call(trap uintptr, p []byte) (int, unix.Errno) {
	var n uintptr
	var errno unix.Errno
	if runtime.NumGoroutine() == 1 {
		n, _, errno = unix.RawSyscall(trap, uintptr(t.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	} else {
		n, _, errno = unix.Syscall(trap, uintptr(t.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	}
	return int(n), errno
}

// Wait returns at once: Recv and Send wait themselves.
func (t *tail) Wait(want Events, _ time.Duration) (Events, error) { return want, nil }

// Wakeable does nothing: nothing wakes a tail but its peer.
func (t *tail) Wakeable() error { return nil }

// Wake does nothing.
func (t *tail) Wake() {}

// CloseWrite is SHUT_WR.
func (t *tail) CloseWrite() error {
	return os.NewSyscallError("shutdown", unix.Shutdown(t.fd, unix.SHUT_WR))
}

// Close closes the socket.
func (t *tail) Close() error {
	if t.fd < 0 {
		return os.ErrClosed
	}
	fd := t.fd
	t.fd = -1
	return os.NewSyscallError("close", unix.Close(fd))
}
