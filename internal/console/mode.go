package console

import (
	"os"

	"golang.org/x/sys/unix"
)

// rawMode is the mode of a terminal whose every key goes to the container, whose own terminal does the editing:
// cfmakeraw(3), but output is still post-processed. The container's terminal adds no carriage return then, see newline,
// so that whoever reads a pipe or a file sees the container's bytes and whoever looks at a screen sees lines. It is
// what runc does.
func rawMode(t unix.Termios) unix.Termios {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag |= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return t
}

// newline keeps the container's terminal from turning a line feed into two bytes: the host's does it, if it is one that
// output goes to.
func newline(master int) error {
	t, err := unix.IoctlGetTermios(master, unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("ioctl TCGETS", err)
	}
	t.Oflag &^= unix.ONLCR
	return os.NewSyscallError("ioctl TCSETS", unix.IoctlSetTermios(master, unix.TCSETS, t))
}

// save remembers the terminal's mode.
func (h *Host) save() error {
	t, err := unix.IoctlGetTermios(number(h.tty), unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("ioctl TCGETS", err)
	}
	h.saved = *t
	return nil
}

// raw sets the raw mode. A process in the background is stopped here (SIGTTOU, termios(3)) until it is brought to the
// foreground.
func (h *Host) raw() error {
	t := rawMode(h.saved)
	return os.NewSyscallError("ioctl TCSETSW", unix.IoctlSetTermios(number(h.tty), unix.TCSETSW, &t))
}

// restore sets the mode that was saved. In the background the terminal is somebody else's and its mode too: it is left
// alone.
func (h *Host) restore() {
	if h.foreground() {
		_ = unix.IoctlSetTermios(number(h.tty), unix.TCSETSW, &h.saved)
	}
}

// foreground tells whether the terminal is this process's to set: it is in the foreground, or the terminal is not the
// one that controls it.
func (h *Host) foreground() bool {
	group, err := unix.IoctlGetInt(number(h.tty), unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}
