// Package pty makes pseudo-terminals.
package pty

import (
	"os"

	"golang.org/x/sys/unix"
)

// Open makes a pseudo-terminal. It returns the user's end, and the end that is a program's terminal; the caller closes
// both.
func Open() (user, terminal *os.File, err error) {
	user, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(user.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		_ = user.Close()
		return nil, nil, os.NewSyscallError("ioctl TIOCSPTLCK", err)
	}
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		_ = user.Close()
		return nil, nil, os.NewSyscallError("ioctl TIOCGPTPEER", errno)
	}
	return user, os.NewFile(peer, "terminal"), nil
}
