package lifecycle

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci/state"
)

// handle is a process held by a pidfd, of which it was checked that it is the one meant: a process id alone may have
// come to mean another process.
type handle struct {
	pid   int
	pidfd *os.File
}

// errGone says that the process meant does not exist any more, not even as a zombie that counts.
var errGone = errors.New("process already finished")

// openProcess holds the process that has this id and started at this time (as state.ProcessStart gives it). A zombie is
// gone: nobody can do anything with it. The caller closes the handle.
func openProcess(pid int, started uint64) (*handle, error) {
	if pid <= 0 {
		return nil, errGone
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH || err == unix.EINVAL { // EINVAL: a thread's id by now
		return nil, errGone
	}
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	_ = unix.SetNonblock(fd, true) // so that the poller waits for it and not a thread
	h := &handle{pid: pid, pidfd: os.NewFile(uintptr(fd), "pidfd")}
	// Only now, with the process held: what /proc says of the number is about the held one, or the held one is gone.
	at, alive, err := state.ProcessStart(pid)
	if err == nil && (!alive || at != started) {
		err = errGone
	}
	if err != nil {
		_ = h.close()
		return nil, err
	}
	return h, nil
}

func (h *handle) close() error { return h.pidfd.Close() }

// alive reports whether the process has not ended yet.
func (h *handle) alive() bool {
	ended := false
	rc, err := h.pidfd.SyscallConn()
	if err != nil {
		return false
	}
	_ = rc.Control(func(fd uintptr) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		ended = n > 0 && err == nil
	})
	return !ended
}

// signal sends sig; errGone means that the process has ended meanwhile.
func (h *handle) signal(sig unix.Signal) error {
	rc, err := h.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	if e := rc.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); e != nil {
		return e
	}
	if err == unix.ESRCH {
		return errGone
	}
	return os.NewSyscallError("pidfd_send_signal", err)
}

// wait returns once the process has ended, reaped or not; it need not be a child.
func (h *handle) wait(ctx context.Context) error {
	rc, err := h.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = h.pidfd.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = rc.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 && err == nil
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
