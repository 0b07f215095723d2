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

// converse carries out the handshake from HELLO to the end of file after EXEC.
func (s *starter) converse(ctx context.Context) error {
	if err := s.configure(ctx); err != nil {
		return err
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

// configure sends the configuration, in the form that the child understands.
func (s *starter) configure(ctx context.Context) error {
	if s.small != nil {
		if err := s.peer.Open(ctx, syncproto.BytesValue(s.small.config), s.small.fds); err != nil {
			return &StartError{Stage: stageHandshake, Err: err}
		}
		return nil
	}
	config, fds, err := s.config()
	if err != nil {
		return &StartError{Stage: "plan", Err: err}
	}
	if err := transport.Open(ctx, s.peer, config, fds); err != nil {
		return &StartError{Stage: stageHandshake, Err: err}
	}
	return nil
}

// reply carries out a request of the child, which the profile has already checked, and replies.
func (s *starter) reply(ctx context.Context, req *transport.Request) error {
	// Opening a source changes nothing that another attempt would find.
	s.served = s.served || req.Name != container.MountRequest.Request
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

// carryOut carries out a request and replies with the result, or ends the start. do owns the request's descriptors;
// those that it returns are sent with the reply and then closed.
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

// empty is the argument of requests and replies that carry no data.
type empty = struct{}

func (s *starter) hooks(ctx context.Context, _ empty, _ []int) (empty, []int, error) {
	if s.cfg.Handler == nil {
		return empty{}, nil, nil
	}
	return empty{}, nil, s.cfg.Handler.Hooks(ctx, s.process.pid)
}

func (s *starter) ready(ctx context.Context, _ empty, _ []int) (empty, []int, error) {
	err := s.limits()
	if err == nil {
		err = s.tune()
	}
	if err == nil {
		err = s.waitForMaker(ctx)
	}
	if err == nil && s.cfg.Handler != nil {
		err = s.cfg.Handler.Ready(ctx, s.process.pid)
	}
	return empty{}, nil, err
}

func (s *starter) listener(ctx context.Context, arg container.SeccompArg, _ []int) (empty, []int, error) {
	return empty{}, nil, s.cfg.Listener.take(ctx, s.process.pid, s.process.pidfd, arg)
}

// console passes the terminal's master to the handler, which owns it from then on.
func (s *starter) console(ctx context.Context, arg container.ConsoleArg, fds []int) (empty, []int, error) {
	master := os.NewFile(uintptr(fds[0]), arg.Path)
	// The child could send any descriptor; make sure that it is the master of a terminal before anybody writes to it.
	if _, err := unix.IoctlGetInt(fds[0], unix.TIOCGPTN); err != nil {
		_ = master.Close()
		return empty{}, nil, &os.PathError{Op: "ioctl TIOCGPTN", Path: "the console from the child", Err: err}
	}
	if s.cfg.Handler == nil {
		_ = master.Close()
		return empty{}, nil, errors.New("a terminal is requested, but there is no Handler to receive its master")
	}
	return empty{}, nil, s.cfg.Handler.Console(ctx, master, arg.Path)
}

// mountSource opens a mount source for a child that cannot access it. It only opens sources that the configuration
// names, so that the child cannot use its parent's rights for anything else.
func (s *starter) mountSource(_ context.Context, m container.MountArg, _ []int) (empty, []int, error) {
	if made, err := s.mappedMount(&m); made != nil || err != nil {
		return empty{}, made, err
	}
	if !s.isConfigured(m.Source) {
		return empty{}, nil, fmt.Errorf("mount source %q is not in the configuration: %w", m.Source, unix.EPERM)
	}
	ids, err := s.idsOf(&m)
	if err != nil {
		return empty{}, nil, err
	}
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if m.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	source := m.Source
	if ids != nil {
		if source, err = hostSource(&s.cfg.Container, m.Mount-1); err != nil {
			return empty{}, nil, err
		}
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, source, flags)
	if d := s.hostDevice(m.Source); d != nil && (err == unix.ENOENT || err == nil && !isDevice(fd, d)) {
		if err == nil {
			_ = unix.Close(fd)
		}
		fd, err = s.makeDevice(d)
		if err != nil {
			return empty{}, nil, err
		}
		return empty{}, []int{fd}, nil
	}
	if err != nil {
		return empty{}, nil, &os.PathError{Op: "open_tree", Path: source, Err: err}
	}
	if ids != nil {
		if err := s.mapIDs(fd, source, ids, typesAt(source, m.Recursive)); err != nil {
			_ = unix.Close(fd)
			return empty{}, nil, err
		}
	}
	if s.plan.hasUser() {
		// As the kernel does with the mounts of a less privileged mount namespace (mount_namespaces(7)): mounts made there
		// must not propagate to the host.
		attr := unix.MountAttr{Propagation: unix.MS_SLAVE}
		if err := unix.MountSetattr(fd, "", flags&unix.AT_RECURSIVE|unix.AT_EMPTY_PATH, &attr); err != nil {
			_ = unix.Close(fd)
			return empty{}, nil, &os.PathError{Op: "mount_setattr", Path: m.Source, Err: err}
		}
	}
	return empty{}, []int{fd}, nil
}

// mappedMount returns the new file system of an id-mapped mount that is not a bind, if the request is about one.
func (s *starter) mappedMount(arg *container.MountArg) ([]int, error) {
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

func (s *starter) isConfigured(source string) bool {
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

// limits raises the child's resource limits from outside, because the parent may do more than a child in a user
// namespace. The child also sets all of them itself, and reports an error if neither of them may.
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
