// Package conformance plays one side of a conversation from a vector against a real peer, and reports where the peer
// departs from the protocol. It reads and writes bytes itself: of the implementation that it tests it uses only the
// header's format and the codecs. In addition, a parent's Session receives what a child sends, for as long as the
// vector conforms to the protocol.
package conformance

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/vectors"
)

// ErrSkip is returned by Play if the peer does not speak the vector's codec, which it need not.
var ErrSkip = errors.New("the peer does not speak the vector's codec")

// player is the scripted side of one conversation.
type player struct {
	fd             int
	packet         bool
	v              *vectors.Vector
	codec          codec.Codec
	received       uint16 // frames received from the peer
	lastRequestSeq uint16 // seq of the peer's last REQUEST
	failed         bool   // the peer has sent ERROR

	committed bool // the peer has sent EXEC

	judge *judge // for a child, as long as the vector conforms to the protocol
}

// Play carries out the steps of v on the connected socket fd, which still belongs to the caller. Every wait is limited
// to timeout. It returns nil if the peer did what the vector expects.
func Play(v *vectors.Vector, fd int, timeout time.Duration) error {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	tv := unix.NsecToTimeval(timeout.Nanoseconds())
	for _, opt := range [...]int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, opt, &tv); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	p := &player{fd: fd, packet: typ == unix.SOCK_SEQPACKET, v: v}
	if p.codec, _ = codec.Find(codec.BuiltIn(), v.Codec); p.codec == nil {
		return fmt.Errorf("the vector's codec %q is not known", v.Codec)
	}
	p.judge = newJudge(v, p.codec)
	for i := range v.Steps {
		if err := p.step(&v.Steps[i]); err != nil {
			if errors.Is(err, ErrSkip) {
				return err
			}
			return fmt.Errorf("step %d (%s): %w", i+1, v.Steps[i].Do, err)
		}
	}
	return nil
}

func (p *player) step(s *vectors.Step) error {
	switch s.Do {
	case "send":
		return p.send(s)
	case "shutdown":
		return os.NewSyscallError("shutdown", unix.Shutdown(p.fd, unix.SHUT_WR))
	case "expect":
		return p.expect(s.Want)
	}
	return p.end()
}

// lastRequest in the header's field re stands for the seq of the peer's last REQUEST, which is not fixed because
// the peer may send NOTEs.
const lastRequest = 0xffff

func (p *player) send(s *vectors.Step) error {
	b := append([]byte(nil), s.Data...)
	if len(b) >= syncproto.HeaderSize && string(b[:2]) == "SY" && uint16(b[8])<<8|uint16(b[9]) == lastRequest {
		b[8], b[9] = byte(p.lastRequestSeq>>8), byte(p.lastRequestSeq)
	}
	if p.judge != nil && !p.judge.send(b, s.FDs) {
		p.judge = nil
	}
	var rights []byte
	if s.FDs > 0 {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		defer null.Close()
		fds := make([]int, s.FDs)
		for i := range fds {
			fds[i] = int(null.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	for first := true; first || len(b) > 0; { // an empty packet is sent too
		n, err := unix.SendmsgN(p.fd, b, rights, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EPIPE || err == unix.ECONNRESET:
			return nil // the peer has ended, and what it sent before counts
		case err == unix.EAGAIN:
			return errors.New("the peer reads nothing")
		case err != nil:
			return os.NewSyscallError("sendmsg", err)
		}
		b, rights, first = b[n:], nil, false
	}
	return nil
}

// expect reads the peer's next frame, skipping NOTEs, and compares it.
func (p *player) expect(want map[string]string) error {
	for {
		f, err := p.receive()
		if err != nil {
			return fmt.Errorf("want %s: %w", describe(want), err)
		}
		kind := f.h.Kind.String()
		if kind == "NOTE" && want["kind"] != "NOTE" {
			continue
		}
		if kind == "ERROR" && want["kind"] == "HELLO_ACK" && p.v.Codec != "json" &&
			f.code() == string(syncproto.CodeVersion) {
			return ErrSkip
		}
		got := map[string]string{"kind": kind, "re": strconv.Itoa(int(f.h.Re)), "fds": strconv.Itoa(int(f.h.NFDs)),
			"code": f.code(), "name": f.name(p.codec)}
		for k, w := range want {
			if got[k] != w {
				return fmt.Errorf("want %s, got %s", describe(want), f.describe(p.codec))
			}
		}
		return nil
	}
}

// end reads to end of file. A peer that fails may send ERROR first; one that succeeds may send nothing.
func (p *player) end() error {
	for {
		f, err := p.receive()
		switch {
		case errors.Is(err, errEnd) && p.judge != nil:
			return p.judge.end(p.v.Verdict)
		case errors.Is(err, errEnd):
			return nil
		case err != nil:
			return fmt.Errorf("want end of file: %w", err)
		case p.v.Kind == vectors.KindParent: // the caller checks its verdict; what it sends until then does not matter
		case f.h.Kind == syncproto.KindNote, f.h.Kind == syncproto.KindError && p.v.Verdict != "accept" && f.h.Re == 0:
		default:
			return fmt.Errorf("want end of file, got %s", f.describe(p.codec))
		}
	}
}

func describe(want map[string]string) string {
	s := want["kind"]
	for _, k := range [...]string{"re", "code", "name", "fds"} {
		if want[k] != "" {
			s += " " + k + "=" + want[k]
		}
	}
	return s
}

// frame is one frame that the peer sent.
type frame struct {
	h       syncproto.Header
	payload []byte
}

// code returns the code of an ERROR.
func (f *frame) code() string {
	if f.h.Kind != syncproto.KindError {
		return ""
	}
	v, err := codec.JSON().Decode(f.payload, syncproto.Limits{})
	if err != nil {
		return "unreadable: " + err.Error()
	}
	code, _ := v.Get("code")
	text, _ := code.Text()
	return text
}

// name returns the name of a REQUEST or REPLY.
func (f *frame) name(c codec.Codec) string {
	if f.h.Kind != syncproto.KindRequest && f.h.Kind != syncproto.KindReply {
		return ""
	}
	v, err := c.Decode(f.payload, syncproto.Limits{})
	var call syncproto.Call
	if err == nil {
		err = syncproto.FromValue(v, &call, false)
	}
	if err != nil {
		return "unreadable: " + err.Error()
	}
	return call.Name
}

func (f *frame) describe(c codec.Codec) string {
	s := f.h.Kind.String()
	switch f.h.Kind {
	case syncproto.KindRequest, syncproto.KindReply:
		s += " name=" + remote.OneLine(f.name(c))
	case syncproto.KindError:
		s += " code=" + remote.OneLine(f.code())
		if v, err := codec.JSON().Decode(f.payload, syncproto.Limits{}); err == nil {
			var r syncproto.Report
			if syncproto.FromValue(v, &r, true) == nil {
				s += " (" + remote.FromReport(r).Error() + ")"
			}
		}
	}
	return s + " re=" + strconv.Itoa(int(f.h.Re)) + " fds=" + strconv.Itoa(int(f.h.NFDs))
}
