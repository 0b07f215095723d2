package spawn

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
)

// openNamespace opens the namespace file at path and checks its kind, so that a mistake is reported here and not by a
// bare EINVAL of setns(2) later. The caller owns the file.
func openNamespace(kind, path string) (*os.File, error) {
	// O_NONBLOCK: another file at the path, such as a FIFO, must not block us.
	f, err := os.OpenFile(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("namespace %q: %w", kind, err)
	}
	if err := checkNamespace(f, kind, path); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func checkNamespace(f *os.File, kind, path string) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return &os.PathError{Op: "fstatfs", Path: path, Err: err}
	}
	if st.Type != unix.NSFS_MAGIC {
		return fmt.Errorf("namespace %q: %s is not a namespace file: %w", kind, path, unix.EINVAL)
	}
	got, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
	if err != nil {
		return &os.PathError{Op: "ioctl NS_GET_NSTYPE", Path: path, Err: err}
	}
	if uintptr(got) != cloneFlag(kind) {
		return fmt.Errorf("namespace %q: %s is a namespace of kind %s: %w", kind, path, kindOf(uintptr(got)), unix.EINVAL)
	}
	return nil
}

func kindOf(flag uintptr) string {
	for _, k := range [...]string{"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"} {
		if cloneFlag(k) == flag {
			return k
		}
	}
	return fmt.Sprintf("%#x", flag)
}

// onThread runs f on a thread that has carried out the steps; without any, on the current one.
func onThread(steps []func() error, f func() error) error {
	if len(steps) == 0 {
		return f()
	}
	return sys.OnThread(func() error {
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		return f()
	})
}

func (s threadStep) run() error {
	if s.Path == "" {
		if err := unix.Unshare(int(cloneFlag(s.Kind))); err != nil {
			return fmt.Errorf("namespace %q: %w", s.Kind, os.NewSyscallError("unshare", err))
		}
		if s.Offsets == "" {
			return nil
		}
		// Not thread-self: only the directory of a process has this file, and /proc/TID is one for any thread.
		path := "/proc/" + strconv.Itoa(unix.Gettid()) + "/timens_offsets"
		if err := os.WriteFile(path, []byte(s.Offsets), 0); err != nil {
			return fmt.Errorf("time offsets %q: %w", s.Offsets, err)
		}
		return nil
	}
	ns, err := openNamespace(s.Kind, s.Path)
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), int(cloneFlag(s.Kind))); err != nil {
		return fmt.Errorf("namespace %q: setns %s: %w", s.Kind, s.Path, err)
	}
	return nil
}

// withoutFork is for instrumented builds, which cannot use a bare fork: the thread joins the namespaces that a thread
// of many may join, and makes the child there. That child finds its program through the target's /proc, and processes
// in the target can trace it on its way in. So this is for tests of this package, not for untrusted containers.
func (s *starter) withoutFork() error {
	if s.cfg.Target == nil {
		return errors.New("this build is instrumented (race detector or sanitizer) and can neither join user and time " +
			"namespaces, nor make a time namespace in a new user namespace, nor wait for newuidmap")
	}
	var all join
	for _, j := range s.plan.Joins {
		all.Kinds = append(all.Kinds, j.Kinds...)
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if all.flags() != 0 {
		if err := unix.Setns(int(s.cfg.Target.PIDFD.Fd()), int(all.flags())); err != nil {
			return fmt.Errorf("join the namespaces %s in an instrumented build, which can join neither user nor time "+
				"namespaces: %w", all, os.NewSyscallError("setns", err))
		}
	}
	if s.plan.Chroot {
		return os.NewSyscallError("chroot", errors.Join(unix.Fchdir(int(s.cfg.Target.Root.Fd())), unix.Chroot(".")))
	}
	return nil
}
