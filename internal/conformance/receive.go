package conformance

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
)

var errEnd = errors.New("end of file came")

// receive reads one frame, closes its descriptors, and makes the checks that apply to every frame.
func (p *player) receive() (*frame, error) {
	buf := make([]byte, syncproto.HeaderSize+syncproto.MaxFrame)
	var fds int
	var b []byte
	var err error
	if p.packet {
		b, fds, err = p.read(buf)
		if err == nil && len(b) == 0 && fds == 0 {
			b, fds, err = p.read(buf) // the end may be seen before a last packet
		}
		if err == nil && len(b) == 0 && fds > 0 {
			return nil, errors.New("an empty packet with descriptors came")
		}
		if err == nil && len(b) == 0 {
			err = errEnd
		}
	} else {
		b, fds, err = p.readStream(buf)
	}
	if err != nil {
		return nil, err
	}
	h, err := syncproto.ParseHeader(b)
	if err != nil {
		return nil, err
	}
	p.received++
	switch {
	case h.Seq != p.received:
		return nil, fmt.Errorf("%s has the sequence number %d, want %d", h.Kind, h.Seq, p.received)
	case int(h.Length) != len(b)-syncproto.HeaderSize:
		return nil, fmt.Errorf("%s says %d bytes of payload, %d came", h.Kind, h.Length, len(b)-syncproto.HeaderSize)
	case int(h.NFDs) != fds:
		return nil, fmt.Errorf("%s says %d descriptors, %d came", h.Kind, h.NFDs, fds)
	case p.failed && h.Re == 0:
		return nil, fmt.Errorf("%s came after ERROR", h.Kind)
	case p.committed && h.Kind != syncproto.KindError:
		return nil, fmt.Errorf("%s came after EXEC", h.Kind)
	}
	if err := (syncproto.DefaultLimits()).Check(h); err != nil {
		return nil, err
	}
	switch {
	case h.Kind == syncproto.KindRequest:
		p.lastRequestSeq = h.Seq
	case h.Kind == syncproto.KindExec && h.Length > 0:
		return nil, errors.New("EXEC has a payload")
	case h.Kind == syncproto.KindExec:
		p.committed = true
	case h.Kind == syncproto.KindError && h.Re == 0:
		p.failed = true
	}
	f := &frame{h, b[syncproto.HeaderSize:]}
	if p.judge != nil {
		err = p.judge.receive(f)
	}
	return f, err
}

// readStream reads a header, then the payload that it announces.
func (p *player) readStream(buf []byte) (b []byte, fds int, err error) {
	want := syncproto.HeaderSize
	for len(b) < want {
		got, n, err := p.read(buf[len(b):want])
		fds += n
		if err == nil && len(got) == 0 && len(b) == 0 {
			err = errEnd
		} else if err == nil && len(got) == 0 {
			err = fmt.Errorf("end of file came within a frame, after %d bytes", len(b))
		}
		if err != nil {
			return nil, fds, err
		}
		b = buf[:len(b)+len(got)]
		if len(b) == syncproto.HeaderSize {
			h, err := syncproto.ParseHeader(b)
			if err != nil {
				return nil, fds, err
			}
			want += min(int(h.Length), syncproto.MaxFrame)
		}
	}
	return b, fds, nil
}

// read calls recvmsg(2) and retries after a connection reset, which may be reported before data that is still
// queued.
func (p *player) read(buf []byte) (b []byte, fds int, err error) {
	oob := make([]byte, unix.CmsgSpace(4*syncproto.MaxFDs))
	for resets := 0; ; {
		n, oobn, _, _, err := unix.Recvmsg(p.fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ECONNRESET && resets == 0:
			resets++
			continue
		case err == unix.ECONNRESET:
			return nil, 0, nil
		case err == unix.EAGAIN:
			return nil, 0, errors.New("nothing came in time")
		case err != nil:
			return nil, 0, os.NewSyscallError("recvmsg", err)
		}
		return buf[:n], closeRights(oob[:oobn]), nil
	}
}

// closeRights closes the descriptors of a message and returns how many there were.
func closeRights(oob []byte) (n int) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			n++
			_ = unix.Close(fd)
		}
	}
	return n
}
