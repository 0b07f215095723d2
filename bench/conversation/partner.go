package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/transport"
)

// neighbour is a partner on a goroutine of this process.
type neighbour struct {
	in  chan neighbourly
	out chan error
}

type neighbourly struct {
	ends
	closely bool
}

func newNeighbour(t talker, w work) *neighbour {
	n := &neighbour{in: make(chan neighbourly), out: make(chan error, 1)}
	go func() {
		for e := range n.in {
			w.closely = e.closely
			err := t.child(e.ends, &w)
			n.out <- errors.Join(err, closeExtra(e.ends))
		}
		close(n.out)
	}()
	return n
}

func (n *neighbour) begin(e ends, closely bool) error {
	n.in <- neighbourly{e, closely}
	return nil
}

func (n *neighbour) done() error { return <-n.out }

func (n *neighbour) stop() error {
	close(n.in)
	return <-n.out
}

func closeExtra(e ends) error {
	if e.extra < 0 {
		return nil
	}
	return unix.Close(e.extra)
}

// The descriptors of the child's process, and the bytes on the control socket.
const (
	controlFD  = 3
	terminalFD = 4

	saysBegin   = 'b'
	saysClosely = 'B'
	saysReady   = 'r'
	saysDone    = 'd'
)

// stranger is a partner in a process of its own. It lives through all conversations of a contender and gets each one's
// socket over a control socket, so no fork and no exec is measured.
type stranger struct {
	cmd     *exec.Cmd
	control int
}

// newStranger starts this program again as the child of the named contender.
func newStranger(name string, w *work) (*stranger, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "control socket")
	defer theirs.Close()
	file, err := duplicate(w.terminal)
	if err != nil {
		return nil, errors.Join(err, unix.Close(pair[0]))
	}
	defer file.Close()
	s := &stranger{cmd: exec.Command(self, childCommand, name), control: pair[0]}
	s.cmd.ExtraFiles = []*os.File{theirs, file}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, unix.Close(pair[0]))
	}
	return s, nil
}

func duplicate(fd int) (*os.File, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(n), "terminal"), nil
}

func (s *stranger) begin(e ends, closely bool) error {
	fds, word := []int{e.fd}, []byte{saysBegin}
	if e.extra >= 0 {
		fds = append(fds, e.extra)
	}
	if closely {
		word[0] = saysClosely
	}
	err := unix.Sendmsg(s.control, word, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL)
	transport.CloseAll(fds)
	if err != nil {
		return os.NewSyscallError("sendmsg", err)
	}
	return s.hears(saysReady)
}

func (s *stranger) done() error { return s.hears(saysDone) }

func (s *stranger) hears(want byte) error {
	var word [1]byte
	n, err := unix.Read(s.control, word[:])
	if err == nil && (n != 1 || word[0] != want) {
		err = errors.New("the child's process gave up; it has said why")
	}
	return err
}

func (s *stranger) stop() error {
	err := unix.Close(s.control)
	return errors.Join(err, s.cmd.Wait())
}

// serve is the other side of stranger: the child's process.
func serve(t talker, w *work) error {
	oob := make([]byte, unix.CmsgSpace(2*4))
	var word [1]byte
	for {
		n, oobn, _, _, err := unix.Recvmsg(controlFD, word[:], oob, unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("recvmsg", err)
		case n == 0:
			return nil
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(messages) != 1 {
			return fmt.Errorf("a connection without descriptors: %w", io.ErrUnexpectedEOF)
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil {
			return err
		}
		e := ends{fd: fds[0], extra: -1}
		if len(fds) > 1 {
			e.extra = fds[1]
		}
		w.closely = word[0] == saysClosely
		if err := say(saysReady); err != nil {
			return err
		}
		if err := errors.Join(t.child(e, w), closeExtra(e), say(saysDone)); err != nil {
			return err
		}
	}
}

func say(b byte) error {
	_, err := unix.Write(controlFD, []byte{b})
	return os.NewSyscallError("write", err)
}
