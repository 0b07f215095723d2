// Package console joins the terminal of a container to the runtime's caller: handed over a socket, or copied to and from the terminal the runtime itself runs in.
package console

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// drain bounds how long output is waited for after the container has ended: another process may still hold its terminal open.
const drain = time.Second

// Host is the terminal that the runtime runs in.
type Host struct {
	tty   *os.File // any of the standard streams, or /dev/tty
	owned bool     // tty was opened here
}

// FindHost returns the terminal among the standard streams, or the controlling one (tty(4)). ENOTTY: there is none.
func FindHost() (*Host, error) {
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if isTerminal(f) {
			return &Host{tty: f}, nil
		}
	}
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("process.terminal is true, and there is no terminal to show it on (run in one, or use --detach with --console-socket): %w", unix.ENOTTY)
	}
	return &Host{tty: f, owned: true}, nil
}

// Close closes what FindHost opened.
func (h *Host) Close() error {
	if h.owned {
		return h.tty.Close()
	}
	return nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Proxy copies between the host's terminal and the container's.
type Proxy struct {
	host   *Host
	master *os.File
	saved  *unix.Termios
	output chan struct{} // closed when all output is copied
	stop   sync.Once
}

// Start puts the host's terminal into raw mode, gives the container's its size, and copies in both directions until Stop. It takes master, and borrows host.
// in and out are what is copied from and to, standard input and output as a rule.
func Start(host *Host, master, in, out *os.File) (*Proxy, error) {
	p := &Proxy{host: host, master: master, output: make(chan struct{})}
	if err := p.raw(); err != nil {
		_ = master.Close()
		return nil, err
	}
	p.Resize()
	go p.copyOut(out)
	go p.copyIn(in)
	return p, nil
}

// raw saves the terminal's mode and sets the one of cfmakeraw(3): every key goes to the container, whose own terminal does the editing.
func (p *Proxy) raw() error {
	fd := int(p.host.tty.Fd())
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("ioctl TCGETS", err)
	}
	saved := *t
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETSW, t); err != nil {
		return os.NewSyscallError("ioctl TCSETSW", err)
	}
	p.saved = &saved
	return nil
}

// Resize gives the container's terminal the size of the host's; a terminal without a size is left alone.
func (p *Proxy) Resize() {
	size, err := unix.IoctlGetWinsize(int(p.host.tty.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return
	}
	control(p.master, func(fd int) { _ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size) })
}

// copyOut ends with EIO: the kernel's word that the last holder of the container's side has closed it (pty(7)).
func (p *Proxy) copyOut(out *os.File) {
	defer close(p.output)
	_, _ = io.Copy(writerOnly{out}, p.master)
}

// copyIn stays behind in its read when the proxy stops: it ends with the process.
func (p *Proxy) copyIn(in *os.File) {
	if _, err := io.Copy(p.master, readerOnly{in}); err != nil && !errors.Is(err, os.ErrClosed) {
		return
	}
	// What ^D is to a terminal, for input that is a file or a pipe and has come to its end.
	_, _ = p.master.Write([]byte{4})
}

// The wrappers keep io.Copy from splice(2) and copy_file_range(2), which terminals refuse.
type (
	writerOnly struct{ io.Writer }
	readerOnly struct{ io.Reader }
)

// Stop waits for the rest of the output, within a bound, and gives the host's terminal its mode back. Calling it twice does nothing.
func (p *Proxy) Stop() {
	p.stop.Do(func() {
		select {
		case <-p.output:
		case <-time.After(drain):
		}
		_ = unix.IoctlSetTermios(int(p.host.tty.Fd()), unix.TCSETSW, p.saved)
		_ = p.master.Close()
	})
}

func control(f *os.File, do func(fd int)) {
	if rc, err := f.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) { do(int(fd)) })
	}
}
