package nsinit

import (
	"context"
	"fmt"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/interpreter"
	"github.com/handfast/handfast/internal/smallchild"
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

// find looks up the program as the user that will run it, so that "create" already fails if the program is missing
// or may not be executed. Callers of a runtime look for certain words in the text, so the words are those of
// package os/exec.
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
			// As in package os/exec: a program in the working directory must not be run by its name alone.
			return &programError{name, "cannot run executable found relative to current directory", unix.EACCES}
		default:
			c.program = p
			return nil
		}
	}
	return notInPath(name)
}

// notExecutable returns the error for a program that is given by its path.
func notExecutable(name string, err error) error {
	if err == unix.EACCES || err == unix.EISDIR {
		return &programError{name, err.Error(), err}
	}
	return &programError{name, "stat " + name + ": " + err.Error(), err}
}

// notInPath returns the error for a program that the search did not find, even if the search found a file that may
// not be executed. Managers recognize these words and report status 127, with every runtime whose search is that of
// package os/exec.
func notInPath(name string) error {
	return &programError{name, "executable file not found in $PATH", unix.ENOENT}
}

func (c *child) variable(name string) string { return variableOf(c.env, name) }

// variableOf returns the value of a variable in an environment, or "" if the environment does not have it.
func variableOf(env []string, name string) string {
	for _, e := range env {
		if n, v, _ := strings.Cut(e, "="); n == name {
			return v
		}
	}
	return ""
}

// executable returns nil if this thread's user may execute the file.
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

// programError is the error for a program that cannot be executed.
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

// gate sends EXEC to the parent that made the container, which can then exit, and waits for a process that opens
// the gate. From then on that process is the parent: it learns that the program was executed, or why it was not.
func (c *child) gate() error {
	listener := c.fds[c.cfg.GateFD-1]
	ctx := context.Background()
	// The parent has called listen already. Call it again, so that a process that connects can get the pid of this
	// process from the kernel (SO_PEERCRED, unix(7)).
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
			continue // the peer went away or used another protocol: the gate stays closed
		}
		c.peer, c.parent = peer, fd
		sys.Close(listener)
		return nil
	}
}

// atGate limits how long the child waits for a process that connects to the gate and says nothing, before it accepts
// the next one.
const atGate = smallchild.GateSeconds * time.Second

// opened conducts the conversation with the process that connected to the gate, up to CONFIG_OK.
func (c *child) opened(ctx context.Context, fd int) (*transport.Child, error) {
	conn, err := transport.Take(fd)
	if err != nil {
		sys.Close(fd)
		return nil, err
	}
	peer, err := transport.NewChild(conn, container.StartProfile(), transport.Options{
		Deadlines: transport.Deadlines{Hello: atGate, Config: atGate},
	})
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

// notExecuted returns the error for an execution that failed. With its stage it reads "exec /run.sh: no such file
// or directory", which is the text that callers of a runtime look for. A missing interpreter or loader is named
// after that text.
func (c *child) notExecuted(err error) error {
	switch {
	case c.filter == nil:
		err = interpreter.Explain(err, c.program)
	case err == unix.ENOENT && c.missing != nil:
		err = c.missing
	}
	return op("", c.program, err)
}

// execStep executes the program. Its name is empty if there is no program.
type execStep struct{ program string }

func (execStep) stage() stage     { return stageExec }
func (s execStep) detail() string { return s.program }

func (execStep) do(c *child) error {
	if c.filter != nil {
		return c.execFiltered()
	}
	return c.exec()
}

// exec executes the program. The socket is close-on-exec, so its end proves to the other side that the program was
// executed.
func (c *child) exec() error {
	if err := c.peer.Exec(context.Background()); err != nil {
		return err
	}
	emptyMask() // making a hook restores the signal mask that the Go runtime started with
	// Use syscall.Exec and not the bare system call: it waits for threads that are being made, and restores the
	// RLIMIT_NOFILE from before the runtime.
	return c.notExecuted(syscall.Exec(c.program, c.cfg.Process.Args, c.env))
}
