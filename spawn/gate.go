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

// gate is the listening socket on which a created container waits.
type gate struct {
	path string
	file *os.File
}

// withShortPath calls f with another path of the same file that is short enough for a socket address. State directories
// are easily longer than its 108 bytes (unix(7)).
func withShortPath(path string, f func(short string) error) error {
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	return f("/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path))
}

// listen creates the socket at path, accessible only to its owner. The path must not exist.
func listen(path string) (*gate, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	g := &gate{path: path, file: os.NewFile(uintptr(fd), path)}
	err = withShortPath(path, func(short string) error {
		// bind(2) creates the file with the mode of the socket's inode, so that nobody else can connect even for a moment.
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

// Gate says how to open a gate.
type Gate struct {
	Path string // as in Config.Gate
	// Hello, Config, Idle and Exec are used; an Idle of zero is no limit, because hooks may run behind the gate
	Deadlines Deadlines
	Trace     func(transport.Event) // called for every frame and for the end

	// Listener receives the listener of the filter that the process loads behind the gate; nil: it has none. PID and PIDFD
	// identify the process if it has a filter; OpenGate borrows the descriptor.
	Listener Listener
	PID      int
	PIDFD    *os.File
}

// OpenGate lets a created container continue, and returns once it has executed its program; then the gate is gone. An
// error of the execution, or of a hook before it, is the cause of the *StartError, with errno and path; the container's
// process then ends, and it is up to the caller to wait for it. ENOENT and ECONNREFUSED mean that no process waits at
// the gate.
func OpenGate(ctx context.Context, g Gate) error {
	if g.Path == "" {
		return &StartError{Stage: "gate", Err: fmt.Errorf("Gate.Path is empty: %w", os.ErrInvalid)}
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return &StartError{Stage: "gate", Err: os.NewSyscallError("socket", err)}
	}
	err = withShortPath(g.Path, func(short string) error { return unix.Connect(fd, &unix.SockaddrUnix{Name: short}) })
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
	o := transport.Options{Deadlines: g.Deadlines.toTransport(), Trace: g.Trace}
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

// serve handles the child's requests behind the gate until the conversation ends, and returns how: io.EOF is success.
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

func (g *Gate) listener(ctx context.Context, arg container.SeccompArg, _ []int) (empty, []int, error) {
	return empty{}, nil, g.Listener.take(ctx, g.PID, g.PIDFD, arg)
}
