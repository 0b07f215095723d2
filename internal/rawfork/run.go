package rawfork

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// report is what the children leave for their parent, in memory that is shared with them, so that it is there however
// they end.
type report struct {
	second int32 // the number of the second child; the kernel writes it before that one runs (CLONE_PARENT_SETTID)
	place  int32 // of the call that failed
	errno  int32 // and what it met; zero: none failed
}

// Options say how the first child is made.
type Options struct {
	Flags  uintptr // its new namespaces, CLONE_NEW*
	Cgroup int     // a directory of cgroup2 that it begins in, CLONE_INTO_CGROUP; negative: none
	// the number of a pipe's end in the child, which nobody uses: it closes with the execution or the last child. Start
	// puts it there before the program begins
	Alive int
	Word  int // the number that Await reads from, likewise; counts only where the program waits
}

// Child is a process on its way through a program.
type Child struct {
	p      *Program
	pid    int      // the first child
	pidfd  int32    // written by the kernel, so it stands in this struct, which does not move
	alive  *os.File // end of file: executed, or ended
	word   *os.File // nil where the program does not wait
	first  cloneArgs
	page   []byte
	report *report             // in page
	status *syscall.WaitStatus // of the first child, once it is reaped
}

// Error is a call that failed in the child.
type Error struct {
	Call  string // what it was for
	Errno syscall.Errno
}

// Error is the call and its errno.
func (e *Error) Error() string { return e.Call + ": " + e.Errno.Error() }

// Unwrap is the errno.
func (e *Error) Unwrap() error { return e.Errno }

// Start makes the child and lets it run up to its first wait. The caller finishes it with Wait or with Kill.
// The calling thread's namespaces for children, control groups and credentials are the child's. No descriptor of the
// caller survives the program's own CloseFrom.
func Start(p *Program, o Options) (*Child, error) {
	c := &Child{p: p, pidfd: -1}
	if err := c.start(o); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *Child) start(o Options) (err error) {
	if c.page, err = unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED|unix.MAP_ANONYMOUS); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	c.report = (*report)(unsafe.Pointer(&c.page[0]))
	head := &Program{}
	theirs, err := c.pipes(head, o)
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
	}()
	if err != nil {
		return err
	}
	return c.clone(append(head.calls, shifted(c.p.calls, len(head.calls))...), o)
}

// pipes makes what the child is waited for and told by, and adds to head what puts its ends in place. Their copies are
// above all numbers that the child uses, as everything else that it puts in place: none lands on another's source.
func (c *Child) pipes(head *Program, o Options) (theirs []*os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.alive, theirs = r, append(theirs, w)
	above := max(o.Alive, o.Word) + 1
	copied, err := copyAbove(w, above)
	if err != nil {
		return theirs, err
	}
	theirs = append(theirs, copied)
	head.Dup2(raw(copied), o.Alive, true)
	if !c.p.await {
		return theirs, nil
	}
	r, w, err = os.Pipe()
	if err != nil {
		return theirs, err
	}
	c.word, theirs = w, append(theirs, r)
	if copied, err = copyAbove(r, above); err != nil {
		return theirs, err
	}
	theirs = append(theirs, copied)
	head.Dup2(raw(copied), o.Word, true)
	// The child reads it by a bare call.
	return theirs, os.NewSyscallError("fcntl", unix.SetNonblock(raw(copied), false))
}

// copyAbove is a copy of f at a number from above on.
func copyAbove(f *os.File, above int) (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(raw(f)), unix.F_DUPFD_CLOEXEC, above)
	if err != nil {
		return nil, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// shifted is the list with n others before it.
func shifted(list []call, n int) []call {
	out := append([]call(nil), list...)
	for i := range out {
		out[i].of += int32(n)
	}
	return out
}

// raw is a file's descriptor, whose mode stays as it is.
func raw(f *os.File) int {
	fd := -1
	if rc, err := f.SyscallConn(); err == nil {
		_ = rc.Control(func(n uintptr) { fd = int(n) })
	}
	return fd
}

func (c *Child) clone(list []call, o Options) error {
	three := clone3()
	c.first = cloneArgs{flags: uint64(o.Flags) | unix.CLONE_PIDFD, pidfd: uint64(uintptr(unsafe.Pointer(&c.pidfd))),
		exitSignal: uint64(unix.SIGCHLD)}
	if o.Cgroup >= 0 {
		if !three {
			return fmt.Errorf("a child that begins in a cgroup: %w", os.NewSyscallError("clone3", unix.ENOSYS))
		}
		c.first.flags, c.first.cgroup = c.first.flags|unix.CLONE_INTO_CGROUP, uint64(o.Cgroup)
	}
	trap, args := c.first.call(three)
	c.p.calls = list
	for i := range list {
		if list[i].kind == fork {
			c.p.second.parentTID = uint64(uintptr(unsafe.Pointer(&c.report.second)))
			var a [3]uintptr
			list[i].trap, a = c.p.second.call(three)
			copy(list[i].args[:], a[:])
		}
	}
	// The lock is that of package syscall: a descriptor that another goroutine is about to mark FD_CLOEXEC is not caught
	// unmarked.
	syscall.ForkLock.Lock()
	pid, errno := clone(trap, args, list, c.report)
	syscall.ForkLock.Unlock()
	runtime.KeepAlive(c.p)
	if errno != 0 {
		c.pidfd = -1
		return os.NewSyscallError("clone", errno)
	}
	c.pid = int(pid)
	return nil
}

// clone3 reports whether clone3(2) is there: Linux before 5.3 does not have it, and filters of system calls often
// forbid it as if it were not.
func clone3() bool {
	_, _, errno := syscall.RawSyscall(unix.SYS_CLONE3, 0, 0, 0)
	return errno == unix.EINVAL
}

// PID is the first child.
func (c *Child) PID() int { return c.pid }

// Waiting is the child that waits for Go: the first one, or where the program forks before its Await the second one, as
// soon as it exists. An error is that of the call that failed, or of ctx; the caller then calls Kill.
func (c *Child) Waiting(ctx context.Context) (pid int, err error) {
	if !c.p.later {
		return c.pid, nil
	}
	// The first one ends when it has made the second.
	for ended := false; !ended; {
		n, err := unix.Poll([]unix.PollFd{{Fd: c.pidfd, Events: unix.POLLIN}}, 10)
		if err != nil && err != unix.EINTR {
			return 0, os.NewSyscallError("poll", err)
		}
		if ended = n > 0; !ended && ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
	}
	status := c.reap()
	if err := c.failed(); err != nil {
		return 0, err
	}
	return c.made(status)
}

// made is the second child.
func (c *Child) made(first syscall.WaitStatus) (pid int, err error) {
	second := int(atomic.LoadInt32(&c.report.second))
	if second == 0 {
		return 0, fmt.Errorf("the process that makes the child ended early: %s", ending(first))
	}
	return second, nil
}

// reap waits for the end of the first child.
func (c *Child) reap() syscall.WaitStatus {
	if c.status == nil {
		status := wait(c.pid)
		c.status = &status
	}
	return *c.status
}

// Go gives the word that Await waits for.
func (c *Child) Go() error {
	_, err := c.word.Write([]byte{1})
	return err
}

// Wait returns once the program has been executed, or with the error of the call that failed, or with ctx; then no
// child is left. The process that it returns is the caller's to reap, and pidfd the caller's to close.
func (c *Child) Wait(ctx context.Context) (pid, pidfd int, err error) {
	stop := context.AfterFunc(ctx, func() { _ = c.alive.SetReadDeadline(time.Unix(1, 0)) })
	_, err = c.alive.Read(make([]byte, 1))
	stop()
	if err == io.EOF {
		err = c.failed()
	} else if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.Kill()
		return 0, -1, err
	}
	defer c.close()
	if c.p.second == nil {
		pidfd, c.pidfd = int(c.pidfd), -1
		return c.pid, pidfd, nil
	}
	second, err := c.made(c.reap())
	if err != nil {
		return 0, -1, err
	}
	// It is our child and not reaped: the number cannot mean another one.
	if pidfd, err = unix.PidfdOpen(second, 0); err != nil {
		_ = unix.Kill(second, unix.SIGKILL)
		wait(second)
		return 0, -1, os.NewSyscallError("pidfd_open", err)
	}
	return second, pidfd, nil
}

// Kill ends the child, both where there are two, and reaps it. It is for a caller that does not call Wait.
func (c *Child) Kill() {
	_ = unix.PidfdSendSignal(int(c.pidfd), unix.SIGKILL, nil, 0)
	c.reap()
	// Whatever the first was doing, it is over: if there is a second one, its number stands there.
	if second := int(atomic.LoadInt32(&c.report.second)); second > 0 {
		_ = unix.Kill(second, unix.SIGKILL)
		wait(second)
	}
	c.close()
}

// failed is the call that failed, nil for none.
func (c *Child) failed() error {
	errno := syscall.Errno(atomic.LoadInt32(&c.report.errno))
	place := int(atomic.LoadInt32(&c.report.place))
	if errno == 0 || place < 0 || place >= len(c.p.calls) {
		return nil
	}
	return &Error{Call: c.p.calls[place].text, Errno: errno}
}

func wait(pid int) (status syscall.WaitStatus) {
	for {
		if _, err := syscall.Wait4(pid, &status, syscall.WALL, nil); err != syscall.EINTR {
			return status
		}
	}
}

func ending(s syscall.WaitStatus) string {
	if s.Signaled() {
		return fmt.Sprintf("signal %d (%s)", s.Signal(), s.Signal())
	}
	return fmt.Sprintf("exit status %d", s.ExitStatus())
}

func (c *Child) close() {
	for _, f := range []*os.File{c.alive, c.word} {
		if f != nil {
			_ = f.Close()
		}
	}
	if c.pidfd >= 0 {
		_ = unix.Close(int(c.pidfd))
	}
	if c.page != nil {
		_ = unix.Munmap(c.page)
	}
}
