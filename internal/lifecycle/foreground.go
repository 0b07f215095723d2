package lifecycle

import (
	"context"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/console"
	"github.com/handfast/handfast/internal/signals"
	"github.com/handfast/handfast/spawn"
)

// foreground connects the runtime's caller to a container in the foreground. It passes signals to the container,
// and the end of processes to the caller.
type foreground struct {
	set       signals.Set        // all signals that are caught
	fds       []int              // eventfds that become readable when one arrives
	interrupt *signals.Interrupt // the context of the creation; nil if that has another type
	commit    func()             // set by until
}

// watchSignals starts to collect signals: from now on none is lost, and none ends this process.
func watchSignals(ctx context.Context) (*foreground, error) {
	f := &foreground{set: signals.SetOf(append(Forwarded(), unix.SIGCHLD, unix.SIGWINCH)...)}
	// nohup(1): collecting a SIGHUP that the caller ignores would undo that.
	if signals.Ignored(unix.SIGHUP) {
		f.set &^= signals.SetOf(unix.SIGHUP)
	}
	rest := f.set
	if i, ok := ctx.(*signals.Interrupt); ok {
		f.interrupt = i
		rest &^= i.Signals()
		f.fds = append(f.fds, i.WakeFD())
	}
	fd, err := signals.NewEventfd()
	if err != nil {
		return nil, err
	}
	f.fds = append(f.fds, fd)
	return f, signals.Catch(rest, fd)
}

// until returns the context to use until the program may run. Until complete is called, a terminating signal stops
// the creation of the container. After that the signal is for the program, and must not undo what was made at the
// same time.
func (f *foreground) until(ctx context.Context) context.Context {
	if f.interrupt != nil {
		f.commit = f.interrupt.Commit
		return ctx
	}
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	f.commit = func() { stop() }
	return inner
}

// complete ends the time that until's context is for. It must be called before the program may run.
func (f *foreground) complete() { f.commit() }

// wait forwards signals and reaps every child until the container's own process has ended. It returns how that
// process ended. proxy is nil without a terminal. No other goroutine may wait for a child meanwhile.
func (f *foreground) wait(p *spawn.Process, proxy *console.Proxy) (syscall.WaitStatus, error) {
	for {
		// Reap even without a SIGCHLD: the child may have ended before signals were collected.
		for arrived := signals.Take(f.set); arrived != 0; {
			var s unix.Signal
			s, arrived = arrived.Next()
			if s != unix.SIGCHLD && forTerminal(s, proxy) {
				_ = p.Signal(s) // an error means that the process has just ended and is reaped below
			}
		}
		if status, ended, err := reap(p.PID()); ended || err != nil {
			return status, err
		}
		if err := signals.Wait(len(f.fds), f.fds...); err != nil {
			return 0, err
		}
	}
}

// abort returns a channel that gets a value when a signal arrives that wait did not forward, as there is no process
// left to forward it to.
func (f *foreground) abort() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	go func() {
		for {
			if s, _ := (signals.Take(f.set) &^ signals.SetOf(unix.SIGCHLD)).Next(); s != 0 {
				c <- s
				return
			}
			if signals.Wait(len(f.fds), f.fds...) != nil {
				return
			}
		}
	}()
	return c
}

// forTerminal applies a signal to the terminal that this command shows, and reports whether to forward the signal
// to the container as well.
func forTerminal(s os.Signal, proxy *console.Proxy) bool {
	switch {
	case s == unix.SIGWINCH:
		if proxy != nil {
			proxy.Resize()
		}
		return false
	case proxy == nil:
	case s == unix.SIGTSTP:
		// Job control inside the container belongs to the container's terminal. This signal is for the command
		// itself: the next foreground job finds the host's terminal as it was.
		proxy.Suspend()
		_ = unix.Kill(unix.Getpid(), unix.SIGSTOP)
		return false
	case s == unix.SIGCONT:
		_ = proxy.Resume() // the copying notices a terminal that is gone
	}
	return true
}

// reap waits for every child that has ended, and reports whether the one with this id is among them.
func reap(pid int) (status syscall.WaitStatus, ended bool, err error) {
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, syscall.WNOHANG|syscall.WALL, nil)
		switch {
		case err == syscall.EINTR:
		case got == pid:
			status, ended = ws, true
		case got > 0: // an orphan of the container
		case err == syscall.ECHILD && !ended && got != 0:
			return 0, false, os.NewSyscallError("wait4", err) // something else has reaped it
		default:
			return status, ended, nil
		}
	}
}

// exitStatus returns what a shell would report for the process: its exit status, or 128 plus the signal's number.
func exitStatus(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}
