package nsinit

import (
	"context"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// find looks the program up as the user that will run it, so that a program that is missing or may not be executed is an error of "create" already. Callers of a runtime look for
// certain words in the text, so they are those of package os/exec.
func (c *child) find(name string) error {
	if strings.Contains(name, "/") {
		switch err := executable(name); err {
		case nil:
		case unix.EACCES, unix.EISDIR:
			return &programError{name, err.Error(), err}
		default:
			return &programError{name, "stat " + name + ": " + err.Error(), err}
		}
		c.program = name
		return nil
	}
	var denied error
	for _, dir := range strings.Split(c.variable("PATH"), ":") {
		if dir == "" {
			dir = "."
		}
		p := dir + "/" + name
		switch err := executable(p); err {
		case nil:
			c.program = p
			return nil
		case unix.EACCES:
			denied = err
		}
	}
	if denied != nil {
		return &programError{name, denied.Error(), denied}
	}
	return &programError{name, "executable file not found in $PATH", unix.ENOENT}
}

func (c *child) variable(name string) string {
	for _, e := range c.env {
		if n, v, _ := strings.Cut(e, "="); n == name {
			return v
		}
	}
	return ""
}

// executable is nil if this thread's user may execute the file.
func executable(p string) error {
	var st unix.Stat_t
	if err := unix.Stat(p, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EISDIR
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0 {
		return unix.EACCES
	}
	return unix.Faccessat(unix.AT_FDCWD, p, unix.X_OK, unix.AT_EACCESS)
}

// programError is a program that cannot be executed.
type programError struct {
	name, text string
	err        error
}

func (e *programError) Error() string { return fmt.Sprintf("exec: %q: %s", e.name, e.text) }
func (e *programError) Unwrap() error { return e.err }

// gate says EXEC to the parent that made the container, which can then end, and waits for whoever opens the gate. From then on that one is the parent: it hears of the
// execution, or why it failed.
func (c *child) gate() error {
	listener := c.fds[c.cfg.GateFD-1]
	ctx := context.Background()
	if err := c.peer.Exec(ctx); err != nil {
		return err
	}
	_ = c.peer.Close()
	c.waiting = true
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err == unix.EINTR || err == unix.ECONNABORTED {
			continue
		}
		if err != nil {
			return op("accept", "the gate", err)
		}
		peer, err := opened(ctx, fd)
		if err != nil {
			continue // whoever it was went away again, or spoke something else: the gate stays closed
		}
		c.peer = peer
		sys.Close(listener)
		return nil
	}
}

// opened is the conversation with who connected to the gate, up to CONFIG_OK.
func opened(ctx context.Context, fd int) (*transport.Peer, error) {
	conn, err := transport.TakeBlocking(fd)
	if err != nil {
		sys.Close(fd)
		return nil, err
	}
	peer, err := transport.NewChild(conn, container.StartProfile(), transport.Options{})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	_, fds, err := peer.Accept(ctx)
	transport.CloseAll(fds)
	if err == nil {
		err = peer.Confirm(ctx)
	}
	if err != nil {
		_ = peer.Fail(ctx, err)
		return nil, err
	}
	return peer, nil
}

// exec executes the program. The socket is CLOEXEC, so its end is the proof of the execution for who waits at the other side.
func (c *child) exec() error {
	if err := c.peer.Exec(context.Background()); err != nil {
		return err
	}
	// syscall.Exec and not the bare call: it waits for threads in the making, and gives RLIMIT_NOFILE its value of before the runtime.
	return op("execve", c.program, syscall.Exec(c.program, c.cfg.Process.Args, c.env))
}
