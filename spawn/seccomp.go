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

// Listener takes the listener of a filter that hands system calls to a supervisor, seccomp_unotify(2), of the process
// pid. It owns the file from here on. The process waits meanwhile, under the filter and before its execution; an error
// ends its start.
type Listener func(ctx context.Context, pid int, listener *os.File) error

// take fetches the listener that the child's request names, and hands it on. The child cannot send it: sendmsg(2) may
// be what the filter forbids.
func (f Listener) take(ctx context.Context, pid int, pidfd *os.File, arg container.SeccompArg) error {
	if f == nil {
		return errors.New("the filter hands system calls to a supervisor, and nobody takes its listener")
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
	// Whatever else the child has open is not the supervisor's to have.
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

// errNeverExecuted is a child that has said EXEC and ended as what it was: the filter has stopped its execution, and
// its report of that.
var errNeverExecuted = errors.New(
	"the child ended at its execution: the filter of system calls allows neither that nor a word about it")

// childName is what package nsinit calls its process until the execution, PR_SET_NAME.
const childName = "handfast:init"

// checkExecuted is for the end of file after EXEC of a child with a filter, which an execution that succeeds leaves as
// well as a child that the filter has killed. An execution closes the socket when the program is in place already; a
// process that ends gives up its memory first, and its program with it, and keeps its name until it is reaped.
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
