package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// A service manager learns that a service is ready from a datagram on the socket in NOTIFY_SOCKET (sd_notify(3)).
// The container's program cannot reach that socket, and the manager accepts datagrams only from processes that it
// knows. So the runtime gives the container a socket of its own, in a directory beside the state that is bound into
// the container, and forwards the message.
const (
	notifyVariable = "NOTIFY_SOCKET"
	notifyDir      = "notify"      // beside the state
	notifyInside   = "/run/notify" // the directory's path in the container, as with runc
	notifyName     = "notify.sock"
	// barrierPatience bounds the wait for the manager to process its message. As in runc, the runtime waits that
	// long, because a sender that has exited cannot be matched to its service, which is worse than a delay.
	barrierPatience = 30 * time.Second
)

// notifyMount binds the directory into the container if there is a manager to notify and the container has a
// process.
func (c *creation) notifyMount() {
	if os.Getenv(notifyVariable) == "" || c.state.NoProcess {
		return
	}
	if !c.ownMounts() {
		c.r.Log.Warnf("%s: without a mount namespace the container cannot be given a socket: its readiness is not told",
			notifyVariable)
		return
	}
	cfg := &c.plan.Spawn.Container
	cfg.Mounts = append(cfg.Mounts, container.Mount{
		Destination: notifyInside, Source: filepath.Join(c.r.Root, c.o.ID, notifyDir), Bind: true,
		Set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_RDONLY,
	})
	cfg.Process.Env = append(cfg.Process.Env, notifyVariable+"="+notifyInside+"/"+notifyName)
	c.notifies = true
}

// ownMounts reports whether the container has a mount namespace of its own, new or joined.
func (c *creation) ownMounts() bool {
	for _, n := range c.plan.Spawn.Namespaces {
		if n.Kind == container.NSMount {
			return true
		}
	}
	return false
}

// makeNotifyDir makes the directory that notifyMount binds.
func (c *creation) makeNotifyDir() error {
	if !c.notifies {
		return nil
	}
	path := c.dir.Path(notifyDir)
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	return os.Chmod(path, 0o755) // regardless of the umask: the container's user must get through
}

// readiness is a container's socket, and the manager that waits for the container to become ready.
type readiness struct {
	manager string // address, as in NOTIFY_SOCKET
	socket  *os.File
}

// listenForReadiness opens the container's socket. It returns nil if the container was given none or if there is no
// manager to notify. It must be called before the program may run.
func listenForReadiness(dir string) (*readiness, error) {
	manager := os.Getenv(notifyVariable)
	path := filepath.Join(dir, notifyDir)
	if manager == "" {
		return nil, nil
	}
	parent, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(parent)
	if !strings.HasPrefix(manager, "/") && !strings.HasPrefix(manager, "@") {
		return nil, fmt.Errorf("environment variable %s: %q is neither an absolute path nor an abstract socket: %w",
			notifyVariable, manager, unix.EINVAL)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	socket := os.NewFile(uintptr(fd), "notify")
	// Through the descriptor, because a path of more than 107 bytes does not fit a socket address (unix(7)).
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(parent) + "/" + notifyName})
	if err == nil {
		err = unix.Fchmodat(parent, notifyName, 0o777, 0)
	}
	if err != nil {
		_ = socket.Close()
		return nil, &os.PathError{Op: "bind", Path: filepath.Join(path, notifyName), Err: err}
	}
	return &readiness{manager: manager, socket: socket}, nil
}

// tell waits until the container says that it is ready, and tells the manager so. With a pid it also tells the
// manager which process to watch from now on. It gives up when ctx is done.
func (w *readiness) tell(ctx context.Context, pid int) error {
	stop := context.AfterFunc(ctx, func() { _ = w.socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	message := make([]byte, 4096)
	for {
		n, err := w.socket.Read(message)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		if saysReady(message[:n]) {
			return w.handOn(pid)
		}
	}
}

// saysReady reports whether a datagram, which consists of lines NAME=value, says READY=1.
func saysReady(message []byte) bool {
	for l := range bytes.SplitSeq(message, []byte{'\n'}) {
		if string(l) == "READY=1" {
			return true
		}
	}
	return false
}

// handOn tells the manager and waits until it has processed the message: the manager cannot match a message to a
// process that has exited by then.
func (w *readiness) handOn(pid int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	failed := func(op string, err error) error { return &os.PathError{Op: op, Path: w.manager, Err: err} }
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: w.manager}); err != nil {
		return failed("connect", err)
	}
	text := "READY=1"
	if pid > 0 {
		text += "\nMAINPID=" + strconv.Itoa(pid)
	}
	if _, err := unix.SendmsgN(fd, []byte(text), nil, nil, unix.MSG_NOSIGNAL); err != nil {
		return failed("sendmsg", err)
	}
	// sd_notify_barrier(3): the manager closes the descriptor when it gets to this message.
	mine, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer mine.Close()
	_, err = unix.SendmsgN(fd, []byte("BARRIER=1"), unix.UnixRights(int(theirs.Fd())), nil, unix.MSG_NOSIGNAL)
	_ = theirs.Close()
	if err != nil {
		return failed("sendmsg", err)
	}
	_ = mine.SetReadDeadline(time.Now().Add(barrierPatience))
	_, _ = mine.Read(make([]byte, 1)) // the deadline is for a manager that does not know barriers
	return nil
}

func (w *readiness) close() {
	if w != nil {
		_ = w.socket.Close()
	}
}

// awaitReadiness is tell for a container whose command does not stay in the foreground. It also returns when the
// container's first process ends. As with runc, that is a warning and not an error, because the program has run,
// and the manager sees that it has ended.
func (r *Runtime) awaitReadiness(ctx context.Context, w *readiness, id string, pid int, started uint64) error {
	if w == nil {
		return nil
	}
	r.enter(phaseReadiness)
	err := w.tellWhile(ctx, pid, started)
	switch {
	case errors.Is(err, errGone):
		r.Log.Warnf("container %s: its process has ended and never said to %s that it is ready", id, notifyVariable)
		return nil
	case err != nil:
		return fmt.Errorf("container %s: %w", id, err)
	}
	return nil
}

// tellWhile is like tell, but returns errGone when the process ends.
func (w *readiness) tellWhile(ctx context.Context, pid int, started uint64) error {
	h, err := openProcess(pid, started)
	if err != nil {
		return err
	}
	defer h.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		if h.wait(ctx) == nil {
			cancel(errGone)
		}
	}()
	return w.tell(ctx, pid)
}
