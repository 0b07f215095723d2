package transport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
)

// Process is a child process together with the parent's side of the conversation with it. StartCommand starts it. The
// caller must always call Close, and Wait if the end of the process matters after a success.
type Process struct {
	*Parent
	// Cmd is the started command. Only Wait and Close of this type may call its Wait, or Wait and Release of its Process.
	Cmd *exec.Cmd

	pidfd  *os.File
	failed atomic.Bool // nobody wants the rest of its output any more
	reap   func() error
}

// StartCommand starts cmd as the child of a conversation and returns the parent's side of it. The child finds the
// number of its socket in the environment variable socket, which Adopt reads. If no conversation is possible, for
// example because the profile is not valid, nothing is started.
//
// Options.Process must be nil, because StartCommand watches the process itself: the conversation ends with the process
// even if another one holds a copy of its socket. The sockets are a SeqPacket pair; to use a stream, start the child
// yourself with a SocketPair.
//
// The parent's end and a pidfd belong to the Process. The child's end is closed here once the child has it. The files
// in cmd.ExtraFiles still belong to the caller and keep their numbers.
func StartCommand(cmd *exec.Cmd, socket string, p *syncproto.Profile, o Options) (*Process, error) {
	switch {
	case cmd == nil:
		return nil, errors.New("transport: no command to start")
	case socket == "":
		return nil, errors.New("transport: no environment variable to tell the child's socket by")
	case o.Process != nil:
		return nil, errors.New("transport: Options.Process is set, and StartCommand watches the process that it starts")
	}
	conn, end, err := SocketPair(SeqPacket)
	if err != nil {
		return nil, err
	}
	defer end.Close() // while a copy of it is open here, end of file cannot arrive
	parent, err := NewParent(conn, p, o)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	pidfd, err := start(cmd, socket, end)
	if err != nil {
		return nil, errors.Join(err, parent.Close())
	}
	c := &Process{Parent: parent, Cmd: cmd, pidfd: pidfd}
	c.reap = sync.OnceValue(func() error {
		defer pidfd.Close()
		if c.failed.Load() && cmd.WaitDelay == 0 {
			cmd.WaitDelay = max(c.o.Deadlines.Grace, 0)
		}
		return cmd.Wait()
	})
	if err := conn.watchProcess(pidfd); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// start starts cmd with its end of the socket, and otherwise leaves cmd unchanged.
func start(cmd *exec.Cmd, socket string, end *os.File) (pidfd *os.File, err error) {
	files, env := cmd.ExtraFiles, cmd.Env
	cmd.Env = append(cmd.Environ(), socket+"="+strconv.Itoa(3+len(files)))
	cmd.ExtraFiles = append(files[:len(files):len(files)], end)
	err = cmd.Start()
	cmd.ExtraFiles, cmd.Env = files, env
	if err != nil {
		return nil, err
	}
	if pidfd, err = openPidfd(cmd.Process); err != nil {
		_, _ = cmd.Process.Kill(), cmd.Wait()
		return nil, fmt.Errorf("transport: watching process %d: %w", cmd.Process.Pid, err)
	}
	return pidfd, nil
}

// openPidfd returns a pidfd of a process that was not waited for yet, so that its pid cannot have been reused.
func openPidfd(p *os.Process) (*os.File, error) {
	fd, errFD := -1, error(nil)
	err := p.WithHandle(func(handle uintptr) {
		fd, errFD = unix.FcntlInt(handle, unix.F_DUPFD_CLOEXEC, 0)
	})
	if errors.Is(err, os.ErrNoHandle) {
		fd, errFD = unix.PidfdOpen(p.Pid, 0)
		err = nil
	}
	if err = errors.Join(err, errFD); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// Wait ends the conversation and waits for the end of the process. It returns what exec.Cmd.Wait returns: nil for exit
// status 0. After a success the process may run as long as it wants, until ctx ends and it is killed; the error then
// includes that of ctx. After any other outcome it is ended as by Close.
//
// If the command's output is copied (its Stdout or Stderr is not an *os.File) and the process has left a copy of the
// pipe to another one, exec.Cmd.Wait waits for that one, too, unless Cmd.WaitDelay is set. A process that was killed or
// whose conversation failed is not waited for in this way: its output is copied for at most Deadlines.Grace after its
// end, and the error then is exec.ErrWaitDelay, or that of the exit status.
func (p *Process) Wait(ctx context.Context) error {
	if p.Parent == nil {
		return errZero
	}
	if p.Verdict().Outcome != syncproto.Success {
		_ = p.Close()
		return p.reap()
	}
	_ = p.Parent.Close()
	if ctx == nil {
		ctx = context.Background()
	}
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = p.Cmd.Process.Kill()
		close(killed)
	})
	p.awaitEnd(-1)
	if stop() {
		return p.reap()
	}
	<-killed
	p.failed.Store(true)
	return errors.Join(context.Cause(ctx), p.reap())
}

// Close ends the conversation without sending anything, if it has not ended yet, and releases the process. After a
// success (Next returned io.EOF) the process goes on, and becomes a zombie when it ends unless Wait is called. After
// any other outcome the process has ended and was waited for when Close returns. A child that has died or failed, was
// cancelled, or received an error has Deadlines.Grace to end on its own before it is killed; any other is killed at
// once.
//
// The only error is os.ErrClosed: the Process was already closed.
func (p *Process) Close() error {
	if p.Parent == nil {
		return errZero
	}
	outcome := p.Verdict().Outcome
	err := p.Parent.Close()
	switch outcome {
	case syncproto.Success:
		return err
	case syncproto.PeerError, syncproto.Died, syncproto.Cancelled, syncproto.LocalError:
		p.awaitEnd(p.o.Deadlines.Grace)
	}
	_ = p.Cmd.Process.Kill()
	p.failed.Store(true)
	_ = p.reap()
	return err
}

// awaitEnd waits for the end of the process, at most for d; negative means no limit.
func (p *Process) awaitEnd(d time.Duration) {
	rc, err := p.pidfd.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for began, left := time.Now(), d; ; left = max(d-time.Since(began), 0) {
			if d < 0 {
				left = -1
			}
			if _, errno := ppoll(poll, left); errno != unix.EINTR || left == 0 {
				return
			}
		}
	})
}
