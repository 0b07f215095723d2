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

// foreground is what stands between the runtime's caller and a container in the foreground: signals one way, the end of
// processes the other.
type foreground struct {
	set       signals.Set        // all that are taken
	fds       []int              // eventfds that tell of them
	interrupt *signals.Interrupt // the making's context; nil: another one
	commit    func()             // of until
}

// watchSignals begins to collect signals: from now on none is lost, and none ends this process.
func watchSignals(ctx context.Context) (*foreground, error) {
	f := &foreground{set: signals.SetOf(append(Forwarded(), unix.SIGCHLD, unix.SIGWINCH)...)}
	// nohup(1): to collect a SIGHUP that the caller ignores would undo that.
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

// until is ctx as long as the program may not run. Up to then a signal to end ends the making of the container; from
// complete on it is the program's, and must not undo what has been made at the same time.
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

// complete is the end of until's context. It comes before the program may run.
func (f *foreground) complete() { f.commit() }

// wait forwards signals and reaps every child until the container's own process has ended, and returns how it did.
// proxy is nil without a terminal. No other goroutine may wait for a child meanwhile.
func (f *foreground) wait(p *spawn.Process, proxy *console.Proxy) (syscall.WaitStatus, error) {
	for {
		// A SIGCHLD is only one of the reasons to look: the child may have ended before the first of them.
		for arrived := signals.Take(f.set); arrived != 0; {
			var s unix.Signal
			s, arrived = arrived.Next()
			if s != unix.SIGCHLD && forTerminal(s, proxy) {
				_ = p.Signal(s) // a process that has just ended is about to be reaped here
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

// abort gets a value when a signal has arrived that wait did not forward: there is nobody any more to forward it to.
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

// forTerminal does what a signal means to the terminal that this command shows, and tells whether the container is to
// have it as well.
func forTerminal(s os.Signal, proxy *console.Proxy) bool {
	switch {
	case s == unix.SIGWINCH:
		if proxy != nil {
			proxy.Resize()
		}
		return false
	case proxy == nil:
	case s == unix.SIGTSTP:
		// Job control inside is the container's terminal's; this one is for the command itself. Whoever is in the foreground
		// next finds the terminal as it was.
		proxy.Suspend()
		_ = unix.Kill(unix.Getpid(), unix.SIGSTOP)
		return false
	case s == unix.SIGCONT:
		_ = proxy.Resume() // a terminal that is gone is found by the copying
	}
	return true
}

// reap takes every child that has ended, and tells whether the one with this id is among them.
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
			return 0, false, os.NewSyscallError("wait4", err) // somebody else has taken it
		default:
			return status, ended, nil
		}
	}
}

// exitStatus is what a shell would say of the process's end: its status, or 128 and the signal's number.
func exitStatus(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}
