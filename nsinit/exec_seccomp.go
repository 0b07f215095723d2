package nsinit

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/interpreter"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// A filter applies to the one thread that loads it, and to everything that this thread executes. The profile must
// allow what this thread does between loading the filter and the execution, so that is as little as possible:
//
//   - without a listener and without startContainer hooks it is execve(2) alone: EXEC is sent before the filter is
//     loaded, and loading and execution are two bare system calls in a row. If the execution fails, write(2)
//     reports it;
//   - with a listener the request for it is sent with write(2), the reply is read with read(2), and the listener is
//     closed with close(2), before EXEC and execve(2). Go's runtime may need futex(2) between them;
//   - startContainer hooks run under the filter, so it must allow what it takes to make a process.
//
// The other threads of Go's runtime stay as they are. The runtime sends this thread no signal in the meantime,
// whose handler would return with rt_sigreturn(2): the parent has turned off preemption by signals (GODEBUG
// asyncpreemptoff).
//
// Without no_new_privs, loading a filter needs CAP_SYS_ADMIN (seccomp(2)). This thread keeps it as a permitted
// capability until then. It does not outlive the execution, which computes the program's capabilities without
// regard to the previously permitted ones (capabilities(7)).

// seccompStep loads the system call filter if it is early, and otherwise only prepares it for the execution.
type seccompStep struct {
	filter *container.Seccomp
	early  bool
}

func (seccompStep) stage() stage      { return stageSeccomp }
func (seccompStep) do(c *child) error { return c.seccomp() }

func (s seccompStep) detail() string {
	f := s.filter
	text := fmt.Sprintf("%d instructions flags=%#x", len(f.Filter)/unix.SizeofSockFilter, f.Flags)
	if f.Listener {
		text += " listener"
	}
	if !s.early {
		text += " at the execution"
	}
	return text
}

// filter is a seccomp filter that is ready to be loaded.
type filter struct {
	instructions []unix.SockFilter
	program      unix.SockFprog
	flags        uint32
	loaded       bool
}

func newFilter(f *container.Seccomp) *filter {
	n := len(f.Filter) / unix.SizeofSockFilter
	out := &filter{instructions: make([]unix.SockFilter, n), flags: f.Flags}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&out.instructions[0])), len(f.Filter)), f.Filter)
	out.program = unix.SockFprog{Len: uint16(n), Filter: &out.instructions[0]}
	if f.Listener {
		out.flags |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	return out
}

// seccomp loads the filter, or only prepares it for the execution. If it loads the filter, the conversation
// continues with read(2) and write(2).
func (c *child) seccomp() error {
	p := &c.cfg.Process
	c.filter = newFilter(p.Seccomp)
	c.missing = interpreter.Find(c.program) // before the filter may forbid it
	if !p.NoNewPrivs {
		if err := raise(unix.CAP_SYS_ADMIN); err != nil {
			return err
		}
	}
	// Only syscall.Exec restores the soft limit of descriptors, which the runtime has raised for itself. It does so
	// before it fails, which it must do without a path.
	_ = syscall.Exec("", []string{""}, nil)
	if !early(&c.cfg) {
		return nil
	}
	if err := c.peer.Tail(); err != nil {
		return err
	}
	listener, errno := c.filter.load()
	if errno != 0 {
		return c.filter.refused(p, errno)
	}
	if !p.Seccomp.Listener {
		return nil
	}
	// The parent fetches the listener by its number. While the listener is also open here, the kernel would let
	// system calls wait for a supervisor that has ended.
	_, fds, err := transport.Call(context.Background(), c.peer, container.SeccompRequest,
		container.SeccompArg{FD: int(listener)})
	transport.CloseAll(fds)
	sys.Close(int(listener))
	return err
}

// load loads the filter on this thread, and returns its listener if there is one.
func (f *filter) load() (listener uintptr, errno unix.Errno) {
	listener, _, errno = unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(f.flags),
		uintptr(unsafe.Pointer(&f.program)))
	f.loaded = errno == 0
	return listener, errno
}

// refused returns the error for a filter that the kernel refused, with its usual meaning.
func (f *filter) refused(p *container.Process, errno unix.Errno) error {
	hint := ""
	switch {
	case errno == unix.EACCES && !p.NoNewPrivs:
		hint = " (without no_new_privs it takes CAP_SYS_ADMIN)"
	case errno == unix.EINVAL:
		hint = " (the kernel takes the program, or one of the flags, for invalid)"
	case errno == unix.ENOSYS:
		hint = " (the kernel is built without CONFIG_SECCOMP_FILTER)"
	case errno == unix.EBUSY:
		hint = " (a filter above this one has a listener already)"
	case errno == unix.ENOMEM:
		hint = " (there is no memory for it, or all filters together have more than 32768 instructions)"
	}
	return op("seccomp", fmt.Sprintf("a filter of %d instructions, flags %#x", len(f.instructions), f.flags),
		fmt.Errorf("%w%s", errno, hint))
}

// raise makes a permitted capability effective. It ignores one that is not permitted; the system call that needs it
// will fail.
func raise(capability int) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return op("capget", "", err)
	}
	d, bit := &data[capability/32], uint32(1)<<(capability%32)
	if d.Permitted&bit == 0 || d.Effective&bit != 0 {
		return nil
	}
	d.Effective |= bit
	head.Pid = 0
	return op("capset", "", unix.Capset(&head, &data[0]))
}

// The Go runtime's mutual exclusion of execution and thread creation, as syscall.Exec uses it (go.dev/issue/19546).
//
//go:linkname beforeExec syscall.runtime_BeforeExec
func beforeExec()

//go:linkname afterExec syscall.runtime_AfterExec
func afterExec()

// launch is a prepared execution, with the filter that is loaded before it.
type launch struct {
	filter     *filter // nil: do not load a filter
	path       *byte
	args, envs []*byte
}

// execFiltered is exec for a program with a filter.
func (c *child) execFiltered() error {
	l, err := newLaunch(c.program, c.cfg.Process.Args, c.env)
	if err != nil {
		return c.notExecuted(err)
	}
	if err := c.peer.Exec(context.Background()); err != nil {
		return err
	}
	if !c.filter.loaded {
		l.filter = c.filter
		if err := c.peer.Tail(); err != nil { // for an error that may still have to be reported
			return err
		}
	}
	beforeExec()
	errno := l.run()
	afterExec()
	runtime.KeepAlive(l)
	if !c.filter.loaded {
		return &stepError{Stage: stageSeccomp, Err: c.filter.refused(&c.cfg.Process, errno)}
	}
	return c.notExecuted(errno)
}

func newLaunch(path string, args, env []string) (l *launch, err error) {
	l = &launch{}
	if l.path, err = unix.BytePtrFromString(path); err != nil {
		return nil, err
	}
	if l.args, err = syscall.SlicePtrFromStrings(args); err != nil {
		return nil, err
	}
	l.envs, err = syscall.SlicePtrFromStrings(env)
	return l, err
}

// run loads the filter and executes the program. It returns only if one of them fails. The Go runtime does nothing
// between the two: the stack does not grow, no memory is allocated, and the bare system calls do not notify the
// scheduler.
//
//go:nosplit
//go:norace
func (l *launch) run() unix.Errno {
	if f := l.filter; f != nil {
		_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(f.flags),
			uintptr(unsafe.Pointer(&f.program)))
		if errno != 0 {
			return errno
		}
		f.loaded = true
	}
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(l.path)),
		uintptr(unsafe.Pointer(&l.args[0])), uintptr(unsafe.Pointer(&l.envs[0])))
	return errno
}
