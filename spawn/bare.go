package spawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/rawfork"
	"github.com/handfast/handfast/syncproto/container"
)

// bare makes the child by a bare fork, as the plan's program says, and gives it its mappings on the way. It runs on the thread that has carried out the plan's steps.
func (s *starter) bare(ctx context.Context, files []int, exe *os.File, cgroup int) error {
	src, done, err := s.sources(files, exe)
	defer done()
	if err != nil {
		return err
	}
	prog, err := s.plan.program(src)
	if err != nil {
		return err
	}
	n := s.plan.numbers(len(files))
	child, err := rawfork.Start(prog, rawfork.Options{Flags: s.plan.firstFlags(), Cgroup: cgroup, Alive: n.alive, Word: n.word})
	if err != nil {
		return explainClone(err, s.plan)
	}
	ctx, cancel := s.cfg.Deadlines.bare(ctx)
	defer cancel()
	if s.plan.Helpers {
		if err = writeMaps(ctx, child.PID(), s.cfg); err == nil {
			err = child.Go()
		}
		if err != nil {
			child.Kill()
			return err
		}
	}
	pid, pidfd, err := child.Wait(ctx)
	if err != nil {
		return explainJoin(err, s.plan)
	}
	s.process = newProcess(pid, pidfd)
	return nil
}

// bare bounds what a child does before it can speak.
func (d Deadlines) bare(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.Hello < 0 {
		return context.WithCancel(ctx)
	}
	if d.Hello == 0 {
		d.Hello = 5 * time.Second
	}
	return context.WithTimeoutCause(ctx, d.Hello, fmt.Errorf("the child did not come to its execution within %v: %w", d.Hello, unix.ETIMEDOUT))
}

// sources copies what the child needs above the numbers that it uses, so that no copy in the child lands on another's source. done closes the copies.
func (s *starter) sources(files []int, exe *os.File) (src sources, done func(), err error) {
	var copies []int
	done = func() {
		for _, fd := range copies {
			_ = unix.Close(fd)
		}
	}
	above := s.plan.numbers(len(files)).rest
	dup := func(fd int) int {
		if err != nil {
			return -1
		}
		var n int
		if n, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, above); err != nil {
			err = fmt.Errorf("a copy of descriptor %d above %d: %w", fd, above, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err))
			return -1
		}
		copies = append(copies, n)
		return n
	}
	for _, fd := range files {
		src.files = append(src.files, dup(fd))
	}
	src.exe = dup(int(exe.Fd()))
	for _, j := range s.plan.Joins {
		if j.Path == "" {
			src.joins = append(src.joins, dup(int(s.cfg.Target.PIDFD.Fd())))
			continue
		}
		ns, e := openNamespace(j.Kinds[0], j.Path)
		if e != nil {
			return src, done, e
		}
		src.joins = append(src.joins, dup(int(ns.Fd())))
		_ = ns.Close()
	}
	if s.plan.Chroot {
		src.root = dup(int(s.cfg.Target.Root.Fd()))
	}
	return src, done, err
}

// explainJoin adds to a bare errno of the child's calls what it usually means.
func explainJoin(err error, p *plan) error {
	var call *rawfork.Error
	if !errors.As(err, &call) {
		return err
	}
	hint := ""
	switch {
	case call.Errno == unix.ESRCH:
		hint = " (the process whose namespaces were to be joined has ended)"
	case call.Errno == unix.EPERM && p.Cloneflags != 0 && call.Call == "clone":
		hint = " (new namespaces [" + flagNames(p.Cloneflags) + "] need CAP_SYS_ADMIN in the user namespace)"
	case call.Errno == unix.EPERM:
		hint = " (it belongs to a user in whose place the caller may not act: CAP_SYS_ADMIN in the user namespace that owns it is needed)"
	case call.Errno == unix.EINVAL && p.enters(container.NSUser):
		hint = " (the user namespace is the caller's own, or maps no id 0)"
	case call.Errno == unix.ECANCELED:
		hint = " (its parent has gone)"
	}
	return fmt.Errorf("%w%s", err, hint)
}
