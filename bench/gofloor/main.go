// Command gofloor is floor/floor.c in Go, for a machine without a C compiler:
//
//	gofloor [-g GROUP]... ROOTFS PROGRAM [ARG...]
//
// Go cannot run its own code between clone and exec, so the child is another start of this program: the floor of any
// runtime that is only written in Go.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// childCommand as the first argument makes this process the child.
const childCommand = "child"

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == childCommand {
		fmt.Fprintln(os.Stderr, "gofloor:", child(args[1:]))
		os.Exit(126)
	}
	code, err := parent(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gofloor:", err)
	}
	os.Exit(code)
}

func parent(args []string) (int, error) {
	var groups []string
	rest := args
	for len(rest) > 1 && rest[0] == "-g" {
		groups, rest = append(groups, rest[1]), rest[2:]
	}
	if len(rest) < 2 {
		return 2, fmt.Errorf("usage: gofloor [-g GROUP]... ROOTFS PROGRAM [ARG...]")
	}
	for _, g := range groups {
		if err := os.Mkdir(g, 0o755); err != nil {
			return 1, err
		}
		defer os.Remove(g)
	}
	cmd := exec.Command("/proc/self/exe", append([]string{childCommand}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET,
	}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return 1, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// step is one system call and the name to report it by.
type step struct {
	name string
	do   func() error
}

func child(args []string) error {
	runtime.LockOSThread() // Capabilities belong to the thread, and exec keeps those of the calling thread.
	var steps []step
	for len(args) > 1 && args[0] == "-g" {
		procs := args[1] + "/cgroup.procs"
		steps = append(steps, step{procs, func() error { return os.WriteFile(procs, []byte("0"), 0) }})
		args = args[2:]
	}
	steps = append(steps, rootSteps(args[0])...)
	for _, s := range append(steps, afterPivot()...) {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return unix.Exec(args[1], args[1:], []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"})
}

func mount(source, target, kind string, flags uintptr, data string) step {
	return step{"mount " + target, func() error { return unix.Mount(source, target, kind, flags, data) }}
}

// rootSteps returns the steps before the root changes; relative paths are below rootfs.
func rootSteps(rootfs string) []step {
	const usual = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV
	mkdir := func(path string) step { return step{path, func() error { return unix.Mkdir(path, 0o755) }} }
	steps := []step{
		{"hostname", func() error { return unix.Sethostname([]byte("handfast-bench")) }},
		mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		mount(rootfs, rootfs, "", unix.MS_BIND|unix.MS_REC, ""),
		{"chdir", func() error { return unix.Chdir(rootfs) }},
		mount("proc", "proc", "proc", usual, ""),
		mount("tmpfs", "dev", "tmpfs", unix.MS_NOSUID|unix.MS_STRICTATIME, "mode=755,size=65536k"),
		mkdir("dev/pts"), mkdir("dev/shm"), mkdir("dev/mqueue"),
		mount("devpts", "dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"),
		mount("shm", "dev/shm", "tmpfs", usual, "mode=1777,size=65536k"),
		mount("mqueue", "dev/mqueue", "mqueue", usual, ""),
		mount("sysfs", "sys", "sysfs", usual|unix.MS_RDONLY, ""),
	}
	for _, d := range [...]struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}} {
		steps = append(steps, step{"mknod " + d.name, func() error {
			return unix.Mknod("dev/"+d.name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor)))
		}})
	}
	for _, l := range [...][2]string{{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
		{"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}} {
		steps = append(steps, step{"symlink " + l[1], func() error { return unix.Symlink(l[0], "dev/"+l[1]) }})
	}
	return append(steps,
		step{"pivot_root", func() error { return unix.PivotRoot(".", ".") }},
		step{"umount", func() error { return unix.Unmount(".", unix.MNT_DETACH) }},
		step{"chdir", func() error { return unix.Chdir("/") }},
	)
}

// afterPivot returns the steps inside the new root: covered paths, loopback, privileges.
func afterPivot() []step {
	var steps []step
	for _, path := range [...]string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"} {
		steps = append(steps, mount(path, path, "", unix.MS_BIND|unix.MS_REC, ""),
			mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_NODEV, ""))
	}
	for _, path := range [...]string{"/proc/kcore", "/proc/keys", "/proc/sysrq-trigger"} {
		if unix.Access(path, unix.F_OK) == nil {
			steps = append(steps, mount("/dev/null", path, "", unix.MS_BIND, ""))
		}
	}
	if unix.Access("/sys/firmware", unix.F_OK) == nil {
		steps = append(steps, mount("tmpfs", "/sys/firmware", "tmpfs", unix.MS_RDONLY, ""))
	}
	return append(steps, step{"loopback", loopback}, step{"privileges", privileges})
}

func loopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request)
}

func privileges() error {
	const keep = 1<<unix.CAP_KILL | 1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_AUDIT_WRITE
	for c := range uintptr(64) {
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); err != nil {
			break
		}
		if keep&(uint64(1)<<c) == 0 {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
				return err
			}
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: keep, Permitted: keep}}
	return unix.Capset(&header, &data[0])
}
