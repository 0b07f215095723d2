// Package console joins the terminal of a container to the runtime's caller: handed over a socket, or copied to and
// from the terminal the runtime itself runs in.
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
		return nil, fmt.Errorf("process.terminal is true, and there is no terminal to show it on (run in one, or use "+
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

// Start puts the host's terminal into raw mode, gives the container's its size, and copies in both directions until
// Stop. It takes master, and borrows host. in and out are what is copied from and to, standard input and output as a
// rule; they stay as they are, for others share their open files.
//
// Whoever may be ended by a signal must have arranged for Stop to be called then: nobody else gives the terminal its
// mode back.
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
	// A new os.File, because a file is made known to the poller when it is made, or never.
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

// Resize gives the container's terminal the size of the host's; a terminal without a size is left alone.
func (p *Proxy) Resize() {
	size, err := unix.IoctlGetWinsize(number(p.host.tty), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return
	}
	control(p.master, func(fd int) { _ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size) })
}

// Suspend gives the host's terminal its mode back while the process is stopped, and Resume sets the raw mode again, and
// the size, which may have changed.
func (p *Proxy) Suspend() {
	p.mode.Lock()
	defer p.mode.Unlock()
	if p.raw {
		p.host.restore()
		p.raw = false
	}
}

// Resume sets the raw mode again after Suspend, or after the process was stopped without a chance to call it. One that
// goes on in the background leaves the terminal alone, whose mode is somebody else's: it will be told again when it
// comes to the foreground.
func (p *Proxy) Resume() error {
	if !p.host.foreground() {
		return nil
	}
	return p.show()
}

// show takes the terminal: in the background it is stopped there until it is brought to the foreground.
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

// Stop copies the rest of the output and gives the host's terminal its mode back. The rest is what was written before
// the last holder of the container's terminal closed it, however long the reader takes; if others hold it still, it is
// what arrives without a pause. A value on abort, which may be nil, ends the wait for a reader that takes nothing.
// Calling Stop twice does nothing.
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

// number is the descriptor of a file that outlives its use. It does without (*os.File).Fd, which makes a non-blocking
// file block, for everybody who shares it.
func number(f *os.File) (n int) {
	control(f, func(fd int) { n = fd })
	return n
}
