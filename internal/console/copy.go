package console

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pause is how long a terminal that another process still has open must be silent before its output counts as
	// complete.
	pause = 100 * time.Millisecond
	// rest is the most bytes that are copied at the end from a terminal that is never silent. It is more than the kernel
	// buffers of a terminal's output (64 KiB, tty_buffer.c).
	rest = 256 << 10
)

// output copies from the container's terminal. The end is EIO, with which the kernel reports that the last process has
// closed the other side (pty(7)).
type output struct {
	master *os.File
	out    *os.File
	ending atomic.Bool   // only the rest is still to come
	done   chan struct{} // closed when all is copied
}

func newOutput(master, out *os.File) *output {
	return &output{master: master, out: out, done: make(chan struct{})}
}

func (o *output) copy() {
	defer close(o.done)
	buf := make([]byte, 32<<10)
	for left := rest; left > 0; {
		ending := o.ending.Load()
		if ending {
			_ = o.master.SetReadDeadline(time.Now().Add(pause))
		}
		n, err := o.master.Read(buf)
		if e := writeAll(o.out, buf[:n]); e != nil {
			// Nobody sees the container's output any more, so hang up its terminal, as one does that loses its line.
			_ = o.master.Close()
			return
		}
		held := ending && !hungUp(o.master)
		if held {
			left -= n
		}
		if err != nil && (held || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return
		}
	}
}

// finish waits for the rest.
func (o *output) finish(abort <-chan os.Signal) {
	// wakes the reader, which sets a later deadline once it sees the flag, so the flag must be set first
	_ = o.master.SetReadDeadline(time.Unix(1, 0))
	o.ending.Store(true)
	for {
		select {
		case <-o.done:
			return
		case s := <-abort:
			if s != unix.SIGCHLD && s != unix.SIGWINCH && s != unix.SIGCONT && s != unix.SIGTSTP {
				return
			}
		}
	}
}

// hungUp reports whether no process has the other side of a terminal open, so that its output has an end.
func hungUp(master *os.File) (yes bool) {
	control(master, func(fd int) {
		p := []unix.PollFd{{Fd: int32(fd)}}
		_, err := unix.Poll(p, 0)
		yes = err == nil && p[0].Revents&unix.POLLHUP != 0
	})
	return yes
}

// writeAll writes to a file that may be non-blocking, because others share its open file description. It avoids
// (*os.File).Write, which ends the process if standard output is a pipe without a reader.
func writeAll(f *os.File, data []byte) error {
	fd := number(f)
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		switch err {
		case nil:
			data = data[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
		default:
			return err
		}
	}
	return nil
}

// input copies to the container's terminal until it is stopped or its source ends. The container does not notice the
// end of the source: a terminal has no end, and a program that waits for a key continues to wait, as with runc. But if
// the source is a terminal that hangs up, so does the container's: SIGHUP by itself does not reach the first process of
// a pid namespace unless it has a handler (pid_namespaces(7)).
type input struct {
	in     *os.File
	master *os.File
	wake   [2]int // a pipe: closing one end stops the wait; copy closes the other
}

func newInput(in, master *os.File) (*input, error) {
	i := &input{in: in, master: master}
	return i, os.NewSyscallError("pipe2", unix.Pipe2(i.wake[:], unix.O_CLOEXEC))
}

func (i *input) copy() {
	defer unix.Close(i.wake[0])
	buf := make([]byte, 4<<10)
	fd, terminal := number(i.in), isTerminal(i.in)
	for {
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(i.wake[0])}}
		if _, err := unix.Poll(ready, -1); err != nil && err != unix.EINTR {
			return
		}
		if ready[1].Revents != 0 {
			return
		}
		if ready[0].Revents == 0 {
			continue
		}
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil || n <= 0 {
			if terminal && ready[0].Revents&unix.POLLHUP != 0 {
				_ = i.master.Close()
			}
			return
		}
		if _, err := i.master.Write(buf[:n]); err != nil {
			return
		}
	}
}

// close stops the copying; input that was typed but not read stays for the next reader. It must be called only once.
func (i *input) close() {
	_ = unix.Close(i.wake[1])
	_ = i.master.SetWriteDeadline(time.Unix(1, 0)) // unblocks a write to a container that reads nothing
}
