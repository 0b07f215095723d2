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
	if err := s.peer.Open(ctx, config, fds); err != nil {
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
		if err := s.answer(ctx, req); err != nil {
			return &StartError{Stage: stageHandshake, Err: err}
		}
	}
}

// answer does what the child asks for. The profile has already made sure that it may ask.
func (s *starter) answer(ctx context.Context, req *transport.Request) error {
	var reply []int
	var err error
	h := s.cfg.Handler
	switch req.Name {
	case container.ReqMount:
		var fd int
		if fd, err = s.mountSource(req.Arg); err == nil {
			defer unix.Close(fd)
			reply = []int{fd}
		}
	case container.ReqConsole:
		err = s.console(ctx, req)
	case container.ReqHooks:
		if h != nil {
			err = h.Hooks(ctx, s.process.pid)
		}
	case container.ReqReady:
		if err = s.limits(); err == nil && h != nil {
			err = h.Ready(ctx, s.process.pid)
		}
	case container.ReqSeccomp:
		err = s.cfg.Listener.take(ctx, s.process.pid, s.process.pidfd, req.Arg)
	default:
		transport.CloseAll(req.FDs)
		err = fmt.Errorf("request %q is not carried out by this version", req.Name)
	}
	if err != nil {
		return s.peer.Refuse(ctx, err)
	}
	return s.peer.Reply(ctx, syncproto.Value{}, reply...)
}

// console hands the terminal's master to the handler, which owns it from then on.
func (s *starter) console(ctx context.Context, req *transport.Request) error {
	var arg container.ConsoleArg
	if err := syncproto.FromValue(req.Arg, &arg, false); err != nil {
		transport.CloseAll(req.FDs)
		return err
	}
	master := os.NewFile(uintptr(req.FDs[0]), arg.Path)
	// The child could send any descriptor; what is not the master of a terminal must not be written to as one.
	if _, err := unix.IoctlGetInt(req.FDs[0], unix.TIOCGPTN); err != nil {
		_ = master.Close()
		return &os.PathError{Op: "ioctl TIOCGPTN", Path: "the console from the child", Err: err}
	}
	if s.cfg.Handler == nil {
		_ = master.Close()
		return errors.New("a terminal is asked for, and nobody takes its console")
	}
	return s.cfg.Handler.Console(ctx, master, arg.Path)
}

// mountSource opens a mount source for a child that cannot reach it. Only what the configuration itself names is opened: the child may not use its parent's
// eyes for anything else.
func (s *starter) mountSource(arg syncproto.Value) (int, error) {
	var m container.MountArg
	if err := syncproto.FromValue(arg, &m, false); err != nil {
		return -1, err
	}
	if !s.named(m.Source) {
		return -1, fmt.Errorf("mount source %q is not in the configuration: %w", m.Source, unix.EPERM)
	}
	ids, err := s.idsOf(&m)
	if err != nil {
		return -1, err
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
		return s.makeDevice(d)
	}
	if err != nil {
		return -1, &os.PathError{Op: "open_tree", Path: m.Source, Err: err}
	}
	if ids != nil {
		if err := s.mapIDs(fd, m.Source, ids); err != nil {
			_ = unix.Close(fd)
			return -1, err
		}
	}
	if s.plan.hasUser() {
		// As the kernel does with every mount that a namespace of fewer rights gets (mount_namespaces(7)): what is
		// mounted there must not reach the host.
		attr := unix.MountAttr{Propagation: unix.MS_SLAVE}
		if err := unix.MountSetattr(fd, "", flags&unix.AT_RECURSIVE|unix.AT_EMPTY_PATH, &attr); err != nil {
			_ = unix.Close(fd)
			return -1, &os.PathError{Op: "mount_setattr", Path: m.Source, Err: err}
		}
	}
	return fd, nil
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

// limits raises the child's resource limits from outside, where the parent may do more than a child in a user namespace. The child sets them all itself as well, and what
// neither may do is its error to report.
func (s *starter) limits() error {
	for _, l := range s.cfg.Container.Process.Rlimits {
		err := unix.Prlimit(s.process.pid, l.Resource, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil)
		if err != nil && err != unix.EPERM {
			return fmt.Errorf("resource limit %d (soft %d, hard %d): %w", l.Resource, l.Soft, l.Hard, os.NewSyscallError("prlimit", err))
		}
	}
	return nil
}
