package cgroupfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Add moves a process with all its threads into the group in every hierarchy. After an error it may be in some of them;
// Kill finds it there.
func (g *Group) Add(pid int) error {
	if len(g.members) == 0 {
		return nil
	}
	text := strconv.Itoa(pid)
	first := g.tracker() // the one that Procs and Kill use
	if err := first.join(pid, text); err != nil {
		return err
	}
	for i := range g.members {
		if m := &g.members[i]; m != first {
			if err := m.join(pid, text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *member) join(pid int, text string) error {
	err := m.dir.write("cgroup.procs", text)
	if errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("process %d has ended: %w", pid, err)
	}
	return err
}

// FD returns a descriptor of the group's directory in the v2 hierarchy, for CLONE_INTO_CGROUP (clone(2)), so that a
// child starts in the group; -1 without v2. The Group keeps the descriptor.
func (g *Group) FD() int {
	for _, m := range g.members {
		if m.h.V2 {
			return m.dir.fd
		}
	}
	return -1
}

// Inherited reports whether the group is in v1 hierarchies too, where a child can only inherit it from the thread that
// creates it (Enter).
func (g *Group) Inherited() bool {
	for _, m := range g.members {
		if !m.h.V2 {
			return true
		}
	}
	return false
}

// Enter moves the calling thread into the group in the v1 hierarchies, so that a child which it creates next starts
// there. The caller must have locked the goroutine to the thread, which must not be the process's first, and must let
// the thread end afterwards, because it stays in the group; Delete waits for that.
//
// Moving a thread is much cheaper than moving a process: the kernel need not block all forks meanwhile, which takes an
// RCU grace period (kernel/cgroup/cgroup.c, cgroup_attach_lock).
func (g *Group) Enter() error {
	for _, m := range g.members {
		if m.h.V2 {
			continue
		}
		if err := m.dir.write("tasks", "0"); err != nil {
			return err
		}
	}
	return nil
}

// Procs returns the ids of the processes in the group and in those below it, as this process sees them.
func (g *Group) Procs() ([]int, error) {
	if len(g.members) == 0 {
		return nil, nil
	}
	m := g.tracker()
	return procs(m.dir, nil, 0)
}

// tracker returns the member that Procs and Kill use: v2's if there is one, because it can also kill all processes at
// once.
func (g *Group) tracker() *member {
	for i := range g.members {
		if g.members[i].h.V2 {
			return &g.members[i]
		}
	}
	for i := range g.members {
		if slices.Contains(g.members[i].h.Controllers, "freezer") {
			return &g.members[i]
		}
	}
	return &g.members[0]
}

// maxDepth is how deep groups below a group are visited. A container with a tree of its own can raise the kernel's
// limit.
const maxDepth = 512

func procs(d dir, pids []int, depth int) ([]int, error) {
	text, err := d.read("cgroup.procs")
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return pids, ignoreGone(err)
	}
	for line := range strings.Lines(text) {
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	names, err := d.groups()
	if err != nil || depth == maxDepth {
		return pids, ignoreGone(err)
	}
	for _, n := range names {
		sub, err := d.sub(n)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return pids, err
		}
		pids, err = procs(sub, pids, depth+1)
		sub.close()
		if err != nil {
			return pids, err
		}
	}
	return pids, nil
}

// ignoreGone returns nil for an error that says that the group was removed meanwhile, and any other error as it is.
func ignoreGone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
