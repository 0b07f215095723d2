// Package room runs a program in namespaces and control groups of its own, for tests of programs that would otherwise
// leave something on the host: daemons, containers, mounts, groups.
package room

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Room is the environment of one program: its own namespaces for mounts, processes, IPC and control groups. Its
// processes end with it, its /run and /proc are its own, and at /sys/fs/cgroup it sees only what is below a group that
// was created for it in every hierarchy of the host. Run creates the groups and removes them; Init is the first process
// of the pid namespace.
type Room struct {
	Name    string   // part of the names of the groups; no two rooms of one process have the same
	Args    []string // the program, a path relative to Dir or absolute, and its arguments
	Dir     string   // working directory; empty: the caller's
	Env     []string // added to the caller's environment
	Network bool     // a network namespace of its own, with nothing but an interface lo that is down
}

// initArg is the first argument of the process that Run starts.
const initArg = "room-init"

// Init must be called first in main. In the process that Run starts, it becomes the first process of the room, and ends
// with the status of the program; in any other process it returns.
func Init() {
	if len(os.Args) < 2 || os.Args[1] != initArg {
		return
	}
	err := enterRoom(os.Args[2:])
	fmt.Fprintln(os.Stderr, "room:", err)
	os.Exit(1)
}

// Run runs the program until it ends, kills what it leaves, and returns what it printed. The error is that of exec.Cmd.
// The end of ctx kills every process of the room. It needs root.
func (r Room) Run(ctx context.Context) (stdout, stderr []byte, err error) {
	hierarchies, err := cgroupMounts()
	if err != nil {
		return nil, nil, err
	}
	group := fmt.Sprintf("handfast-room-%d-%s", os.Getpid(), r.Name)
	for _, h := range hierarchies {
		path := filepath.Join(h.point, group)
		if err := os.Mkdir(path, 0o755); err != nil {
			return nil, nil, err
		}
		defer removeGroups(path)
		if err := prepare(h.point, path); h.kind == "cgroup" && err != nil {
			return nil, nil, err
		}
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{initArg, group}, r.Args...)...)
	cmd.Dir, cmd.Env = r.Dir, append(os.Environ(), r.Env...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig:  unix.SIGKILL,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC,
	}
	if r.Network {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNET
	}
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	return out.Bytes(), errOut.Bytes(), err
}

// enterRoom sets up the room, runs the program, and reaps all processes that it leaves. On success it does not return.
func enterRoom(args []string) error {
	group, args := args[0], args[1:]
	// A namespace belongs to a thread, so the thread that has created it must start the program.
	runtime.LockOSThread()
	hierarchies, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, h := range hierarchies {
		if err := enter(filepath.Join(h.point, group)); err != nil {
			return err
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := mountRoom(hierarchies, group); err != nil {
		return err
	}
	path, err := filepath.Abs(args[0])
	if err != nil {
		return err
	}
	p, err := os.StartProcess(path, args, &os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
	if err != nil {
		return err
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("wait4", err)
		case pid == p.Pid && status.Signaled():
			os.Exit(128 + int(status.Signal()))
		case pid == p.Pid:
			os.Exit(status.ExitStatus())
		}
	}
}

// enter moves this process into a group.
func enter(group string) error {
	return os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0)
}

func mountRoom(hierarchies []hierarchy, group string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting /run: %w", err)
	}
	for _, h := range hierarchies {
		// A bind, because the kernel refuses to mount a file system over itself.
		if err := unix.Mount(filepath.Join(h.point, group), h.point, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("binding %s of %s: %w", group, h.point, err)
		}
		if h.kind != "cgroup2" {
			continue
		}
		// A group with processes of its own cannot enable controllers for the groups below it.
		own := filepath.Join(h.point, "own")
		if err := os.Mkdir(own, 0o755); err != nil {
			return err
		}
		if err := enter(own); err != nil {
			return err
		}
	}
	return nil
}

// hierarchy is one mount of control groups.
type hierarchy struct{ point, kind string }

// cgroupMounts reads the hierarchies from proc_pid_mountinfo(5). If one is mounted twice, the first mount counts.
func cgroupMounts() ([]hierarchy, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var all []hierarchy
	seen := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		before, after, ok := strings.Cut(line, " - ")
		front, back := strings.Fields(before), strings.Fields(after)
		if !ok || len(front) < 5 || len(back) < 3 || !strings.HasPrefix(back[0], "cgroup") || seen[front[2]] {
			continue
		}
		seen[front[2]] = true
		all = append(all, hierarchy{front[4], back[0]})
	}
	if len(all) == 0 {
		return nil, errors.New("no control groups are mounted")
	}
	return all, nil
}

// prepare makes a new group usable as a root: with processors and memory nodes on v1. On v2 it has the controllers that
// the host's root enables; the host does not change for more.
func prepare(root, path string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(path, name), value, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeGroups removes a group and those below it. Its processes have been killed, and may take a moment to end.
func removeGroups(path string) {
	for range 500 {
		var all []string
		_ = filepath.WalkDir(path, func(p string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				all = append(all, p)
			}
			return nil
		})
		for _, p := range slices.Backward(all) {
			_ = unix.Rmdir(p)
		}
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "room: could not remove", path)
}
