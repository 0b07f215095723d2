package signals

import (
	"math/bits"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Last is the highest number of a signal that can be caught, signal(7).
const Last = 64

// pending holds the signals that have arrived and were not taken, bit 0 for number 1. The handler sets the bits.
var pending uint64

// wakes are the eventfds that the handler writes to, by signal, from number 1 on.
var wakes [Last]int32

// Set is a set of signals.
type Set uint64

// SetOf returns the set of these signals.
func SetOf(all ...unix.Signal) (s Set) {
	for _, sig := range all {
		if sig >= 1 && sig <= Last {
			s |= 1 << (sig - 1)
		}
	}
	return s
}

// Has reports whether a signal is in the set.
func (s Set) Has(sig unix.Signal) bool { return s&SetOf(sig) != 0 }

// Next returns the lowest signal of the set, zero if it is empty, and the rest of the set.
func (s Set) Next() (unix.Signal, Set) {
	if s == 0 {
		return 0, 0
	}
	return unix.Signal(bits.TrailingZeros64(uint64(s)) + 1), s & (s - 1)
}

// Pending returns the signals of the set that have arrived and were not taken. Several arrivals of a signal before it
// is taken count as one.
func Pending(s Set) Set { return Set(atomic.LoadUint64(&pending)) & s }

// Take returns what Pending does, and takes those signals.
func Take(s Set) Set { return Set(atomic.AndUint64(&pending, ^uint64(s))) & s }

// Catch catches the signals of a set from now on. Each arrival makes fd, an eventfd(2), readable; fd is borrowed for
// the rest of the process's life. Catch also unblocks the signals on this thread.
func Catch(s Set, fd int) error {
	for rest := s; rest != 0; {
		var sig unix.Signal
		sig, rest = rest.Next()
		atomic.StoreInt32(&wakes[sig-1], int32(fd))
	}
	return catch(s)
}

// NewEventfd makes a descriptor for Catch. It must not be closed, because a handler may write to it at any time.
func NewEventfd() (int, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return fd, os.NewSyscallError("eventfd2", err)
}

// Wait waits until one of the descriptors is readable, and empties the first n of them, which are eventfds. It may
// return early.
func Wait(n int, fds ...int) error {
	set := make([]unix.PollFd, len(fds))
	for i, fd := range fds {
		set[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	if errno := poll(set); errno != 0 && errno != unix.EINTR {
		return os.NewSyscallError("ppoll", errno)
	}
	for _, p := range set[:n] {
		if p.Revents != 0 {
			var count [8]byte
			_, _ = unix.Read(int(p.Fd), count[:])
		}
	}
	return nil
}

// patience is how long poll blocks without telling Go's scheduler.
const patience = 20 * time.Millisecond

// poll does not tell Go's scheduler about a short wait if no other goroutine runs: that would cost a short command more
// than the wait itself. It does for a long wait, because otherwise the scheduler's monitor checks on it a hundred times
// a second.
func poll(set []unix.PollFd) unix.Errno {
	p, n := unsafe.Pointer(unsafe.SliceData(set)), uintptr(len(set))
	if runtime.NumGoroutine() == 1 {
		limit := unix.NsecToTimespec(patience.Nanoseconds())
		got, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(p), n, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
		if errno != 0 || got != 0 {
			return errno
		}
	}
	_, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(p), n, 0, 0, 0, 0)
	return errno
}
