package transport

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
)

// control is room for the control message of MaxFDs descriptors, the most that the kernel puts into one (SCM_MAX_FD), and for nothing else: a buffer that has
// room for less would have the kernel drop descriptors, cmsg(3).
const controlSize = unix.SizeofCmsghdr + (4*syncproto.MaxFDs+7)&^7

// messenger is the part of both kernel sockets that is the same: recvmsg(2) and sendmsg(2) with SCM_RIGHTS, unix(7).
type messenger struct {
	oob [controlSize]byte
}

// recvmsg reads once. Descriptors are parsed out before anything else is looked at: a packet without bytes may carry some.
func (m *messenger) recvmsg(fd int, p []byte, fds []int) (int, []int, cut, error) {
	n, oobn, flags, err := recvmsgRaw(fd, p, m.oob[:], unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, fds, cut{}, err
	}
	fds = appendRights(fds, m.oob[:oobn])
	return n, fds, cut{data: flags&unix.MSG_TRUNC != 0, fds: flags&unix.MSG_CTRUNC != 0}, nil
}

// recvmsgRaw is recvmsg(2) without a name and without the dummy byte that unix.Recvmsg adds.
func recvmsgRaw(fd int, p, oob []byte, flags int) (n, oobn, recvflags int, err error) {
	var msg unix.Msghdr
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	msg.Iov = &iov
	msg.SetIovlen(1)
	msg.Control = unsafe.SliceData(oob)
	msg.SetControllen(len(oob))
	r, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), uintptr(flags))
	if errno != 0 {
		return 0, 0, 0, errno
	}
	return int(r), int(msg.Controllen), int(msg.Flags), nil
}

// sendmsg writes once, with MSG_NOSIGNAL: a peer that is gone is an error here, not a SIGPIPE. unix.SendmsgN would do, but takes memory for every call.
func (m *messenger) sendmsg(fd int, p []byte, fds []int, flags int) (int, error) {
	var msg unix.Msghdr
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	msg.Iov = &iov
	msg.SetIovlen(1)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
		msg.Control = unsafe.SliceData(oob)
		msg.SetControllen(len(oob))
	}
	n, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), uintptr(unix.MSG_NOSIGNAL|flags))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// appendRights appends the descriptors of every SCM_RIGHTS message in oob. What the kernel wrote is trusted in form, and checked all the same.
func appendRights(fds []int, oob []byte) []int {
	for len(oob) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(oob)))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(oob) {
			break
		}
		if h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_RIGHTS {
			for data := oob[unix.SizeofCmsghdr:size]; len(data) >= 4; data = data[4:] {
				fds = append(fds, int(*(*int32)(unsafe.Pointer(unsafe.SliceData(data)))))
			}
		}
		oob = oob[min(len(oob), (size+7)&^7):]
	}
	return fds
}

// polled is a nonblocking socket on the runtime's poller: the parent's end. One goroutine may read while another writes, so each has a call of its own; the two functions are made
// once, for a closure would be made anew for every frame.
type polled struct {
	messenger
	f        *os.File
	rc       syscall.RawConn
	reading  call
	writing  call
	tryRead  func(fd uintptr) (done bool)
	tryWrite func(fd uintptr) (done bool)
	write    func(fd uintptr)
}

// call is one system call's arguments and results.
type call struct {
	p   []byte
	fds []int
	n   int
	cut cut
	err error
}

// newPolled takes fd, makes it nonblocking and gives it to the poller.
func newPolled(fd int) (*polled, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(fd), "handshake socket")
	rc, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &polled{f: f, rc: rc}
	s.tryRead, s.tryWrite = s.readOnce, s.writeOnce
	s.write = func(fd uintptr) { s.writeOnce(fd) }
	return s, nil
}

func (s *polled) readOnce(fd uintptr) (done bool) {
	c := &s.reading
	for c.err = unix.EINTR; c.err == unix.EINTR; {
		c.n, c.fds, c.cut, c.err = s.recvmsg(int(fd), c.p, c.fds)
	}
	return c.err != unix.EAGAIN
}

func (s *polled) writeOnce(fd uintptr) (done bool) {
	c := &s.writing
	for c.err = unix.EINTR; c.err == unix.EINTR; {
		c.n, c.err = s.sendmsg(int(fd), c.p, c.fds, 0)
	}
	return c.err != unix.EAGAIN
}

func (s *polled) recv(p []byte, fds []int) (int, []int, cut, error) {
	s.reading = call{p: p, fds: fds}
	e := s.rc.Read(s.tryRead)
	c := s.reading
	s.reading = call{}
	if e != nil {
		return 0, c.fds, c.cut, waitError(e)
	}
	return c.n, c.fds, c.cut, c.err
}

func (s *polled) send(p []byte, fds []int) (int, error) {
	s.writing = call{p: p, fds: fds}
	e := s.rc.Write(s.tryWrite)
	return s.sent(e)
}

// sendNow is send where there is room, and unix.EAGAIN where there is none; a deadline that has passed does not keep it from trying.
func (s *polled) sendNow(p []byte, fds []int) (int, error) {
	s.writing = call{p: p, fds: fds}
	e := s.rc.Control(s.write)
	return s.sent(e)
}

func (s *polled) sent(e error) (int, error) {
	c := s.writing
	s.writing = call{}
	if e != nil {
		return 0, waitError(e)
	}
	return c.n, c.err
}

// waitError is an error of the runtime's poller: a deadline that passed, or else a file that was closed, for which RawConn has a value of its own.
func waitError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return os.ErrClosed
}

func (s *polled) setReadDeadline(t time.Time) error  { return s.f.SetReadDeadline(t) }
func (s *polled) setWriteDeadline(t time.Time) error { return s.f.SetWriteDeadline(t) }
func (s *polled) close() error                       { return s.f.Close() }

func (s *polled) shutdownWrite() (err error) {
	if e := s.rc.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_WR) }); e != nil {
		return e
	}
	return err
}

// blocking is a blocking socket without the runtime's poller: the child's end. The child is single-minded, lives for a millisecond, and must not
// leave an epoll descriptor behind; its deadlines are ppoll(2).
type blocking struct {
	messenger
	fd          int
	read, write atomic.Int64 // deadlines in nanoseconds since 1970; zero: none
}

// slice is the longest that a wait with a deadline sleeps at once: so a deadline that another goroutine moves (a context is cancelled) is seen.
const slice = 50 * time.Millisecond

func (s *blocking) wait(events int16, deadline *atomic.Int64) error {
	for {
		at := deadline.Load()
		if at == 0 {
			return nil
		}
		left := time.Until(time.Unix(0, at))
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		ts := unix.NsecToTimespec(min(left, slice).Nanoseconds())
		n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(s.fd), Events: events}}, &ts, nil)
		if n > 0 || err != nil && err != unix.EINTR {
			return err
		}
	}
}

func (s *blocking) recv(p []byte, fds []int) (n int, got []int, c cut, err error) {
	if err := s.wait(unix.POLLIN, &s.read); err != nil {
		return 0, fds, cut{}, err
	}
	for {
		n, got, c, err = s.recvmsg(s.fd, p, fds)
		if err != unix.EINTR {
			return n, got, c, err
		}
	}
}

func (s *blocking) send(p []byte, fds []int) (int, error) {
	for {
		if err := s.wait(unix.POLLOUT, &s.write); err != nil {
			return 0, err
		}
		// Room for a byte is no room for the whole frame: with a deadline the wait is ppoll's alone.
		flags := 0
		if s.write.Load() != 0 {
			flags = unix.MSG_DONTWAIT
		}
		n, err := s.sendmsg(s.fd, p, fds, flags)
		if err != unix.EINTR && err != unix.EAGAIN {
			return n, err
		}
	}
}

func (s *blocking) sendNow(p []byte, fds []int) (n int, err error) {
	for err = unix.EINTR; err == unix.EINTR; {
		n, err = s.sendmsg(s.fd, p, fds, unix.MSG_DONTWAIT)
	}
	return n, err
}

func (s *blocking) setReadDeadline(t time.Time) error  { s.read.Store(nanos(t)); return nil }
func (s *blocking) setWriteDeadline(t time.Time) error { s.write.Store(nanos(t)); return nil }

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
func (s *blocking) shutdownWrite() error { return unix.Shutdown(s.fd, unix.SHUT_WR) }

func (s *blocking) close() error {
	if s.fd < 0 {
		return os.ErrClosed
	}
	fd := s.fd
	s.fd = -1
	return unix.Close(fd)
}
