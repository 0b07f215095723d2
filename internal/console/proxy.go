// Package console connects the terminal of a container with the runtime's caller: it passes the master over a socket,
// or copies to and from the terminal in which the runtime runs.
package console

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Host is the terminal that the runtime runs in.
type Host struct {
	tty   *os.File // any of the standard streams, or /dev/tty
	owned bool     // tty was opened here
	saved unix.Termios
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
		return nil, fmt.Errorf("process.terminal is true, but there is no terminal to show it on (run in one, or use "+
			"--detach with --console-socket): %w", unix.ENOTTY)
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
	_, err := unix.IoctlGetTermios(number(f), unix.TCGETS)
	return err == nil
}

// Proxy copies between the host's terminal and the container's.
type Proxy struct {
	host   *Host
	master *os.File   // non-blocking, so that the runtime's poller waits and not a thread
	mode   sync.Mutex // of the host's terminal
	raw    bool       // the host's terminal is in raw mode
	output *output
	input  *input
	stop   sync.Once
}

// Start puts the host's terminal into raw mode, sets the size of the container's, and copies in both directions until
// Stop. It takes master and borrows host. in and out are the source and the destination, usually standard input and
// output. Their modes stay as they are, because others share the open file descriptions.
//
// A caller that a signal may end must call Stop then, because nothing else restores the terminal's mode.
func Start(host *Host, master, in, out *os.File) (*Proxy, error) {
	p, err := newProxy(host, master)
	if err != nil {
		return nil, err
	}
	if p.input, err = newInput(in, p.master); err != nil {
		_ = p.master.Close()
		return nil, err
	}
	p.output = newOutput(p.master, out)
	go p.output.copy()
	go p.input.copy()
	if err := p.show(); err != nil {
		p.input.close()
		_ = p.master.Close()
		return nil, err
	}
	return p, nil
}

func newProxy(host *Host, master *os.File) (*Proxy, error) {
	defer master.Close()
	if err := host.save(); err != nil {
		return nil, err
	}
	// A new os.File, because only NewFile can register a descriptor with the poller.
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	if err := newline(fd); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl O_NONBLOCK", err)
	}
	return &Proxy{host: host, master: os.NewFile(uintptr(fd), master.Name())}, nil
}

// Resize gives the container's terminal the size of the host's, if that has one.
func (p *Proxy) Resize() {
	size, err := unix.IoctlGetWinsize(number(p.host.tty), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return
	}
	control(p.master, func(fd int) { _ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size) })
}

// Suspend restores the mode of the host's terminal before the process stops, and Resume sets the raw mode again, and
// the size, which may have changed.
func (p *Proxy) Suspend() {
	p.mode.Lock()
	defer p.mode.Unlock()
	if p.raw {
		p.host.restore()
		p.raw = false
	}
}

// Resume sets the raw mode again after Suspend, or after the process was stopped without a chance to call it. In the
// background it does nothing, because the terminal's mode belongs to another process; it is called again when this
// process is in the foreground.
func (p *Proxy) Resume() error {
	if !p.host.foreground() {
		return nil
	}
	return p.show()
}

// show sets the terminal to raw mode, which stops a background process until it is in the foreground.
func (p *Proxy) show() error {
	p.mode.Lock()
	defer p.mode.Unlock()
	if err := p.host.raw(); err != nil {
		return err
	}
	p.raw = true
	p.Resize()
	return nil
}

// Stop copies the rest of the output and restores the mode of the host's terminal. The rest is everything up to the end
// if no process has the container's terminal open, however long the reader takes; otherwise it is what arrives without
// a pause. A value on abort, which may be nil, ends the wait for a reader that reads nothing. A second call does
// nothing.
func (p *Proxy) Stop(abort <-chan os.Signal) {
	p.stop.Do(func() {
		p.input.close()
		p.output.finish(abort)
		p.Suspend()
		_ = p.master.Close()
	})
}

func control(f *os.File, do func(fd int)) {
	if rc, err := f.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) { do(int(fd)) })
	}
}

// number returns the descriptor of a file, which must stay open while it is used. It avoids (*os.File).Fd, which makes
// a non-blocking file blocking for everybody who shares it.
func number(f *os.File) (n int) {
	control(f, func(fd int) { n = fd })
	return n
}
