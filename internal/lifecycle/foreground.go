package lifecycle

import (
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/console"
	"github.com/handfast/handfast/spawn"
)

// foreground is what stands between the runtime's caller and a container in the foreground: signals one way, the end of processes the other.
type foreground struct {
	signals chan os.Signal
	later   []unix.Signal // not collected yet
}

// prompt are the signals that are collected before the container exists, so that none is lost: the end of a child, and those that ask for an end.
var prompt = [...]os.Signal{unix.SIGCHLD, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM}

// watchSignals begins to collect signals. The rest follows in wait, while the container runs already: package os/signal needs two switches of threads for each
// of them, all together more than a millisecond.
func watchSignals(terminal bool) *foreground {
	f := &foreground{signals: make(chan os.Signal, 256)}
	signal.Notify(f.signals, withoutNohup(prompt[:])...)
	if terminal {
		f.later = append(f.later, unix.SIGWINCH)
	}
	for _, s := range Forwarded() {
		if !slices.Contains(prompt[:], os.Signal(s)) {
			f.later = append(f.later, s)
		}
	}
	return f
}

// withoutNohup leaves out SIGHUP where the caller ignores it, as nohup(1) does: to collect it would undo that.
func withoutNohup(signals []os.Signal) []os.Signal {
	if !signal.Ignored(unix.SIGHUP) {
		return signals
	}
	return slices.DeleteFunc(slices.Clone(signals), func(s os.Signal) bool { return s == unix.SIGHUP })
}

// wait forwards signals and reaps every child until the container's own process has ended, and returns how it did. proxy is nil without a terminal.
// No other goroutine may wait for a child meanwhile.
func (f *foreground) wait(p *spawn.Process, proxy *console.Proxy) (syscall.WaitStatus, error) {
	for {
		// The first look is for a child that ended before: its SIGCHLD is in the channel, or was dropped from a full one.
		if status, ended, err := reap(p.PID()); ended || err != nil {
			return status, err
		}
		if len(f.later) == 0 {
			break
		}
		signal.Notify(f.signals, f.later[0])
		f.later = f.later[1:]
	}
	if proxy != nil {
		proxy.Resize() // the size may have changed before SIGWINCH was collected
	}
	for s := range f.signals {
		switch s {
		case unix.SIGCHLD:
			if status, ended, err := reap(p.PID()); ended || err != nil {
				return status, err
			}
		case unix.SIGWINCH:
			if proxy != nil {
				proxy.Resize()
			}
		default:
			_ = p.Signal(s.(syscall.Signal)) // a process that has just ended is about to be reaped here
		}
	}
	return 0, unix.ECHILD // the channel is never closed
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
