package lifecycle

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci/state"
)

// handle is a process held by a pidfd. It has been checked to be the intended process, because a process id alone
// may have been reused.
type handle struct {
	pid   int
	pidfd *os.File
}

// errGone says that the intended process does not exist any more; a zombie counts as gone.
var errGone = errors.New("process already finished")

// openProcess opens the process that has this id and started at this time (as state.ProcessStart returns it). A
// zombie counts as gone, because nothing can be done with it. The caller closes the handle.
func openProcess(pid int, started uint64) (*handle, error) {
	if pid <= 0 {
		return nil, errGone
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH || err == unix.EINVAL { // EINVAL: the id is now a thread's
		return nil, errGone
	}
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	_ = unix.SetNonblock(fd, true) // so that the poller waits for it, and no thread is blocked
	h := &handle{pid: pid, pidfd: os.NewFile(uintptr(fd), "pidfd")}
	// Read the start time only now that the process is held: /proc then describes the held process, or that has
	// ended.
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

// signal sends sig. errGone means that the process has ended meanwhile.
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

// wait returns once the process has ended, whether or not it has been reaped. It need not be a child.
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
