package smallchild

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
)

// What the small child and its parent say to each other, as Interpret does it. docs/protocol.md has the frames.

const closeOnExec = 1 // FD_CLOEXEC

// adopt takes the socket and closes all descriptors behind it. It reports whether there is a socket.
func (m *machine) adopt() bool {
	socket := m.reg(Socket)
	if m.call(unix.SYS_FCNTL, socket, unix.F_SETFD, closeOnExec) != 0 ||
		m.sockopt(unix.SO_DOMAIN) != unix.AF_UNIX || m.sockopt(unix.SO_TYPE) != unix.SOCK_SEQPACKET {
		return false
	}
	m.call(unix.SYS_CLOSE_RANGE, socket+1, 1<<32-1, 0)
	return !m.ended
}

// sockopt returns the value of an option of the socket.
func (m *machine) sockopt(name uint64) uint32 {
	m.store32(option, 0)
	m.store32(option+8, 4)
	m.call(unix.SYS_GETSOCKOPT, m.reg(Socket), unix.SOL_SOCKET, name, option, option+8)
	return m.load32(option)
}

// send sends the frame at an address, with length bytes of payload behind room for the header. re is the number of the
// frame to which it replies.
func (m *machine) send(frame, length uint64, kind syncproto.Kind, re uint64) bool {
	m.writeHeader(frame, length, kind, re)
	return m.call(unix.SYS_SENDTO, m.reg(Socket), frame, length+syncproto.HeaderSize, unix.MSG_NOSIGNAL, 0, 0) >= 0
}

func (m *machine) writeHeader(frame, length uint64, kind syncproto.Kind, re uint64) {
	m.setReg(regSent, m.reg(regSent)+1)
	b := append(m.at(frame, syncproto.HeaderSize)[:0], 'S', 'Y', 1, byte(kind), 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(m.reg(regSent)))
	b = binary.BigEndian.AppendUint16(b, uint16(re))
	binary.BigEndian.AppendUint32(append(b, 0, 0), uint32(length))
}

// compose puts a payload together where say and last expect it, and returns its length.
func (m *machine) compose(parts ...[]byte) (length uint64) {
	for _, p := range parts {
		to := m.at(out+syncproto.HeaderSize+length, uint64(len(p)))
		length += uint64(copy(to, p))
	}
	return length
}

// last sends the payload that was composed as an ERROR, and ends the process. It uses write(2), because a filter that
// has been loaded may allow nothing else.
func (m *machine) last(length uint64) {
	m.writeHeader(out, length, syncproto.KindError, 0)
	m.call(unix.SYS_WRITE, m.reg(Socket), out, length+syncproto.HeaderSize)
	m.die()
}

func (m *machine) die() { m.call(unix.SYS_EXIT_GROUP, 1) }

// fail gives up.
func (m *machine) fail() {
	m.setReg(regPlace, uint64(m.place))
	m.last(m.compose([]byte(failedBefore), decimal(m.reg(regPlace)), []byte(" "), decimal(m.reg(regErrno)),
		[]byte(failedBehind)))
}

func decimal(n uint64) []byte { return strconv.AppendUint(nil, n, 10) }

// frame is what the child knows of a received frame. Its payload has length bytes.
type frame struct {
	kind   syncproto.Kind
	more   bool
	fds    int
	re     uint16
	length uint64
}

// receive takes the next frame and puts its payload at an address, where there is room for frameSize bytes. ok is false
// at the end of the conversation, and for what is no frame.
func (m *machine) receive(to uint64) (f frame, ok bool) {
	for n, v := range [...]uint64{header, syncproto.HeaderSize, to, frameSize} {
		m.store64(vector+8*uint64(n), v)
	}
	size := -int64(unix.EINTR)
	for size == -int64(unix.EINTR) && !m.ended {
		// struct msghdr: no address, two parts, room for control messages, no flags
		for n, v := range [...]uint64{0, 0, vector, 2, control, controlSize, 0} {
			m.store64(messageHeader+8*uint64(n), v)
		}
		size = m.call(unix.SYS_RECVMSG, m.reg(Socket), messageHeader, unix.MSG_CMSG_CLOEXEC)
	}
	h := m.at(header, syncproto.HeaderSize)
	if m.ended || size < syncproto.HeaderSize || m.load32(messageHeader+48)&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 ||
		string(h[:3]) != "SY\x01" {
		return f, false
	}
	m.setReg(regTaken, m.reg(regTaken)+1)
	be := binary.BigEndian
	f = frame{syncproto.Kind(h[3]), h[4]&1 != 0, int(h[5]), be.Uint16(h[8:]), uint64(size) - syncproto.HeaderSize}
	fds, ok := m.descriptors()
	ok = ok && fds == uint64(f.fds) && be.Uint16(h[6:]) == uint16(m.reg(regTaken)) && uint64(be.Uint32(h[12:])) == f.length
	return f, ok
}

// descriptors returns how many descriptors came with a frame. ok is false if something else did.
func (m *machine) descriptors() (n uint64, ok bool) {
	const head = 16 // of a control message: length, level and kind
	if m.load64(messageHeader+40) == 0 {
		return 0, true
	}
	if m.load32(control+8) != unix.SOL_SOCKET || m.load32(control+12) != unix.SCM_RIGHTS {
		return 0, false
	}
	return (m.load64(control) - head) / 4 & (1<<32 - 1), true
}

// greet takes HELLO and says HELLO_ACK, and reports whether the parent is the one that is expected.
func (m *machine) greet(g greeting) bool {
	f, ok := m.receive(in)
	if !ok || f.kind != syncproto.KindHello || !bytes.Contains(m.at(in, f.length), []byte(g.expected)) {
		return false
	}
	pid := m.call(unix.SYS_GETPID)
	return m.send(out, m.compose([]byte(g.before), decimal(uint64(pid)), []byte(g.behind)), syncproto.KindHelloAck, 1)
}

// takeProgram takes CONFIG with its descriptors, and confirms it.
func (m *machine) takeProgram() bool {
	size := uint64(0)
	for more := true; more; {
		if size > maxConfig {
			return false
		}
		f, ok := m.receive(configBase + size)
		if !ok || f.kind != syncproto.KindConfig || size == 0 && f.fds > int(maxFDs) {
			return false
		}
		if size == 0 {
			for n := range f.fds {
				m.setReg(firstFD+Reg(n), uint64(m.load32(control+16+4*uint64(n))))
			}
		}
		size, more = size+f.length, f.more
	}
	return m.confirm(configBase, size)
}

// confirm says CONFIG_OK of a configuration.
func (m *machine) confirm(config, size uint64) bool {
	m.store64(config+size, 0)
	d := digest(m.at(config, (size+7)&^7), size)
	var number []byte // in MessagePack
	switch size := uint32(size); {
	case size < 128:
		number = []byte{byte(size)}
	case size < 256:
		number = []byte{0xcc, byte(size)}
	case size < 1<<16:
		number = binary.BigEndian.AppendUint16([]byte{0xcd}, uint16(size))
	default:
		number = binary.BigEndian.AppendUint32([]byte{0xce}, size)
	}
	n := m.compose([]byte("\x82\xa4size"), number, fmt.Appendf([]byte("\xa6digest\xb0"), "%016x", d))
	return m.send(out, n, syncproto.KindConfigOK, m.reg(regTaken))
}

// sendAlong is send for a request with a descriptor.
func (m *machine) sendAlong(frame, length, fd uint64) bool {
	const size = 20 // of the control message
	m.writeHeader(frame, length, syncproto.KindRequest, 0)
	m.at(frame, syncproto.HeaderSize)[5] = 1
	m.store64(vector, frame)
	m.store64(vector+8, length+syncproto.HeaderSize)
	for n, v := range [...]uint64{size, unix.SCM_RIGHTS<<32 | unix.SOL_SOCKET, fd} {
		m.store64(control+8*uint64(n), v)
	}
	for n, v := range [...]uint64{0, 0, vector, 1, control, (size + 7) &^ 7} {
		m.store64(messageHeader+8*uint64(n), v)
	}
	return m.call(unix.SYS_SENDMSG, m.reg(Socket), messageHeader, unix.MSG_NOSIGNAL) >= 0
}

// request sends a request whose payload stands behind room for a header, with a descriptor unless that is zero, and
// waits for the reply.
func (m *machine) request(frame, length, fd, reply uint64, size uint32) outcome {
	sent := false
	if fd == 0 {
		sent = m.send(frame, length, syncproto.KindRequest, 0)
	} else {
		sent = m.sendAlong(frame, length, fd)
	}
	if !sent {
		return m.died()
	}
	f, ok := m.receive(in)
	switch {
	case !ok:
		return m.died()
	case f.kind == syncproto.KindCancel:
		m.last(m.compose([]byte(cancelledText)))
		return end
	case f.kind != syncproto.KindReply || f.re != uint16(m.reg(regSent)) || uint32(f.length) != size ||
		!bytes.Equal(m.at(reply, f.length), m.at(in, f.length)):
		return m.died()
	}
	return goOn
}

// died ends the child without a word.
func (m *machine) died() outcome {
	m.die()
	return end
}

// word sends EXEC.
func (m *machine) word() outcome {
	if !m.send(out, 0, syncproto.KindExec, 0) {
		return m.died()
	}
	return goOn
}

// checkParent ends the child if the parent has closed its end of the socket.
func (m *machine) checkParent() outcome {
	m.store64(option, m.reg(Socket)) // struct pollfd, without events
	if m.poll(option) == 1 && m.load32(option+4)>>16&unix.POLLHUP != 0 {
		return m.died()
	}
	return goOn
}

// gate waits at the gate for a parent that speaks as it should, or for a signal.
func (m *machine) gate(i *encoded) outcome {
	m.setReg(regGate, i.args[0])
	m.setReg(regSignals, i.args[2])
	m.call(unix.SYS_CLOSE, m.reg(Socket))
	for !m.ended {
		if m.signalled() {
			return end
		}
		fd := m.call(unix.SYS_ACCEPT4, m.reg(regGate), 0, 0, unix.SOCK_CLOEXEC)
		switch {
		case fd == -int64(unix.EINTR) || fd == -int64(unix.ECONNABORTED):
			continue
		case fd < 0:
			return m.result(i, fd)
		}
		m.setReg(Socket, uint64(fd))
		m.setReg(regSent, 0)
		m.setReg(regTaken, 0)
		if m.admit(signed(i.literal[1])) {
			m.call(unix.SYS_CLOSE, m.reg(regGate))
			return goOn
		}
		m.call(unix.SYS_CLOSE, m.reg(Socket))
	}
	return end
}

// signalled waits until somebody connects to the gate, or until a signal has arrived, with which it ends the child as
// if the signal had ended it: its status is 128 and the number of the signal.
func (m *machine) signalled() bool {
	const in32 = unix.POLLIN << 32 // the events of a struct pollfd
	ready := -int64(unix.EINTR)
	for ready == -int64(unix.EINTR) && !m.ended {
		m.store64(option, m.reg(regGate)&0xffffffff|in32)
		m.store64(option+8, m.reg(regSignals)&0xffffffff|in32)
		ready = m.wait(option, 2)
	}
	const size = 128 // of struct signalfd_siginfo, which begins with the number
	if ready < 0 || m.load32(option+12)>>16 == 0 || m.call(unix.SYS_READ, m.reg(regSignals), in, size) != size {
		return m.ended
	}
	m.call(unix.SYS_EXIT_GROUP, uint64(128+m.load32(in)))
	return true
}

// admit greets who has connected to the gate. Whoever connects and then says nothing must not keep out the next one.
func (m *machine) admit(table uint64) bool {
	m.store64(option, GateSeconds)
	m.store64(option+8, 0)
	if m.call(unix.SYS_SETSOCKOPT, m.reg(Socket), unix.SOL_SOCKET, unix.SO_RCVTIMEO, option, 16) != 0 {
		return false
	}
	text := func(n uint64) string { return string(m.at(m.load64(table+16*n), m.load64(table+16*n+8))) }
	if !m.greet(greeting{text(0), text(1), text(2)}) {
		return false
	}
	f, ok := m.receive(in)
	return ok && f.kind == syncproto.KindConfig && !f.more && m.confirm(in, f.length)
}

// report sends an ERROR: a text, that of the last errno, and another text. A table has the texts of errnos.
func (m *machine) report(before, beforeSize, behind, behindSize, table uint64) {
	for ; !m.ended; table += 16 {
		if e := m.load32(table); e == 0 || e == uint32(m.reg(regErrno)) {
			break
		}
	}
	text := m.at(m.load64(table+8), uint64(m.load32(table+4)))
	m.last(m.compose(m.at(before, beforeSize), text, m.at(behind, behindSize)))
}
