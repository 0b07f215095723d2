package spawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// converse is the handshake from HELLO to the end of file after EXEC.
func (s *starter) converse(ctx context.Context) error {
	config, fds, err := s.config()
	if err != nil {
		return &StartError{Stage: "plan", Err: err}
	}
	if err := transport.Open(ctx, s.peer, config, fds); err != nil {
		return &StartError{Stage: stageHandshake, Err: err}
	}
	for {
		req, err := s.peer.Next(ctx)
		if err == io.EOF && s.cfg.Container.Process.Seccomp != nil && s.gate == nil {
			return checkExecuted(s.process.pid)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &StartError{Stage: stageHandshake, Err: err}
		}
		if err := s.reply(ctx, req); err != nil {
			return &StartError{Stage: stageHandshake, Err: err}
		}
	}
}

// reply does what the child requests. The profile has already made sure that it may.
func (s *starter) reply(ctx context.Context, req *transport.Request) error {
	switch req.Name {
	case container.MountRequest.Request:
		return carryOut(ctx, s.peer, req, container.MountRequest, s.mountSource)
	case container.ConsoleRequest.Request:
		return carryOut(ctx, s.peer, req, container.ConsoleRequest, s.console)
	case container.HooksRequest.Request:
		return carryOut(ctx, s.peer, req, container.HooksRequest, s.hooks)
	case container.ReadyRequest.Request:
		return carryOut(ctx, s.peer, req, container.ReadyRequest, s.ready)
	case container.SeccompRequest.Request:
		return carryOut(ctx, s.peer, req, container.SeccompRequest, s.listener)
	}
	transport.CloseAll(req.FDs)
	return s.peer.Abort(ctx, fmt.Errorf("request %q is not carried out by this version", req.Name))
}

// carryOut does what a request wants and replies with what came of it, or ends the start. do owns the request's
// descriptors; those that it returns are sent with the reply, and closed.
func carryOut[Arg, Reply any](
	ctx context.Context, p *transport.Parent, req *transport.Request, x syncproto.Exchange[Arg, Reply],
	do func(ctx context.Context, arg Arg, fds []int) (Reply, []int, error),
) error {
	arg, err := transport.Arg(ctx, p, req, x)
	if err != nil {
		return err
	}
	reply, fds, err := do(ctx, arg, req.FDs)
	defer transport.CloseAll(fds)
	if err != nil {
		return p.Abort(ctx, err)
	}
	return transport.Reply(ctx, p, x, reply, fds...)
}

// nothing is the argument of a request, or of a reply, that says nothing.
type nothing = struct{}

func (s *starter) hooks(ctx context.Context, _ nothing, _ []int) (nothing, []int, error) {
	if s.cfg.Handler == nil {
		return nothing{}, nil, nil
	}
	return nothing{}, nil, s.cfg.Handler.Hooks(ctx, s.process.pid)
}

func (s *starter) ready(ctx context.Context, _ nothing, _ []int) (nothing, []int, error) {
	err := s.limits()
	if err == nil {
		err = s.tune()
	}
	if err == nil {
		err = s.makerIsGone(ctx)
	}
	if err == nil && s.cfg.Handler != nil {
		err = s.cfg.Handler.Ready(ctx, s.process.pid)
	}
	return nothing{}, nil, err
}

func (s *starter) listener(ctx context.Context, arg container.SeccompArg, _ []int) (nothing, []int, error) {
	return nothing{}, nil, s.cfg.Listener.take(ctx, s.process.pid, s.process.pidfd, arg)
}

// console hands the terminal's master to the handler, which owns it from then on.
func (s *starter) console(ctx context.Context, arg container.ConsoleArg, fds []int) (nothing, []int, error) {
	master := os.NewFile(uintptr(fds[0]), arg.Path)
	// The child could send any descriptor; what is not the master of a terminal must not be written to as one.
	if _, err := unix.IoctlGetInt(fds[0], unix.TIOCGPTN); err != nil {
		_ = master.Close()
		return nothing{}, nil, &os.PathError{Op: "ioctl TIOCGPTN", Path: "the console from the child", Err: err}
	}
	if s.cfg.Handler == nil {
		_ = master.Close()
		return nothing{}, nil, errors.New("a terminal is asked for, and nobody takes its console")
	}
	return nothing{}, nil, s.cfg.Handler.Console(ctx, master, arg.Path)
}

// mountSource opens a mount source for a child that cannot reach it. Only what the configuration itself names is
// opened: the child may not use its parent's eyes for anything else.
func (s *starter) mountSource(_ context.Context, m container.MountArg, _ []int) (nothing, []int, error) {
	if made, err := s.madeHere(&m); made != nil || err != nil {
		return nothing{}, made, err
	}
	if !s.named(m.Source) {
		return nothing{}, nil, fmt.Errorf("mount source %q is not in the configuration: %w", m.Source, unix.EPERM)
	}
	ids, err := s.idsOf(&m)
	if err != nil {
		return nothing{}, nil, err
	}
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if m.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, m.Source, flags)
	if d := s.hostDevice(m.Source); d != nil && (err == unix.ENOENT || err == nil && !isDevice(fd, d)) {
		if err == nil {
			_ = unix.Close(fd)
		}
		fd, err = s.makeDevice(d)
		if err != nil {
			return nothing{}, nil, err
		}
		return nothing{}, []int{fd}, nil
	}
	if err != nil {
		return nothing{}, nil, &os.PathError{Op: "open_tree", Path: m.Source, Err: err}
	}
	if ids != nil {
		if err := s.mapIDs(fd, m.Source, ids, typesAt(m.Source, m.Recursive)); err != nil {
			_ = unix.Close(fd)
			return nothing{}, nil, err
		}
	}
	if s.plan.hasUser() {
		// As the kernel does with every mount that a namespace of fewer rights gets (mount_namespaces(7)): what is
		// mounted there must not reach the host.
		attr := unix.MountAttr{Propagation: unix.MS_SLAVE}
		if err := unix.MountSetattr(fd, "", flags&unix.AT_RECURSIVE|unix.AT_EMPTY_PATH, &attr); err != nil {
			_ = unix.Close(fd)
			return nothing{}, nil, &os.PathError{Op: "mount_setattr", Path: m.Source, Err: err}
		}
	}
	return nothing{}, []int{fd}, nil
}

// madeHere is the file system of a mount that is no bind and has ids, if the request is about one.
func (s *starter) madeHere(arg *container.MountArg) ([]int, error) {
	ids, err := s.idsOf(arg)
	if err != nil || ids == nil || s.cfg.Container.Mounts[arg.Mount-1].Bind {
		return nil, err
	}
	tree, err := s.mappedFS(&s.cfg.Container.Mounts[arg.Mount-1])
	if err != nil {
		return nil, err
	}
	return []int{tree}, nil
}

func (s *starter) named(source string) bool {
	if !filepath.IsAbs(source) {
		return false
	}
	c := &s.cfg.Container
	if source == c.Root.Path {
		return true
	}
	for _, m := range c.Mounts {
		if m.Bind && m.Source == source {
			return true
		}
	}
	return s.hostDevice(source) != nil
}

// limits raises the child's resource limits from outside, where the parent may do more than a child in a user
// namespace. The child sets them all itself as well, and what neither may do is its error to report.
func (s *starter) limits() error {
	for _, l := range s.cfg.Container.Process.Rlimits {
		err := unix.Prlimit(s.process.pid, l.Resource, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil)
		if err != nil && err != unix.EPERM {
			return fmt.Errorf("resource limit %d (soft %d, hard %d): %w", l.Resource, l.Soft, l.Hard,
				os.NewSyscallError("prlimit", err))
		}
	}
	return nil
}
