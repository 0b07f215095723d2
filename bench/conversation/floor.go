package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The sizes of the conversation's frames in handfast with MessagePack, header included; that of CONFIG is what makes it 10 KiB.
const (
	helloSize, ackSize, okSize      = 246, 180, 50
	requestSize, replySize, endSize = 32, 30, 16
	configSize                      = 10 << 10
)

// send is one message, with a descriptor if it is not negative.
func send(fd int, b []byte, right int) error {
	var oob []byte
	if right >= 0 {
		oob = unix.UnixRights(right)
	}
	n, err := unix.SendmsgN(fd, b, oob, nil, unix.MSG_NOSIGNAL)
	if err == nil && n < len(b) {
		err = fmt.Errorf("%d of %d bytes", n, len(b))
	}
	return err
}

var errShort = errors.New("the message is not whole")

// receive is one message of len(b) bytes; of a stream it takes as many calls as it needs. A descriptor that comes is closed.
func receive(fd int, b []byte) error {
	var oob [24]byte
	for len(b) > 0 {
		n, oobn, _, _, err := unix.Recvmsg(fd, b, oob[:], unix.MSG_CMSG_CLOEXEC)
		if err == nil && n == 0 {
			err = errShort
		}
		if err != nil {
			return err
		}
		if oobn > 0 {
			closeRights(oob[:oobn])
		}
		b = b[n:]
	}
	return nil
}

func closeRights(oob []byte) {
	messages, _ := unix.ParseSocketControlMessage(oob)
	for i := range messages {
		fds, _ := unix.ParseUnixRights(&messages[i])
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}
}

// receiveFDs takes n descriptors that come in one message; none at its end.
func receiveFDs(fd, n int) ([]int, error) {
	var b [1]byte
	oob := make([]byte, unix.CmsgSpace(4*n))
	k, oobn, _, _, err := unix.Recvmsg(fd, b[:], oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil || k == 0 {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("%d control messages, %w", len(messages), err)
	}
	return unix.ParseUnixRights(&messages[0])
}

// exchange is the floor's conversation as messages: who sends, how much, with a descriptor or without.
var exchange = []struct {
	byParent bool
	size     int
	right    bool
}{
	{true, helloSize, false}, {true, configSize, false}, {false, ackSize, false}, {false, okSize, false},
	{false, requestSize, false}, {true, replySize, false}, // hooks
	{false, requestSize, true}, {true, replySize, false}, // console
	{false, requestSize, false}, {true, replySize, false}, // ready
	{false, endSize, false},
}

func floorSide(parent bool) func(fd, side int) error {
	return func(fd, side int) error {
		defer unix.Close(side)
		defer unix.Close(fd)
		var buf [configSize]byte
		for _, m := range exchange {
			var err error
			if m.byParent == parent {
				right := -1
				if m.right {
					right = 0
				}
				err = send(fd, buf[:m.size], right)
			} else {
				err = receive(fd, buf[:m.size])
			}
			if err != nil {
				return os.NewSyscallError("floor", err)
			}
		}
		if !parent {
			return nil
		}
		if n, err := unix.Read(fd, buf[:]); n != 0 || err != nil {
			return fmt.Errorf("%d bytes behind the end, %w", n, err)
		}
		return nil
	}
}
