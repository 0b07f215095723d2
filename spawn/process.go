package spawn

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a child that was started. It is held by a pidfd, so its number cannot come to mean another process.
type Process struct {
	pid   int
	pidfd *os.File
}

// PID is the child's process id as the parent sees it.
func (p *Process) PID() int { return p.pid }

// PIDFD is the descriptor of the process, pidfd_open(2). The Process keeps it.
func (p *Process) PIDFD() *os.File { return p.pidfd }

// newProcess takes the pidfd.
func newProcess(pid, pidfd int) *Process {
	// Nonblocking, so that the runtime's poller waits for it and not a thread.
	_ = unix.SetNonblock(pidfd, true)
	return &Process{pid: pid, pidfd: os.NewFile(uintptr(pidfd), "pidfd")}
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

// Wait waits until the process has ended and reaps it. It is called once; ECHILD means that somebody else has reaped the process.
func (p *Process) Wait(ctx context.Context) (status syscall.WaitStatus, err error) {
	rc, err := p.pidfd.SyscallConn()
	if err != nil {
		return 0, err
	}
	if err := p.pidfd.SetReadDeadline(time.Time{}); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = p.pidfd.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	e := rc.Read(func(uintptr) bool {
		var pid int
		for {
			pid, err = syscall.Wait4(p.pid, &status, syscall.WNOHANG|syscall.WALL, nil)
			if err != syscall.EINTR {
				break
			}
		}
		return pid != 0
	})
	if e != nil && ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if e != nil {
		return 0, e
	}
	return status, os.NewSyscallError("wait4", err)
}

// Release gives up the process without waiting for it.
func (p *Process) Release() error { return p.pidfd.Close() }

// exited calls f once the process has ended, from a goroutine of its own that ends with the process or with stop. It does not reap.
func (p *Process) exited(f func()) (stop func(), err error) {
	// A second descriptor: a Wait on the first one may have deadlines.
	var dup int
	rc, err := p.pidfd.SyscallConn()
	if err != nil {
		return nil, err
	}
	if e := rc.Control(func(fd uintptr) { dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); e != nil || err != nil {
		return nil, os.NewSyscallError("fcntl", errors.Join(e, err))
	}
	file := os.NewFile(uintptr(dup), "pidfd")
	rc, err = file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended := false
		err := rc.Read(func(fd uintptr) bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			ended = n > 0 && err == nil
			return ended
		})
		if err == nil && ended {
			f()
		}
	}()
	return func() {
		_ = file.Close()
		<-done
	}, nil
}

// kill ends the process and reaps it, within a bound: a process that the kernel cannot end is reported, not waited for.
func (p *Process) kill() (syscall.WaitStatus, error) {
	if err := p.Signal(unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return p.Wait(ctx)
}
