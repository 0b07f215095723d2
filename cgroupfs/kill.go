package cgroupfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// poll is how often something is looked at again that the kernel does in its own time.
const poll = 2 * time.Millisecond

func sleep(ctx context.Context) error {
	t := time.NewTimer(poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Kill ends every process in the group and below it with SIGKILL, and returns when none is left: by cgroup.kill where
// there is one (Linux 5.14), which no fork escapes; else again and again until the group is empty. The group is not
// frozen then, whatever it was.
func (g *Group) Kill(ctx context.Context) error {
	if len(g.members) == 0 {
		return nil
	}
	t := g.tracker()
	byKernel := t.h.V2 && t.dir.write("cgroup.kill", "1") == nil
	for round := 0; ; round++ {
		if err := g.Unfreeze(); err != nil {
			return err
		}
		pids, err := g.Procs()
		if err != nil || len(pids) == 0 {
			return err
		}
		if !byKernel {
			g.signal(ctx, pids, round >= rounds)
		}
		if round%again == again-1 {
			// The group itself was thawed: what is frozen now is another one, which is not ours to thaw.
			for _, pid := range pids {
				if err := g.layout.Stuck(pid); err != nil {
					return fmt.Errorf("cgroup %s: %w", g.path, err)
				}
			}
		}
		if err := sleep(ctx); err != nil {
			return fmt.Errorf("%d processes are left in cgroup %s: %w", len(pids), g.path, err)
		}
	}
}

// KillStrays sends SIGKILL to every process that is in the group, or in one below it, in any hierarchy: those that
// somebody has put into it in one hierarchy alone are not found by Kill, and keep the group from being removed. This
// process itself is left alone. It does not wait.
func (g *Group) KillStrays() {
	for i := range g.members {
		pids, err := procs(g.members[i].dir, nil, 0)
		if err != nil || slices.Contains(pids, os.Getpid()) {
			continue
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// signalRounds bounds how often Signal looks for processes that were made meanwhile.
const signalRounds = 100

// Signal sends a signal to every process in the group and below it, once to each, until it finds none that has not got
// it; found says whether there was one. A frozen group keeps it until it is thawed.
func (g *Group) Signal(sig unix.Signal) (found bool, err error) {
	sent := map[int]bool{}
	again := true
	for round := 0; again && round < signalRounds; round++ { // a program that forks all the time is never done with
		again = false
		pids, err := g.Procs()
		if err != nil {
			return found, err
		}
		for _, pid := range pids {
			if sent[pid] || pid == os.Getpid() {
				continue
			}
			sent[pid], again, found = true, true, true
			if err := unix.Kill(pid, sig); err != nil && err != unix.ESRCH {
				err = os.NewSyscallError("kill", err)
				return found, fmt.Errorf("signal %d to process %d of cgroup %s: %w", sig, pid, g.path, err)
			}
		}
	}
	return found, nil
}

// rounds is how often processes are killed one by one before it is taken that they fork faster, and the group is frozen
// meanwhile. Not sooner: a caller that is killed itself in between would leave a frozen group.
const rounds = 5

// signal kills what it is told, or, with the group frozen, so that nothing can fork, what is there then. It waits while
// this process has a thread in the group, one that entered and has yet to end (Enter): v1 lists the whole process for
// it, which would end itself, or freeze itself and wait for ever.
func (g *Group) signal(ctx context.Context, pids []int, freeze bool) {
	if slices.Contains(pids, os.Getpid()) {
		return
	}
	if freeze {
		brief, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		if m := g.freezer(); m != nil && m.freeze(brief) == nil {
			if now, err := g.Procs(); err == nil {
				pids = now
			}
		}
	}
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	if freeze {
		_ = g.Unfreeze()
	}
}

// Unfreeze thaws the group without waiting, on v1 all the groups below it too: a process that is frozen there does not
// even die, not by cgroup.kill of a hybrid host's v2 either, and a group below may have been frozen by the container
// itself. On v2 SIGKILL reaches frozen processes.
func (g *Group) Unfreeze() error {
	m := g.freezer()
	switch {
	case m == nil:
		return nil
	case m.h.V2:
		return gone(m.dir.write(m.freezeFile(false)))
	}
	return thawBelow(m.dir, 0)
}

func thawBelow(d dir, depth int) error {
	if err := d.write("freezer.state", "THAWED"); err != nil {
		return gone(err)
	}
	names, err := d.groups()
	if err != nil || depth == maxDepth {
		return gone(err)
	}
	for _, n := range names {
		sub, err := d.sub(n)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		err = thawBelow(sub, depth+1)
		sub.close()
		if err != nil {
			return err
		}
	}
	return nil
}
