package nsinit

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
)

// labelStep requests a label from a security module, "apparmor" or "selinux", for the execution.
type labelStep struct{ module, label string }

func (labelStep) stage() stage        { return stageLabel }
func (s labelStep) detail() string    { return s.module + " " + s.label }
func (s labelStep) do(c *child) error { return c.label(s.module, s.label) }

// label requests that a security module give the program another label at its execution, proc_pid_attr(5). The
// write goes through a procfs of our own that is not mounted anywhere: a mount over /proc in the container can
// neither redirect the write nor make the program run without the label (CVE-2019-16884, CVE-2025-52881).
func (c *child) label(module, label string) error {
	files, value := []string{"thread-self/attr/exec"}, label
	if module == "apparmor" {
		// The module's own directory is tried first: the shared one belongs to the module that was registered first
		// (Documentation/admin-guide/LSM/index.rst).
		files, value = []string{"thread-self/attr/apparmor/exec", "thread-self/attr/exec"}, "exec "+label
	}
	proc, err := ownProc()
	if err != nil {
		return err
	}
	defer sys.Close(proc)
	for i, file := range files {
		fd, err := openAttr(proc, file)
		if errors.Is(err, unix.ENOENT) && i+1 < len(files) {
			continue
		}
		if err != nil {
			return err
		}
		_, err = unix.Write(fd, []byte(value))
		sys.Close(fd)
		if err != nil {
			return op("write", "/proc/"+file, fmt.Errorf("%s label %q: %w", module, label, err))
		}
		return nil
	}
	return nil
}

// openAttr opens a file below thread-self, which is a link that the kernel itself makes on this procfs.
func openAttr(proc int, file string) (int, error) {
	const self = "thread-self"
	dir, err := unix.Openat(proc, self, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, op("open", "/proc/"+self, err)
	}
	defer sys.Close(dir)
	return sys.Beneath(dir, file[len(self)+1:], unix.O_WRONLY)
}

// ownProc returns a procfs for the pid namespace of this process. A process that may not mount one (in a user
// namespace whose /proc is partly covered, proc(5)) gets /proc, if that is a procfs and nothing covers it.
func ownProc() (int, error) {
	proc, err := sys.NewFS("proc", "", nil, nil, 0)
	if err == nil || !errors.Is(err, unix.EPERM) {
		return proc, err
	}
	fd, e := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if e != nil {
		return -1, op("open", "/proc", e)
	}
	var st unix.Stat_t
	magic, e := sys.FSType(fd)
	if e == nil {
		e = unix.Fstat(fd, &st)
	}
	// PROC_ROOT_INO in the kernel's include/linux/proc_ns.h: this is the root of a procfs and not a directory below
	// it.
	if e != nil || magic != unix.PROC_SUPER_MAGIC || st.Ino != 1 {
		sys.Close(fd)
		return -1, err
	}
	return fd, nil
}
