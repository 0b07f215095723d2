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

// Last is the highest number of a signal that is collected, signal(7).
const Last = 64

// pending are the signals that have arrived and were not taken, bit 0 for number 1. The handler sets them.
var pending uint64

// wakes are the eventfds that the handler writes to, by signal, from number 1 on.
var wakes [Last]int32

// Set is a set of signals.
type Set uint64

// SetOf is the set of some signals.
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

// Next is the lowest signal of the set, zero for none, and the rest of it.
func (s Set) Next() (unix.Signal, Set) {
	if s == 0 {
		return 0, 0
	}
	return unix.Signal(bits.TrailingZeros64(uint64(s)) + 1), s & (s - 1)
}

// Pending are those of the set that have arrived and were not taken. Signals of one number that arrive before they are
// taken count as one.
func Pending(s Set) Set { return Set(atomic.LoadUint64(&pending)) & s }

// Take is Pending, and takes them.
func Take(s Set) Set { return Set(atomic.AndUint64(&pending, ^uint64(s))) & s }

// Catch has the signals of a set collected from now on. Each that arrives makes fd, an eventfd(2), readable; fd is
// borrowed for as long as the process lives. A signal that this thread blocks is blocked no longer.
func Catch(s Set, fd int) error {
	for rest := s; rest != 0; {
		var sig unix.Signal
		sig, rest = rest.Next()
		atomic.StoreInt32(&wakes[sig-1], int32(fd))
	}
	return catch(s)
}

// NewEventfd makes a descriptor for Catch. It is not closed: a handler may write to it as long as the process lives.
func NewEventfd() (int, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return fd, os.NewSyscallError("eventfd2", err)
}

// Wait waits until one of the descriptors can be read, and empties those of them that are eventfds, which are given
// first, n of them. It may return before.
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

// patience is how long poll keeps the processor of Go's scheduler.
const patience = 20 * time.Millisecond

// poll waits without the scheduler at first where this goroutine is alone: to hand the processor over and take it back
// costs a short command more than all of its wait. A long wait must not do so, for the scheduler's monitor looks at it
// a hundred times a second.
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
