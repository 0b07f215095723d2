package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// patience limits each wait of the contenders without deadlines of their own: as long as handfast's limit for an idle
// peer.
const patience = 30 * time.Second

// timed is a connection with deadlines.
type timed interface{ SetDeadline(time.Time) error }

// setDeadline sets the deadline of a wait.
func setDeadline(c timed) error { return c.SetDeadline(time.Now().Add(patience)) }

// order is what a parent without a profile checks by hand: which request comes when, and how often.
type order struct{ next int }

const execName = "exec"

var inOrder = [...]string{container.HooksRequest.Request, container.ConsoleRequest.Request,
	container.ReadyRequest.Request, execName}

// takes returns an error for a request that may not come now.
func (o *order) takes(name string) error {
	if o.next == len(inOrder) || inOrder[o.next] != name {
		return fmt.Errorf("%q may not come as request %d of %q", name, o.next+1, inOrder)
	}
	o.next++
	return nil
}

// ended returns an error if the child ends before it has sent that it executes.
func (o *order) ended() error {
	if o.next < len(inOrder) {
		return fmt.Errorf("the child ended before %q: %w", inOrder[o.next], io.ErrUnexpectedEOF)
	}
	return nil
}

// sendExtra sends the terminal over the second socket, for contenders whose connection cannot carry a descriptor.
func sendExtra(e ends, w *work) error {
	err := unix.Sendmsg(e.extra, []byte{1}, unix.UnixRights(w.terminal), nil, unix.MSG_NOSIGNAL)
	return os.NewSyscallError("sendmsg", err)
}

// receiveExtra receives what sendExtra has sent.
func receiveExtra(e ends) ([]int, error) {
	wait := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(e.extra, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	var b [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := unix.Recvmsg(e.extra, b[:], oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("recvmsg", err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || n != 1 || len(messages) != 1 {
		return nil, errors.New("no descriptor came")
	}
	return unix.ParseUnixRights(&messages[0])
}
