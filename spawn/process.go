package spawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a child that was started. It is held by a pidfd, so that its number cannot be confused with that of a
// later process.
type Process struct {
	pid        int
	pidfd      *os.File
	protection Protection
	child      string
	warm       bool
}

// Warm reports whether the process had waited in a Pool for its start.
func (p *Process) Warm() bool { return p.warm }

// Child says, for people, which child executed the program: "small", or "whole" and why.
func (p *Process) Child() string { return p.child }

// PID returns the child's process id as the parent sees it.
func (p *Process) PID() int { return p.pid }

// Protection says how the program that the child executed was protected against the container; empty if it was that of
// Config.Init.
func (p *Process) Protection() Protection { return p.protection }

// PIDFD returns the descriptor of the process, pidfd_open(2). The Process keeps it.
func (p *Process) PIDFD() *os.File { return p.pidfd }

// newProcess takes the pidfd.
func newProcess(pid, pidfd int) *Process {
	return &Process{pid: pid, pidfd: os.NewFile(uintptr(pidfd), "pidfd")}
}

// Adopt returns a child of this process that Start has not made, such as one that another program has made for it with
// CLONE_PARENT. The error wraps ECHILD if the process is no child of this one, or was reaped; ESRCH if there is none,
// and EINVAL if there can be none with this number. That number must not have become another child's meanwhile.
func Adopt(pid int) (*Process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	for {
		// WNOWAIT: if it has ended already, it is still to be reaped.
		err = unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, nil)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("process %d is no child of this one: waitid: %w", pid, err)
	}
	return newProcess(pid, fd), nil
}

// Signal sends sig to the process; ESRCH means that it has ended.
func (p *Process) Signal(sig unix.Signal) error {
	rc, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	if e := rc.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); e != nil {
		return e
	}
	return os.NewSyscallError("pidfd_send_signal", err)
}

// Wait waits until the process has ended and reaps it. It must be called only once. ECHILD means that the process was
// reaped elsewhere.
func (p *Process) Wait(ctx context.Context) (status syscall.WaitStatus, err error) {
	if p.pid <= 0 {
		return 0, os.ErrInvalid // wait4(2) would reap any child of this process's group
	}
	if ctx == nil {
		ctx = context.Background()
	}
	ended, err := p.reap(&status)
	if ended || err != nil {
		return status, err
	}
	f, err := p.pollable()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	e := rc.Read(func(uintptr) bool {
		ended, err = p.reap(&status)
		return ended || err != nil
	})
	if e != nil && ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if e != nil {
		return 0, e
	}
	return status, err
}

// reap reaps the process if it has ended.
func (p *Process) reap(status *syscall.WaitStatus) (ended bool, err error) {
	for {
		pid, err := syscall.Wait4(p.pid, status, syscall.WNOHANG|syscall.WALL, nil)
		if err != syscall.EINTR {
			return pid != 0 && err == nil, os.NewSyscallError("wait4", err)
		}
	}
}

// ended reports whether the process has ended. It does not reap it.
func (p *Process) ended() bool { return ended(int(p.pidfd.Fd())) }

// ended reports whether the process of a pidfd has ended, pidfd_open(2).
func ended(pidfd int) bool {
	set := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(set, 0)
	return err == nil && n > 0
}

// pollable returns a copy of the pidfd for Go's poller, so that no thread blocks in the wait. The pidfd itself is not
// registered, because the poller costs a process that only starts another one two descriptors and some system calls.
func (p *Process) pollable() (*os.File, error) {
	rc, err := p.pidfd.SyscallConn()
	if err != nil {
		return nil, err
	}
	var dup int
	if e := rc.Control(func(fd uintptr) { dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(dup, true); err != nil {
		_ = unix.Close(dup)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(dup), "pidfd"), nil
}

// Release gives up the process without waiting for it.
func (p *Process) Release() error { return p.pidfd.Close() }

// kill kills and reaps the process. It gives up after ten seconds on a process that the kernel cannot end.
func (p *Process) kill() (syscall.WaitStatus, error) {
	if err := p.Signal(unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return p.Wait(ctx)
}
