package spawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/rawfork"
	"github.com/handfast/handfast/syncproto/container"
)

// forkShared makes the child in the memory of this process, until it executes its program.
func (s *starter) forkShared(files []int, cgroup int) error {
	prog, err := s.plan.sharedProgram(files)
	if err != nil {
		return err
	}
	pid, pidfd, err := rawfork.Run(prog, rawfork.Options{Flags: s.plan.Cloneflags, Cgroup: cgroup})
	var failed *rawfork.Error
	switch {
	case errors.As(err, &failed):
		return explainCall(err, s.plan)
	case err != nil:
		return explainClone(err, s.plan.Cloneflags)
	}
	s.process = newProcess(pid, pidfd)
	return nil
}

// forkBare makes the child by a bare fork that runs the plan's program, and writes its id mappings on the way. It runs
// on the thread that has carried out the plan's steps.
func (s *starter) forkBare(ctx context.Context, files []int, exe *os.File, cgroup int) error {
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
	child, err := rawfork.Start(prog, rawfork.Options{Flags: s.plan.firstFlags(), Cgroup: cgroup, Alive: n.alive,
		Word: n.word})
	if err != nil {
		return explainClone(err, s.plan.firstFlags())
	}
	ctx, cancel := s.cfg.Deadlines.beforeHello(ctx)
	defer cancel()
	if err := s.release(ctx, child); err != nil {
		child.Kill()
		return err
	}
	pid, pidfd, err := child.Wait(ctx)
	if err != nil {
		return explainCall(err, s.plan)
	}
	s.process = newProcess(pid, pidfd)
	return nil
}

// release writes the id mappings of a child that waits for them, and lets it continue.
func (s *starter) release(ctx context.Context, child *rawfork.Child) error {
	if len(s.plan.UIDMap) == 0 {
		return nil
	}
	pid, err := child.Waiting(ctx)
	if err != nil {
		return explainCall(err, s.plan)
	}
	if s.plan.Helpers {
		err = writeMaps(ctx, pid, s.cfg)
	} else {
		err = writeMapFiles(pid, s.plan)
	}
	if err != nil {
		return err
	}
	return child.Go()
}

// beforeHello limits the time that a child takes before it can send HELLO.
func (d Deadlines) beforeHello(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.Hello < 0 {
		return context.WithCancel(ctx)
	}
	if d.Hello == 0 {
		d.Hello = 5 * time.Second
	}
	return context.WithTimeoutCause(ctx, d.Hello, fmt.Errorf("the child did not execute its program within %v: %w",
		d.Hello, unix.ETIMEDOUT))
}

// sources copies the descriptors that the child needs to numbers above those that it uses, so that no dup2(2) in the
// child overwrites a source. done closes the copies.
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

// explainClone adds to an errno of clone(2) what it usually means here.
func explainClone(err error, flags uintptr) error {
	var call *os.SyscallError
	if !errors.As(err, &call) || call.Syscall != "clone" && call.Syscall != "clone3" {
		return fmt.Errorf("make the child: %w", err)
	}
	var errno unix.Errno
	_ = errors.As(err, &errno)
	return cloneError(call.Err, errno, flags)
}

func cloneError(err error, errno unix.Errno, flags uintptr) error {
	if flags == 0 {
		return fmt.Errorf("clone: %w%s", err, cloneHint(errno, flags))
	}
	return fmt.Errorf("clone with new namespaces [%s]: %w%s", flagNames(flags), err, cloneHint(errno, flags))
}

func cloneHint(errno unix.Errno, flags uintptr) string {
	switch {
	case errno == unix.EPERM && flags&unix.CLONE_NEWUSER != 0:
		return " (a user namespace is not allowed here: see kernel.unprivileged_userns_clone, " +
			"user.max_user_namespaces, and that this process is not in a chroot)"
	case errno == unix.EPERM && flags != 0:
		return " (new namespaces need CAP_SYS_ADMIN, or a user namespace)"
	case errno == unix.ENOSPC || errno == unix.EUSERS:
		return " (a limit under /proc/sys/user or of nested namespaces is reached)"
	case errno == unix.EINVAL && flags != 0:
		return " (the kernel lacks one of the namespaces)"
	case errno == unix.EAGAIN:
		return " (RLIMIT_NPROC or pids.max is reached)"
	case errno == unix.ENOMEM:
		return " (out of memory, or the first process of the pid namespace has ended, so that it accepts no new ones)"
	case errno == unix.EBUSY:
		return " (the control group has controllers enabled for groups below it, and so cannot hold processes)"
	}
	return ""
}

// explainCall adds to an errno of one of the child's system calls what it usually means here.
func explainCall(err error, p *plan) error {
	var call *rawfork.Error
	if !errors.As(err, &call) {
		return err
	}
	joins := strings.HasPrefix(call.Call, "join ")
	hint := ""
	switch {
	case call.Call == "clone":
		return cloneError(call.Errno, call.Errno, p.Cloneflags&^p.firstFlags())
	case call.Call == "execveat", call.Call == "execve":
		hint = " (this program executes itself as the child)"
	case call.Errno == unix.EBADF && strings.HasPrefix(call.Call, "dup3"):
		hint = " (the number is above RLIMIT_NOFILE)"
	case call.Errno == unix.ECANCELED:
		hint = " (its parent has gone)"
	case call.Errno == unix.ESRCH && joins:
		hint = " (the process whose namespaces were to be joined has ended)"
	case call.Errno == unix.EPERM && joins:
		hint = " (this needs CAP_SYS_ADMIN in the user namespace that owns it)"
	case call.Errno == unix.EINVAL && joins && p.enters(container.NSUser):
		hint = " (the user namespace is the caller's own, or maps no id 0)"
	case call.Errno == unix.EINVAL && strings.HasPrefix(call.Call, "become "):
		hint = " (the user namespace maps no id 0)"
	}
	return fmt.Errorf("%w%s", err, hint)
}
