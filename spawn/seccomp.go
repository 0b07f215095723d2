package spawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// Listener receives the listener of a seccomp filter of the process pid that passes system calls to a supervisor,
// seccomp_unotify(2). It owns the file from then on. The process waits meanwhile, under the filter and before its
// execution; an error ends its start.
type Listener func(ctx context.Context, pid int, listener *os.File) error

// take fetches the listener that the child's request names, and passes it on. The child cannot send it, because the
// filter may forbid sendmsg(2).
func (f Listener) take(ctx context.Context, pid int, pidfd *os.File, arg container.SeccompArg) error {
	if f == nil {
		return errors.New("the filter passes system calls to a supervisor, but there is no Listener to receive its listener")
	}
	n := arg.FD
	if n < 0 || n > 1<<30 {
		return errors.New("the request's argument is not the number of a descriptor")
	}
	rc, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	fd := -1
	if e := rc.Control(func(p uintptr) { fd, err = unix.PidfdGetfd(int(p), int(n), 0) }); e != nil {
		return e
	}
	if err != nil {
		return fmt.Errorf("fetch the listener, descriptor %d of process %d: %w", n, pid,
			os.NewSyscallError("pidfd_getfd", err))
	}
	file := os.NewFile(uintptr(fd), "seccomp listener")
	// The supervisor must not get another descriptor of the child.
	const want = "anon_inode:seccomp notify"
	what, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err == nil && what != want {
		err = fmt.Errorf("descriptor %d of process %d is %s; want %s", n, pid, what, want)
	}
	if err != nil {
		_ = file.Close()
		return err
	}
	return f(ctx, pid, file)
}

// errNeverExecuted is the error for a child that has sent EXEC and then ended without executing the program: the filter
// has killed it, or has stopped both its execution and its report of that.
var errNeverExecuted = errors.New(
	"the child ended at its execution: the seccomp filter allows neither that nor a report about it")

// childName is the name that package nsinit gives its process until the execution, PR_SET_NAME.
const childName = "handfast:init"

// checkExecuted finds out whether a child with a filter has executed its program. The end of file after EXEC does not
// tell, because it also comes if the filter kills the child. An execution closes the socket when the new program is
// already in place, whereas a process that ends first gives up its memory, and with it its program, and keeps its name
// until it is reaped.
func checkExecuted(pid int) error {
	proc := "/proc/" + strconv.Itoa(pid)
	if _, err := os.Readlink(proc + "/exe"); !errors.Is(err, unix.ENOENT) {
		return nil
	}
	name, err := os.ReadFile(proc + "/comm")
	if err == nil && string(name) == childName+"\n" {
		return errNeverExecuted
	}
	return nil
}
