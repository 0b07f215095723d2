package testenv

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// PTY creates a pseudo-terminal. It returns the user's end, and the end that is a program's terminal; both are closed
// when the test ends.
func PTY(t testing.TB) (user, terminal *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	fd := int(user.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Fatal("ioctl TIOCGPTPEER:", errno)
	}
	terminal = os.NewFile(peer, "terminal")
	t.Cleanup(func() { terminal.Close() })
	return user, terminal
}
