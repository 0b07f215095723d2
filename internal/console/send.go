package console

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Send sends the master of a container's terminal to the Unix stream socket at path: one message with the terminal's
// name as data and the descriptor as SCM_RIGHTS, as runc's --console-socket does. It borrows master; the receiver gets
// a duplicate.
func Send(path string, master *os.File, name string) error {
	if err := Pass(path, master, name); err != nil {
		return fmt.Errorf("--console-socket: %w", err)
	}
	return nil
}

// Pass sends one descriptor and a text in one message over the Unix stream socket that listens at path. It borrows
// file.
func Pass(path string, file *os.File, text string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", path, os.NewSyscallError("socket", err))
	}
	defer unix.Close(fd)
	if err := connect(fd, path); err != nil {
		return &os.PathError{Op: "connect", Path: path, Err: err}
	}
	rc, err := file.SyscallConn()
	if err != nil {
		return err
	}
	if e := rc.Control(func(m uintptr) {
		err = unix.Sendmsg(fd, []byte(text), unix.UnixRights(int(m)), nil,
			unix.MSG_NOSIGNAL)
	}); e != nil {
		return e
	}
	if err != nil {
		return &os.PathError{Op: "sendmsg", Path: path, Err: err}
	}
	return nil
}

// connect connects through a descriptor of the socket, because a path of more than 107 bytes does not fit into a socket
// address (unix(7)).
func connect(fd int, path string) error {
	socket, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(socket)})
}
