package console

import (
	"os"

	"golang.org/x/sys/unix"
)

// rawMode makes a terminal pass every key to the container, whose own terminal does the line editing. It is
// cfmakeraw(3), but output is still post-processed, and in return the container's terminal adds no carriage returns
// (newline). So a reader of a pipe or file gets the container's bytes, and a screen shows lines. runc does the same.
func rawMode(t unix.Termios) unix.Termios {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag |= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return t
}

// newline keeps the container's terminal from adding a carriage return to a line feed: the host's terminal does it, if
// the output goes to one.
func newline(master int) error {
	t, err := unix.IoctlGetTermios(master, unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("ioctl TCGETS", err)
	}
	t.Oflag &^= unix.ONLCR
	return os.NewSyscallError("ioctl TCSETS", unix.IoctlSetTermios(master, unix.TCSETS, t))
}

// save stores the terminal's mode.
func (h *Host) save() error {
	t, err := unix.IoctlGetTermios(number(h.tty), unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("ioctl TCGETS", err)
	}
	h.saved = *t
	return nil
}

// raw sets the raw mode. A background process is stopped here (SIGTTOU, termios(3)) until it is in the foreground.
func (h *Host) raw() error {
	t := rawMode(h.saved)
	return os.NewSyscallError("ioctl TCSETSW", unix.IoctlSetTermios(number(h.tty), unix.TCSETSW, &t))
}

// restore sets the saved mode. In the background it does nothing, because the terminal and its mode belong to another
// process.
func (h *Host) restore() {
	if h.foreground() {
		_ = unix.IoctlSetTermios(number(h.tty), unix.TCSETSW, &h.saved)
	}
}

// foreground reports whether this process may change the terminal: it is in the foreground, or the terminal is not its
// controlling one.
func (h *Host) foreground() bool {
	group, err := unix.IoctlGetInt(number(h.tty), unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}
