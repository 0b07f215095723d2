package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/filtercache"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/spawn"
)

// agentPatience bounds how long an agent may take to accept its listener.
const agentPatience = 10 * time.Second

// agent is the seccomp agent that handles the system calls of a filter with SCMP_ACT_NOTIFY, and the data that is
// sent to it.
type agent struct {
	entry  *filtercache.Entry
	state  *state.State
	status string // the container's
	has    bool   // the listener was handed over
}

// listener returns the function that spawn calls with the listener, or nil if the filter has none.
func (a *agent) listener() spawn.Listener {
	if a.entry == nil || !a.entry.Notify {
		return nil
	}
	return a.take
}

// take hands the listener to the agent, with the state of the process, in one message.
func (a *agent) take(_ context.Context, pid int, listener *os.File) error {
	defer listener.Close()
	message, err := json.Marshal(state.ContainerProcess{
		OCIVersion: oci.Version, FDs: []string{state.SeccompFD}, PID: pid,
		Metadata: a.entry.Metadata, State: a.state.Hook(a.status),
	})
	if err == nil {
		err = handOver(a.entry.Path, message, listener, agentPatience)
	}
	if err != nil {
		return fmt.Errorf("failed to connect with seccomp agent at linux.seccomp.listenerPath: %w", err)
	}
	a.has = true
	return nil
}

// explain adds to the error of a start that the agent was handling system calls of the container.
func (a *agent) explain(err error) error {
	if err == nil || !a.has {
		return err
	}
	return fmt.Errorf("%w (system calls of this container go to the agent at %s)", err, a.entry.Path)
}

// handOver sends a message and one descriptor to the Unix stream socket at path. It borrows file. If the receiver
// is too slow, it returns os.ErrDeadlineExceeded.
func handOver(path string, message []byte, file *os.File, patience time.Duration) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", path, os.NewSyscallError("socket", err))
	}
	defer unix.Close(fd)
	end := time.Now().Add(patience)
	if err := connectBefore(fd, path, end); err != nil {
		return &os.PathError{Op: "connect", Path: path, Err: late(err, "it accepts no connection", patience)}
	}
	rights := unix.UnixRights(int(file.Fd()))
	for len(message) > 0 {
		if err := waitUntil(fd, end); err != nil {
			return &os.PathError{Op: "sendmsg", Path: path, Err: late(err, "it does not read", patience)}
		}
		n, err := unix.SendmsgN(fd, message, rights, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "sendmsg", Path: path, Err: late(err, "it does not read", patience)}
		}
		message, rights = message[n:], nil
	}
	return nil
}

// connectBefore connects through a descriptor of the socket, because a path of more than 107 bytes does not fit a
// socket address (unix(7)).
func connectBefore(fd int, path string, end time.Time) error {
	socket, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	for {
		if err := waitUntil(fd, end); err != nil {
			return err
		}
		err := unix.Connect(fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(socket)})
		if err != unix.EINTR {
			return err
		}
	}
}

// waitUntil makes the next connect(2) or sendmsg(2) fail with EAGAIN at the given time (SO_SNDTIMEO, socket(7)).
func waitUntil(fd int, end time.Time) error {
	left := time.Until(end)
	if left <= 0 {
		return unix.EAGAIN
	}
	tv := unix.NsecToTimeval(max(left, time.Millisecond).Nanoseconds())
	return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
}

// late turns the EAGAIN of a system call that timed out into words.
func late(err error, what string, patience time.Duration) error {
	if errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("%s within %v: %w", what, patience, os.ErrDeadlineExceeded)
	}
	return err
}
