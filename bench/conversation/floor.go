package main

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/transport"
)

// frame is one message of the conversation as the wire sees it.
type frame struct {
	Child bool // the child sends it
	Size  int  // header included
	FDs   int
}

// record holds the conversation once, in memory, and lists what passed.
func record(w *work, c codec.Codec) ([]frame, error) {
	a, b := transport.Memory(transport.SeqPacket, 0)
	var frames []frame
	h := handfast{codec: c, trace: func(e transport.Event) {
		if e.End == syncproto.Undecided {
			frames = append(frames, frame{!e.Sent, syncproto.HeaderSize + len(e.Payload), int(e.Header.NFDs)})
		}
	}}
	child := make(chan error, 1)
	go func() { child <- h.child(ends{conn: b}, w) }()
	err := h.parent(ends{conn: a}, w)
	return frames, errors.Join(err, <-child)
}

// floor moves the bytes and the descriptors of the conversation, in as many messages, and does nothing else: blocking sockets, one system call for each message on
// each side, no memory taken. The bytes mean nothing, and the check of them is left out of what is measured.
type floor struct {
	parentBuf, childBuf []byte
	parentMsg, childMsg message
}

// message is the argument of one sendmsg(2) or recvmsg(2), kept from call to call.
type message struct {
	header unix.Msghdr
	iov    unix.Iovec
	oob    [unix.SizeofCmsghdr + 8]byte
	fds    [1]int
}

func newFloor(w *work) *floor {
	largest := 0
	for _, f := range w.frames {
		largest = max(largest, f.Size)
	}
	return &floor{parentBuf: make([]byte, largest), childBuf: make([]byte, largest)}
}

func (f *floor) parent(e ends, w *work) error {
	return f.walk(e.fd, w, false, f.parentBuf, &f.parentMsg)
}

func (f *floor) child(e ends, w *work) error {
	return f.walk(e.fd, w, true, f.childBuf, &f.childMsg)
}

// walk goes through the frames: what is this side's it sends, what is the other's it waits for.
func (f *floor) walk(fd int, w *work, child bool, buf []byte, m *message) error {
	for i, fr := range w.frames {
		if fr.Child == child {
			if w.closely {
				fill(buf[:fr.Size], i)
			}
			if err := m.send(fd, buf[:fr.Size], fr.FDs, w.terminal); err != nil {
				return errors.Join(err, unix.Close(fd))
			}
			continue
		}
		got, err := m.receive(fd, buf[:fr.Size])
		if err == nil && fr.FDs > 0 {
			err = w.console(consolePath, got)
		}
		if err == nil && w.closely {
			err = check(buf[:fr.Size], i)
		}
		if err != nil {
			return errors.Join(err, unix.Close(fd))
		}
	}
	if child {
		return unix.Close(fd)
	}
	n, err := unix.Read(fd, buf[:1])
	if err == nil && n != 0 {
		err = errors.New("want end of file")
	}
	return errors.Join(err, unix.Close(fd))
}

// fill and check give each frame bytes of its own.
func fill(b []byte, frame int) {
	for i := range b {
		b[i] = byte(i*7 + frame)
	}
}

func check(b []byte, frame int) error {
	for i := range b {
		if b[i] != byte(i*7+frame) {
			return fmt.Errorf("byte %d of frame %d is %#x, want %#x", i, frame, b[i], byte(i*7+frame))
		}
	}
	return nil
}

func (m *message) point(p []byte) {
	m.iov.Base = unsafe.SliceData(p)
	m.iov.SetLen(len(p))
	m.header = unix.Msghdr{Iov: &m.iov, Iovlen: 1}
}

// send sends p whole; with fds not zero, fd rides along.
func (m *message) send(socket int, p []byte, fds, fd int) error {
	m.point(p)
	if fds > 0 {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&m.oob))
		h.Level, h.Type = unix.SOL_SOCKET, unix.SCM_RIGHTS
		h.SetLen(unix.SizeofCmsghdr + 4)
		*(*int32)(unsafe.Pointer(&m.oob[unix.SizeofCmsghdr])) = int32(fd)
		m.header.Control = &m.oob[0]
		m.header.SetControllen(len(m.oob))
	}
	n, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(socket), uintptr(unsafe.Pointer(&m.header)), unix.MSG_NOSIGNAL)
	if errno != 0 {
		return os.NewSyscallError("sendmsg", errno)
	}
	if int(n) != len(p) {
		return fmt.Errorf("sendmsg took %d of %d bytes", n, len(p))
	}
	return nil
}

// receive fills p, and returns the descriptor that came along, in the message's own memory.
func (m *message) receive(socket int, p []byte) (fds []int, err error) {
	for got := 0; got < len(p); {
		m.point(p[got:])
		m.header.Control = &m.oob[0]
		m.header.SetControllen(len(m.oob))
		n, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(socket), uintptr(unsafe.Pointer(&m.header)), unix.MSG_CMSG_CLOEXEC)
		switch {
		case errno == unix.EINTR:
			continue
		case errno != 0:
			return fds, os.NewSyscallError("recvmsg", errno)
		case n == 0:
			return fds, errors.New("end of file in the middle")
		}
		if m.header.Controllen >= unix.SizeofCmsghdr+4 {
			m.fds[0] = int(*(*int32)(unsafe.Pointer(&m.oob[unix.SizeofCmsghdr])))
			fds = m.fds[:]
		}
		got += int(n)
	}
	return fds, nil
}
