package spawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// gate is the listening socket that a created container waits on.
type gate struct {
	path string
	file *os.File
}

// inDirectory calls f with a name for path's last element that fits a socket address, whose 108 bytes a state directory
// easily outgrows (unix(7)).
func inDirectory(path string, f func(short string) error) error {
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	return f("/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path))
}

// listen makes the socket at path, readable and writable for its owner only. It must not exist.
func listen(path string) (*gate, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	g := &gate{path: path, file: os.NewFile(uintptr(fd), path)}
	err = inDirectory(path, func(short string) error {
		// The mode of the socket's own inode becomes that of the name which bind(2) makes: nobody else can connect even for a
		// moment.
		if err := unix.Fchmod(fd, 0o600); err != nil {
			return os.NewSyscallError("fchmod", err)
		}
		return unix.Bind(fd, &unix.SockaddrUnix{Name: short})
	})
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		_ = g.file.Close()
		return nil, &os.PathError{Op: "listen", Path: path, Err: err}
	}
	return g, nil
}

func (g *gate) remove() { _ = unix.Unlink(g.path) }

// Gate says how a gate is opened.
type Gate struct {
	Path string // as in Config.Gate
	// Hello, Config, Idle and Exec count; an Idle of zero is no limit, for hooks may run behind the gate
	Deadlines Deadlines
	Trace     func(transport.Event) // told of every frame and of the end

	// Listener takes the listener of the filter that the process loads behind the gate; nil: it has none. PID and PIDFD
	// are the process where it has a filter; OpenGate borrows the descriptor.
	Listener Listener
	PID      int
	PIDFD    *os.File
}

// OpenGate lets a created container go on and returns once it has executed its program; the gate is gone then. An error
// of the execution, or of a hook before it, is the *StartError's cause, with errno and path; the container's process is
// ending then, and the caller reaps or waits for it as its own business. ENOENT and ECONNREFUSED from here mean that no
// process waits at the gate.
func OpenGate(ctx context.Context, g Gate) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return &StartError{Stage: "gate", Err: os.NewSyscallError("socket", err)}
	}
	err = inDirectory(g.Path, func(short string) error { return unix.Connect(fd, &unix.SockaddrUnix{Name: short}) })
	if err != nil {
		_ = unix.Close(fd)
		return &StartError{Stage: "gate", Err: fmt.Errorf("no process waits at the gate: %w",
			&os.PathError{Op: "connect", Path: g.Path, Err: err})}
	}
	conn, err := transport.Take(fd)
	if err != nil {
		_ = unix.Close(fd)
		return &StartError{Stage: "gate", Err: err}
	}
	if g.Deadlines.Idle == 0 {
		g.Deadlines.Idle = -1
	}
	o := transport.Options{Deadlines: g.Deadlines.plain(), Trace: g.Trace}
	p, err := transport.NewParent(conn, container.StartProfile(), o)
	if err != nil {
		_ = conn.Close()
		return &StartError{Stage: "gate", Err: err}
	}
	defer p.Close()
	if err := p.Narrow(container.NarrowStart(container.StartProfile(), g.Listener != nil)); err != nil {
		return &StartError{Stage: "gate", Err: err}
	}
	if err := p.Open(ctx, syncproto.MapValue(), nil); err != nil {
		return &StartError{Stage: stageHandshake, Err: err}
	}
	if err := g.serve(ctx, p); err != io.EOF {
		return &StartError{Stage: stageHandshake, Err: err}
	}
	if g.PID > 0 {
		if err := checkExecuted(g.PID); err != nil {
			return &StartError{Stage: stageHandshake, Err: err}
		}
	}
	_ = unix.Unlink(g.Path)
	return nil
}

// serve does what the child requests behind the gate, until the end of the conversation, which it returns: io.EOF is
// success.
func (g *Gate) serve(ctx context.Context, p *transport.Parent) error {
	for {
		req, err := p.Next(ctx)
		if err != nil {
			return err
		}
		if req.Name != container.SeccompRequest.Request {
			return p.Abort(ctx, errors.New("request "+strconv.Quote(req.Name)+" at the gate"))
		}
		if err := carryOut(ctx, p, req, container.SeccompRequest, g.listener); err != nil {
			return err
		}
	}
}

func (g *Gate) listener(ctx context.Context, arg container.SeccompArg, _ []int) (nothing, []int, error) {
	return nothing{}, nil, g.Listener.take(ctx, g.PID, g.PIDFD, arg)
}
