package transport

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Type is the type of a Unix socket that carries frames; the bytes of a frame are the same on both.
type Type int

// The types. A packet socket keeps frames apart and needs one system call for each; a stream is for peers and tunnels
// that support nothing else.
const (
	SeqPacket Type = unix.SOCK_SEQPACKET
	Stream    Type = unix.SOCK_STREAM
)

// SocketPair makes a connected pair: the parent's end as a Conn, the child's as a file for the child to inherit
// (exec.Cmd.ExtraFiles, os.ProcAttr.Files). Both are CLOEXEC. The caller owns both, and must close the child's end as
// soon as the child exists: while a copy of it is open, the parent never reads end of file.
func SocketPair(t Type) (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, int(t)|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return newUnixConn(fds[0], t == SeqPacket), os.NewFile(uintptr(fds[1]), "child's handshake socket"), nil
}

// Take makes a Conn from a connected Unix socket and owns fd from then on; on an error fd still belongs to the caller.
// The socket is made blocking, which affects every process that shares its open file description; only calls after Tail
// depend on it.
func Take(fd int) (*Conn, error) {
	packet, err := inspect(fd)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return newUnixConn(fd, packet), nil
}

// Adopt takes over the socket that a child inherits, whose number is in the environment variable name. It unsets the
// variable, sets FD_CLOEXEC (the execution must close the socket: that end of file is the parent's proof), and refuses
// a descriptor that is not a connected Unix socket of a type that carries frames, saying what it is. If the variable is
// not set, this process is not such a child: ok is false and err is nil.
func Adopt(name string) (c *Conn, ok bool, err error) {
	text, ok := os.LookupEnv(name)
	if !ok {
		return nil, false, nil
	}
	_ = os.Unsetenv(name)
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 0 {
		return nil, true, errors.New(name + "=" + strconv.Quote(text) + " is not the number of a descriptor")
	}
	c, err = Take(fd)
	if err != nil {
		return nil, true, &os.PathError{Op: "adopt", Path: name + "=" + text, Err: err}
	}
	return c, true, nil
}

// inspect checks that fd can carry frames and sets FD_CLOEXEC.
func inspect(fd int) (packet bool, err error) {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		return false, os.NewSyscallError("fcntl", err)
	}
	t, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return false, os.NewSyscallError("getsockopt SO_TYPE", err)
	}
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return false, os.NewSyscallError("getsockopt SO_DOMAIN", err)
	}
	if domain != unix.AF_UNIX || t != unix.SOCK_SEQPACKET && t != unix.SOCK_STREAM {
		return false, errors.New("socket of domain " + strconv.Itoa(domain) + " and type " + strconv.Itoa(t) +
			", want AF_UNIX and SOCK_SEQPACKET or SOCK_STREAM")
	}
	if _, err := unix.Getpeername(fd); err != nil { // ENOTCONN; it says so of a listening socket, too
		return false, os.NewSyscallError("getpeername", err)
	}
	return t == unix.SOCK_SEQPACKET, nil
}
