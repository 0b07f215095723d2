package transport

import (
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
)

// unixLink is a Unix socket that does not use the runtime's poller: system calls never wait (MSG_DONTWAIT), and each
// wait is one ppoll(2) over the socket, the watched process and the eventfd that can wake it. So one thread serves a
// whole conversation, with no other descriptors.
type unixLink struct {
	fd      int
	packets bool
	refs    atomic.Int64 // calls in progress, plus closing after Close; the last call to leave closes the descriptors
	wake    atomic.Int64 // eventfd(2), or -1
	pid     int          // a pidfd, pidfd_open(2), borrowed; -1: none
	gone    atomic.Bool  // the process of pid has ended
	context atomic.Int64 // becomes readable when the context ends, borrowed; -1: none
	closed  atomic.Bool  // the descriptors are closed
	yields  atomic.Int32 // how many more waits may yield in vain, see poll
	recvOOB [controlSize]byte
}

const closing = 1 << 32

// controlSize is enough for the descriptors of any frame and for everything that socket options set by another process
// may add to a message: credentials, a pidfd, a security label, time stamps (unix(7), socket(7)). With less room the
// kernel would drop descriptors, cmsg(3).
const controlSize = unix.SizeofCmsghdr + (4*syncproto.MaxFDs+7)&^7 + 1024

// scmPIDFD is SCM_PIDFD, <linux/socket.h>: a pidfd of the sender, which the kernel adds if SO_PASSPIDFD is set.
const scmPIDFD = 0x04

// newUnixConn returns a Conn that owns a socket. Conn and link are allocated as one object.
func newUnixConn(fd int, packets bool) *Conn {
	c := &struct {
		Conn
		unixLink
	}{}
	l := &c.unixLink
	l.fd, l.packets, l.pid = fd, packets, -1
	l.yields.Store(maxYields)
	l.wake.Store(-1)
	l.context.Store(-1)
	c.link = l
	return &c.Conn
}

func (l *unixLink) Packets() bool { return l.packets }

// enter keeps the descriptors open during a call; ok is false once the link is closed.
func (l *unixLink) enter() (ok bool) {
	if l.refs.Add(1) < closing {
		return true
	}
	l.leave()
	return false
}

func (l *unixLink) leave() {
	if l.refs.Add(-1) == closing {
		l.release()
	}
}

// isClosing reports whether Close has been called during this call: errors of the socket then come from its shutdown.
func (l *unixLink) isClosing() bool { return l.refs.Load() >= closing }

func (l *unixLink) release() {
	if l.closed.Swap(true) {
		return
	}
	_ = unix.Close(l.fd)
	if fd := l.wake.Swap(-1); fd >= 0 {
		_ = unix.Close(int(fd))
	}
}

// Close also shuts the socket down if a call is in progress, which ends its wait.
func (l *unixLink) Close() error {
	for {
		n := l.refs.Load()
		if n >= closing {
			return os.ErrClosed
		}
		if !l.refs.CompareAndSwap(n, n+closing) {
			continue
		}
		if n == 0 {
			l.release()
			return nil
		}
		_ = unix.Shutdown(l.fd, unix.SHUT_RDWR)
		l.Wake()
		return nil
	}
}

func (l *unixLink) CloseWrite() error {
	if !l.enter() {
		return os.ErrClosed
	}
	defer l.leave()
	return os.NewSyscallError("shutdown", unix.Shutdown(l.fd, unix.SHUT_WR))
}

func (l *unixLink) Wakeable() error {
	if !l.enter() {
		return os.ErrClosed
	}
	defer l.leave()
	if l.wake.Load() >= 0 {
		return nil
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd2", err)
	}
	if !l.wake.CompareAndSwap(-1, int64(fd)) {
		_ = unix.Close(fd)
	}
	return nil
}

func (l *unixLink) Wake() {
	l.refs.Add(1) // even during Close: the descriptors stay open until this call has returned
	defer l.leave()
	if fd := l.wake.Load(); fd >= 0 {
		one := [8]byte{7: 1}
		_, _ = unix.Write(int(fd), one[:])
	}
}

// Watch is documented at Watcher.
func (l *unixLink) Watch(pidfd int) { l.pid = pidfd }

// wakeOnce makes Wait report Woken once fd becomes readable. It does so only once, because fd is not read. A negative
// fd stops that.
func (l *unixLink) wakeOnce(fd int) { l.context.Store(int64(fd)) }

// Recv is recvmsg(2) with SCM_RIGHTS. Descriptors are extracted before anything else is checked, because a packet
// without bytes may carry some.
func (l *unixLink) Recv(p []byte, fds []int) (int, []int, Lost, error) {
	if !l.enter() {
		return 0, fds, Lost{}, os.ErrClosed
	}
	defer l.leave()
	n, got, lost, err := l.recv(p, fds)
	if err == nil && (n > 0 || len(p) == 0 || len(got) > len(fds)) {
		return n, got, lost, nil
	}
	if l.isClosing() {
		return 0, got, lost, os.ErrClosed
	}
	if err != nil {
		return 0, got, lost, err
	}
	if !l.packets {
		return 0, got, lost, io.EOF
	}
	if !l.hungUp() {
		return 0, got, lost, nil // an empty packet
	}
	// Either this is the end, or a packet arrived between two checks of the kernel: it finds no packet, and then finds the
	// connection shut down (unix_dgram_recvmsg, net/unix/af_unix.c). Everything that the peer sent before its end is
	// queued now, so try once more.
	n, got, lost, err = l.recv(p, got)
	if err == nil && n == 0 && len(got) == len(fds) || err == unix.EAGAIN {
		err = io.EOF
	}
	return n, got, lost, err
}

func (l *unixLink) recv(p []byte, fds []int) (int, []int, Lost, error) {
	var msg unix.Msghdr
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	msg.Iov = &iov
	msg.SetIovlen(1)
	for {
		msg.Control = &l.recvOOB[0]
		msg.SetControllen(len(l.recvOOB))
		n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(l.fd), uintptr(unsafe.Pointer(&msg)),
			unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		switch errno {
		case 0:
			fds = appendRights(fds, l.recvOOB[:min(int(msg.Controllen), len(l.recvOOB))])
			return int(n), fds, Lost{Data: msg.Flags&unix.MSG_TRUNC != 0, FDs: msg.Flags&unix.MSG_CTRUNC != 0}, nil
		case unix.EINTR:
		default:
			return 0, fds, Lost{}, errno
		}
	}
}

// hungUp reports whether the peer has ended its sending.
func (l *unixLink) hungUp() bool {
	fds := [1]unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLRDHUP}}
	n, errno := ppoll(fds[:], 0)
	return errno != 0 || n > 0
}

// Send is sendmsg(2) with MSG_NOSIGNAL: a peer that is gone causes an error, not a SIGPIPE.
func (l *unixLink) Send(p []byte, fds []int) (int, error) {
	if !l.enter() {
		return 0, os.ErrClosed
	}
	defer l.leave()
	var msg unix.Msghdr
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	msg.Iov = &iov
	msg.SetIovlen(1)
	var few struct {
		unix.Cmsghdr
		fds [4]int32
	}
	switch {
	case len(fds) > len(few.fds):
		oob := unix.UnixRights(fds...)
		msg.Control = unsafe.SliceData(oob)
		msg.SetControllen(len(oob))
	case len(fds) > 0:
		few.Level, few.Type = unix.SOL_SOCKET, unix.SCM_RIGHTS
		few.SetLen(unix.CmsgLen(4 * len(fds)))
		for i, fd := range fds {
			few.fds[i] = int32(fd)
		}
		msg.Control = (*byte)(unsafe.Pointer(&few))
		msg.SetControllen(unix.CmsgSpace(4 * len(fds)))
	}
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(l.fd), uintptr(unsafe.Pointer(&msg)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch {
		case errno == 0:
			return int(n), nil
		case errno == unix.EINTR:
		case l.isClosing():
			return 0, os.ErrClosed
		default:
			return 0, errno
		}
	}
}

// Wait is one ppoll(2), after others had their turn; see poll.
func (l *unixLink) Wait(want Events, d time.Duration) (Events, error) {
	if !l.enter() {
		return 0, os.ErrClosed
	}
	defer l.leave()
	var fds [4]unix.PollFd
	fds[0].Fd = int32(l.fd)
	if want&Readable != 0 {
		fds[0].Events |= unix.POLLIN | unix.POLLRDHUP
	}
	if want&Writable != 0 {
		fds[0].Events |= unix.POLLOUT
	}
	wake, pid := int32(l.wake.Load()), int32(-1)
	if l.pid >= 0 && !l.gone.Load() {
		pid = int32(l.pid)
	}
	fds[1] = unix.PollFd{Fd: wake, Events: unix.POLLIN}
	fds[2] = unix.PollFd{Fd: pid, Events: unix.POLLIN}
	fds[3] = unix.PollFd{Fd: int32(l.context.Load()), Events: unix.POLLIN}
	// Not more of them than there are: ppoll(2) is EINVAL for more than RLIMIT_NOFILE, which a child may have lowered.
	count := len(fds)
	for count > 1 && fds[count-1].Fd < 0 {
		count--
	}
	n, errno := l.poll(fds[:count], d)
	if errno != 0 && errno != unix.EINTR {
		return 0, os.NewSyscallError("ppoll", errno)
	}
	if l.isClosing() {
		return 0, os.ErrClosed
	}
	if errno == unix.EINTR {
		n = 0
	}
	return l.eventsOf(&fds, n, want), nil
}

// maxYields is the number of waits that may yield in vain before a link no longer tries it.
const maxYields = 2

// poll is ppoll, but lets other goroutines run first: if the peer is one of them, that is all it waits for, and both
// sides take turns on one thread. If the peer turns out to be elsewhere, it stops trying.
func (l *unixLink) poll(fds []unix.PollFd, d time.Duration) (int, unix.Errno) {
	if d != 0 && l.yields.Load() > 0 && runtime.NumGoroutine() > 1 {
		// Twice, because the first time may only start the thread that takes the peer from this one's queue.
		for range 2 {
			runtime.Gosched()
			if n, errno := ppollRaw(fds, 0); n != 0 {
				l.yields.Store(maxYields)
				return n, errno
			}
		}
		l.yields.Add(-1)
	}
	return ppoll(fds, d)
}

func (l *unixLink) eventsOf(fds *[4]unix.PollFd, n int, want Events) (is Events) {
	if n == 0 {
		return 0
	}
	if r := fds[0].Revents; r != 0 {
		const in, out = unix.POLLIN | unix.POLLRDHUP, unix.POLLOUT
		const both = unix.POLLHUP | unix.POLLERR | unix.POLLNVAL
		if r&(in|both) != 0 {
			is |= Readable & want
		}
		if r&(out|both) != 0 {
			is |= Writable & want
		}
	}
	if fds[1].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(int(fds[1].Fd), count[:])
		is |= Woken
	}
	if fds[2].Revents != 0 {
		l.gone.Store(true)
		is |= Exited
	}
	if fds[3].Revents != 0 {
		l.context.Store(-1)
		is |= Woken
	}
	return is
}

// ppoll waits without involving the scheduler if this goroutine is the only one of the process: no other goroutine
// needs the processor, and handing it over costs futex calls and a thread. The raw call does not hold up the garbage
// collector or a goroutine that is started meanwhile: the runtime preempts by a signal, which ends ppoll with EINTR.
//
// The runtime does so every 10 ms (sysmon, forcePreemptNS), so a wait that turns out to be long is handed to the
// scheduler after all, and pays that cost once.
func ppoll(fds []unix.PollFd, d time.Duration) (int, unix.Errno) {
	if d == 0 {
		return ppollRaw(fds, 0)
	}
	for began, wait := time.Now(), d; runtime.NumGoroutine() == 1; {
		spent := time.Since(began)
		if wait >= 0 {
			d = max(wait-spent, 0)
		}
		brief := handOver() - spent
		if brief <= 0 {
			break
		}
		if d >= 0 && d <= brief {
			return ppollRaw(fds, d)
		}
		if n, errno := ppollRaw(fds, brief); n != 0 || errno != 0 && errno != unix.EINTR {
			return n, errno
		}
	}
	limit := timeout(d)
	n, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)),
		uintptr(unsafe.Pointer(limit)), 0, 0, 0)
	return int(n), errno
}

// handOver is how long a wait may last before it is handed to the scheduler. With more than one processor it is less
// than the 10 ms after which the runtime wakes a thread for a goroutine that it has preempted. It is computed once,
// because GOMAXPROCS takes a lock of the scheduler.
var handOver = sync.OnceValue(func() time.Duration {
	if runtime.GOMAXPROCS(0) == 1 {
		return time.Second
	}
	return 3 * time.Millisecond
})

func ppollRaw(fds []unix.PollFd, d time.Duration) (int, unix.Errno) {
	limit := timeout(d)
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)),
		uintptr(unsafe.Pointer(limit)), 0, 0, 0)
	return int(n), errno
}

// timeout converts d for ppoll(2); negative means no limit.
func timeout(d time.Duration) *unix.Timespec {
	if d < 0 {
		return nil
	}
	ts := unix.NsecToTimespec(d.Nanoseconds())
	return &ts
}

// cmsgAlign is the alignment of control messages: the size of a long, CMSG_ALIGN of <linux/socket.h> and, for 32-bit
// programs, CMSG_COMPAT_ALIGN of net/compat.h.
const cmsgAlign = int(unsafe.Sizeof(uintptr(0)))

// appendRights appends the descriptors of every SCM_RIGHTS message in oob, and closes descriptors of other messages.
// The kernel's data should be well-formed, but it is checked all the same.
func appendRights(fds []int, oob []byte) []int {
	for len(oob) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(oob)))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(oob) {
			break
		}
		for data := oob[unix.SizeofCmsghdr:size]; h.Level == unix.SOL_SOCKET && len(data) >= 4; data = data[4:] {
			fd := int(*(*int32)(unsafe.Pointer(unsafe.SliceData(data))))
			switch {
			case h.Type == unix.SCM_RIGHTS:
				fds = append(fds, fd)
			case h.Type == scmPIDFD && fd >= 0:
				_ = unix.Close(fd)
			}
		}
		oob = oob[min(len(oob), (size+cmsgAlign-1)&^(cmsgAlign-1)):]
	}
	return fds
}
