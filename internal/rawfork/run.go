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

// report is written by the children, in memory that they share with their parent, so that it remains however they end.
type report struct {
	second int32 // the pid of the second child; the kernel writes it before that one runs (CLONE_PARENT_SETTID)
	place  int32 // place of the failed call
	errno  int32 // its error; zero: none failed
}

// Options are the options for the first child.
type Options struct {
	Flags  uintptr // its new namespaces, CLONE_NEW*
	Cgroup int     // a directory of cgroup2 in which it starts, CLONE_INTO_CGROUP; negative: none
	// the number in the child of the end of a pipe that nothing uses: it closes with the execution or the last child.
	// Start puts it there before the program begins
	Alive int
	Word  int // the number from which Await reads, set up in the same way; only used if the program waits
}

// Child is a process that carries out a program.
type Child struct {
	p      *Program
	pid    int      // the first child
	pidfd  int32    // written by the kernel, so it is in this struct, which does not move
	alive  *os.File // end of file: executed, or ended
	word   *os.File // nil if the program does not wait
	first  cloneArgs
	page   []byte
	report *report             // in page
	status *syscall.WaitStatus // of the first child, once it is reaped
}

// Error is a call that failed in the child.
type Error struct {
	Call  string // description of the call
	Errno syscall.Errno
}

// Error returns the description of the call and its errno.
func (e *Error) Error() string { return e.Call + ": " + e.Errno.Error() }

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Errno }

// Start creates the child and lets it run up to its first wait. The caller finishes it with Wait or Kill. The child
// inherits the calling thread's namespaces for children, control groups and credentials. The program's own CloseFrom
// closes all descriptors of the caller.
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
	head := signalDefaults()
	theirs, err := c.pipes(head, o)
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
	}()
	if err != nil {
		return err
	}
	c.p.Keep(head.keep...)
	return c.clone(append(head.calls, shifted(c.p.calls, len(head.calls))...), o, 0)
}

// Run creates a child that shares the memory of the caller, as with vfork(2), and returns when it has executed its
// program. The program neither forks nor waits. Run costs less than Start and Wait: no memory is copied, and no pipe
// is needed to tell that the child has executed. The caller must reap the process, and close pidfd. After an error
// there is no child left. Alive and Word of the options have no meaning.
//
// The calling thread waits in the kernel, without a limit, until the child has executed or ended.
func Run(p *Program, o Options) (pid, pidfd int, err error) {
	c := &Child{p: p, pidfd: -1, report: new(report)}
	head := signalDefaults()
	p.Keep(head.keep...)
	if err := c.clone(append(head.calls, p.calls...), o, unix.CLONE_VM|unix.CLONE_VFORK); err != nil {
		return 0, -1, err
	}
	if err := c.failed(); err != nil {
		c.Kill()
		return 0, -1, err
	}
	return c.pid, int(c.pidfd), nil
}

// pipes creates the pipes on which the parent waits for the child and sends it the word. It adds calls to head that put
// the child's ends in place. Their copies, like everything that is put in place, have numbers above all those that the
// child uses, so none overwrites the source of another.
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
	// The child reads it by a bare call, so it must block.
	return theirs, os.NewSyscallError("fcntl", unix.SetNonblock(raw(copied), false))
}

// copyAbove returns a copy of f with a descriptor of at least above.
func copyAbove(f *os.File, above int) (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(raw(f)), unix.F_DUPFD_CLOEXEC, above)
	if err != nil {
		return nil, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// shifted returns the list with its places moved by n, for n calls before it.
func shifted(list []call, n int) []call {
	out := append([]call(nil), list...)
	for i := range out {
		out[i].of += int32(n)
	}
	return out
}

// raw returns a file's descriptor without changing its mode.
func raw(f *os.File) int {
	fd := -1
	if rc, err := f.SyscallConn(); err == nil {
		_ = rc.Control(func(n uintptr) { fd = int(n) })
	}
	return fd
}

// way is a system call that makes a process.
type way int32

// The ways, in the order in which they are tried.
const (
	clearing way = iota // clone3(2), and the kernel resets the signal handlers: since Linux 5.5
	byClone3            // clone3(2), since Linux 5.3; seccomp filters often make it fail
	byClone             // clone(2), which cannot put the process into a cgroup
)

// known is the way that was successful, so that the others are not tried again.
var known atomic.Int32

// clone creates the child. shared is CLONE_VM and CLONE_VFORK for one that runs in the memory of its parent, or zero.
func (c *Child) clone(list []call, o Options, shared uint64) error {
	errno := syscall.ENOSYS
	for w := way(known.Load()); w <= byClone; w++ {
		if w == byClone && o.Cgroup >= 0 {
			c.pidfd = -1
			return fmt.Errorf("a child that begins in a cgroup: %w", os.NewSyscallError("clone3", errno))
		}
		if errno = c.cloneBy(w, list, o, shared); errno == 0 {
			known.Store(int32(w))
			return nil
		}
		// These are what a kernel or a filter says that does not have the call, or the flag. They may mean something else;
		// then the next way has the same error.
		if errno != unix.ENOSYS && errno != unix.EINVAL && errno != unix.EPERM {
			break
		}
	}
	c.pidfd = -1
	return os.NewSyscallError("clone", errno)
}

func (c *Child) cloneBy(w way, list []call, o Options, shared uint64) syscall.Errno {
	c.first = cloneArgs{flags: uint64(o.Flags) | shared | unix.CLONE_PIDFD,
		pidfd: uint64(uintptr(unsafe.Pointer(&c.pidfd))), exitSignal: uint64(unix.SIGCHLD)}
	if w == clearing {
		c.first.flags |= unix.CLONE_CLEAR_SIGHAND
	}
	if o.Cgroup >= 0 {
		c.first.flags, c.first.cgroup = c.first.flags|unix.CLONE_INTO_CGROUP, uint64(o.Cgroup)
	}
	trap, args := c.first.call(w != byClone)
	c.p.calls = list
	for i := range list {
		if list[i].kind == fork {
			c.p.second.parentTID = uint64(uintptr(unsafe.Pointer(&c.report.second)))
			var a [3]uintptr
			list[i].trap, a = c.p.second.call(w != byClone)
			copy(list[i].args[:], a[:])
		}
	}
	// The lock of package syscall, so that no descriptor is inherited that another goroutine is about to mark
	// FD_CLOEXEC.
	syscall.ForkLock.Lock()
	pid, errno := clone(trap, args, w == clearing, list, c.report)
	syscall.ForkLock.Unlock()
	runtime.KeepAlive(c.p)
	c.pid = int(pid)
	return errno
}

// PID returns the pid of the first child.
func (c *Child) PID() int { return c.pid }

// Waiting returns the pid of the child that waits for Go, as soon as it exists: the second child if the program forks
// before its Await, else the first. Its error is that of a failed call, or of ctx; the caller then calls Kill.
func (c *Child) Waiting(ctx context.Context) (pid int, err error) {
	if !c.p.later {
		return c.pid, nil
	}
	// The first child ends when it has created the second.
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

// made returns the pid of the second child.
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

// Go sends the word for which Await waits.
func (c *Child) Go() error {
	_, err := c.word.Write([]byte{1})
	return err
}

// Wait returns when the program has been executed, or with the error of a failed call, or of ctx; then no child is
// left. The caller must reap the process that it returns, and close pidfd.
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
	// It is an unreaped child of ours, so its pid cannot be reused.
	if pidfd, err = unix.PidfdOpen(second, 0); err != nil {
		_ = unix.Kill(second, unix.SIGKILL)
		wait(second)
		return 0, -1, os.NewSyscallError("pidfd_open", err)
	}
	return second, pidfd, nil
}

// Kill kills the child, both if there are two, and reaps it. It is for callers that do not call Wait.
func (c *Child) Kill() {
	_ = unix.PidfdSendSignal(int(c.pidfd), unix.SIGKILL, nil, 0)
	c.reap()
	// The first child has ended. If it has created a second one, its pid is in the report.
	if second := int(atomic.LoadInt32(&c.report.second)); second > 0 {
		_ = unix.Kill(second, unix.SIGKILL)
		wait(second)
	}
	c.close()
}

// failed returns the error of a failed call, or nil.
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
