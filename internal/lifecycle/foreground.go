package lifecycle

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/console"
	"github.com/handfast/handfast/spawn"
)

// foreground is what stands between the runtime's caller and a container in the foreground: signals one way, the end of processes the other.
type foreground struct {
	signals chan os.Signal
	ready   chan struct{} // closed once all of them are collected
	commit  func() bool   // of until
}

// watchSignals begins to collect signals. Package os/signal needs two switches of threads for each, all together more than a millisecond: so they are collected beside the
// making of the container, and complete is called before it may run. From then on none is lost, and none ends this process.
func watchSignals() *foreground {
	f := &foreground{signals: make(chan os.Signal, 256), ready: make(chan struct{})}
	go func() {
		defer close(f.ready)
		signal.Notify(f.signals, unix.SIGCHLD, unix.SIGWINCH)
		for _, s := range Forwarded() {
			// nohup(1): to collect a SIGHUP that the caller ignores would undo that.
			if s != unix.SIGHUP || !signal.Ignored(s) {
				signal.Notify(f.signals, s)
			}
		}
	}()
	return f
}

// until is ctx as long as the program may not run. Up to then a signal to end ends the making of the container; from complete on it is the program's, and must not undo what has been
// made at the same time.
func (f *foreground) until(ctx context.Context) context.Context {
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	f.commit = context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return inner
}

// collected returns once every signal is collected: none ends this process from then on.
func (f *foreground) collected() { <-f.ready }

// complete is collected, and the end of until's context. It comes before the program may run.
func (f *foreground) complete() {
	f.collected()
	f.commit()
}

// wait forwards signals and reaps every child until the container's own process has ended, and returns how it did. proxy is nil without a terminal.
// No other goroutine may wait for a child meanwhile.
func (f *foreground) wait(p *spawn.Process, proxy *console.Proxy) (syscall.WaitStatus, error) {
	// A child that ended before has its SIGCHLD in the channel, or none at all if the signals before it filled it: look once.
	if status, ended, err := reap(p.PID()); ended || err != nil {
		return status, err
	}
	for s := range f.signals {
		if s == unix.SIGCHLD {
			if status, ended, err := reap(p.PID()); ended || err != nil {
				return status, err
			}
		} else if forTerminal(s, proxy) {
			_ = p.Signal(s.(syscall.Signal)) // a process that has just ended is about to be reaped here
		}
	}
	return 0, unix.ECHILD // the channel is never closed
}

// forTerminal does what a signal means to the terminal that this command shows, and tells whether the container is to have it as well.
func forTerminal(s os.Signal, proxy *console.Proxy) bool {
	switch {
	case s == unix.SIGWINCH:
		if proxy != nil {
			proxy.Resize()
		}
		return false
	case proxy == nil:
	case s == unix.SIGTSTP:
		// Job control inside is the container's terminal's; this one is for the command itself. Whoever is in the foreground next finds the terminal as it was.
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
