package nsinit

import (
	"context"
	"fmt"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/interpreter"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// programStep finds the program.
type programStep struct{ name string }

func (programStep) stage() stage        { return stageProgram }
func (s programStep) detail() string    { return s.name }
func (s programStep) do(c *child) error { return c.find(s.name) }

// readyStep waits for the parent's "run".
type readyStep struct{}

func (readyStep) stage() stage      { return stageReady }
func (readyStep) detail() string    { return "" }
func (readyStep) do(c *child) error { return request(c, container.ReadyRequest) }

// find looks the program up as the user that will run it, so that a program that is missing or may not be executed is
// an error of "create" already. Callers of a runtime look for certain words in the text, so they are those of package
// os/exec.
func (c *child) find(name string) error {
	if strings.Contains(name, "/") {
		if err := executable(name); err != nil {
			return notExecutable(name, err)
		}
		c.program = name
		return nil
	}
	for _, dir := range strings.Split(c.variable("PATH"), ":") {
		if dir == "" {
			dir = "."
		}
		p := dir + "/" + name
		switch {
		case executable(p) != nil:
		case !path.IsAbs(dir):
			// As package os/exec: what stands in the working directory must not come to mean a program by its name
			// alone.
			return &programError{name, "cannot run executable found relative to current directory", unix.EACCES}
		default:
			c.program = p
			return nil
		}
	}
	return notInPath(name)
}

// notExecutable is the error of a program that is given by its path.
func notExecutable(name string, err error) error {
	if err == unix.EACCES || err == unix.EISDIR {
		return &programError{name, err.Error(), err}
	}
	return &programError{name, "stat " + name + ": " + err.Error(), err}
}

// notInPath is the error of a program that the search did not find, also where it found one that may not be executed:
// the words are what managers make status 127 of, with every runtime whose search is that of package os/exec.
func notInPath(name string) error {
	return &programError{name, "executable file not found in $PATH", unix.ENOENT}
}

func (c *child) variable(name string) string { return variableOf(c.env, name) }

// variableOf is the value of a variable of an environment; empty where it has none.
func variableOf(env []string, name string) string {
	for _, e := range env {
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

// gateStep waits at the gate.
type gateStep struct{}

func (gateStep) stage() stage      { return stageGate }
func (gateStep) detail() string    { return "" }
func (gateStep) do(c *child) error { return c.gate() }

// gate says EXEC to the parent that made the container, which can then end, and waits for whoever opens the gate. From
// then on that one is the parent: it hears of the execution, or why it failed.
func (c *child) gate() error {
	listener := c.fds[c.cfg.GateFD-1]
	ctx := context.Background()
	// The parent has done this already; once more, so that who connects can ask the kernel which process waits here
	// (SO_PEERCRED, unix(7)).
	if err := unix.Listen(listener, 1); err != nil {
		return op("listen", "the gate", err)
	}
	if err := c.peer.Exec(ctx); err != nil {
		return err
	}
	_ = c.peer.Close()
	c.waiting, c.parent = true, 0
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err == unix.EINTR || err == unix.ECONNABORTED {
			continue
		}
		if err != nil {
			return op("accept", "the gate", err)
		}
		peer, err := c.opened(ctx, fd)
		if err != nil {
			continue // whoever it was went away again, or spoke something else: the gate stays closed
		}
		c.peer, c.parent = peer, fd
		sys.Close(listener)
		return nil
	}
}

// opened is the conversation with who connected to the gate, up to CONFIG_OK.
func (c *child) opened(ctx context.Context, fd int) (*transport.Child, error) {
	conn, err := transport.Take(fd)
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
		err = peer.Narrow(container.NarrowStart(container.StartProfile(), c.cfg.Process.Listens()))
	}
	if err == nil {
		err = peer.Confirm(ctx)
	}
	if err != nil {
		_ = peer.Fail(ctx, err)
		return nil, err
	}
	return peer, nil
}

// notExecuted is an execution that failed. With its stage it reads "exec /run.sh: no such file or directory", the words
// that callers of a runtime look for; a missing interpreter or loader is named after them.
func (c *child) notExecuted(err error) error {
	switch {
	case c.filter == nil:
		err = interpreter.Explain(err, c.program)
	case err == unix.ENOENT && c.missing != nil:
		err = c.missing
	}
	return op("", c.program, err)
}

// execStep executes the program, whose name is empty where there is none.
type execStep struct{ program string }

func (execStep) stage() stage     { return stageExec }
func (s execStep) detail() string { return s.program }

func (execStep) do(c *child) error {
	if c.filter != nil {
		return c.execFiltered()
	}
	return c.exec()
}

// exec executes the program. The socket is CLOEXEC, so its end is the proof of the execution for who waits at the other
// side.
func (c *child) exec() error {
	if err := c.peer.Exec(context.Background()); err != nil {
		return err
	}
	emptyMask() // a hook's making has put back what the Go runtime began with
	// syscall.Exec and not the bare call: it waits for threads in the making, and gives RLIMIT_NOFILE its value of before
	// the runtime.
	return c.notExecuted(syscall.Exec(c.program, c.cfg.Process.Args, c.env))
}
