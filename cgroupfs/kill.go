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

// pollInterval is the time between two checks of something that the kernel does in its own time.
const pollInterval = 2 * time.Millisecond

func sleep(ctx context.Context) error {
	t := time.NewTimer(pollInterval)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Kill ends every process in the group and below it with SIGKILL, and returns when none is left. It uses cgroup.kill if
// there is one (Linux 5.14), which no fork escapes, and otherwise repeats until the group is empty. Afterwards the
// group is not frozen, even if it was before.
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
			g.signal(ctx, pids, round >= killRounds)
		}
		if round%thawAfter == thawAfter-1 {
			// The group itself was thawed: only a group above it can be frozen now, which is not ours to thaw.
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

// KillStrays sends SIGKILL to every process, but this one, that is in the group or in one below it in any hierarchy.
// Kill does not find processes that were put into the group in a single hierarchy, and they keep the group from being
// removed. KillStrays does not wait; its error is Stuck's, of a process that will not end.
func (g *Group) KillStrays() (stuck error) {
	for i := range g.members {
		pids, err := procs(g.members[i].dir, nil, 0)
		if err != nil || slices.Contains(pids, os.Getpid()) {
			continue
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
			if stuck == nil {
				stuck = g.layout.Stuck(pid)
			}
		}
	}
	return stuck
}

// signalRounds is the most times that Signal looks for new processes.
const signalRounds = 100

// Signal sends a signal to every process in the group and below it, once to each, until it finds no new process. found
// reports whether there was any. Processes of a frozen group receive it when they are thawed.
func (g *Group) Signal(sig unix.Signal) (found bool, err error) {
	sent := map[int]bool{}
	again := true
	for round := 0; again && round < signalRounds; round++ { // bounded: a program may fork all the time
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

// killRounds is how often Kill kills the processes one by one before it assumes that they fork faster than it kills,
// and freezes the group meanwhile. It does not do that at once, because a caller that is killed in between leaves a
// frozen group.
const killRounds = 5

// signal kills the processes in pids, or, with freeze, all processes of the group while it is frozen, so that none can
// fork. It waits while a thread of this process is in the group, one that has entered (Enter) and not yet ended: v1
// lists the whole process for it, so that it would kill itself, or freeze itself and wait for ever.
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

// Unfreeze thaws the group without waiting, and on v1 all groups below it, which the container itself may have frozen:
// a process that v1 has frozen does not die, not even by cgroup.kill of a hybrid host's v2. On v2 SIGKILL reaches
// frozen processes.
func (g *Group) Unfreeze() error {
	m := g.freezer()
	switch {
	case m == nil:
		return nil
	case m.h.V2:
		return ignoreGone(m.dir.write(m.freezeFile(false)))
	}
	return thawBelow(m.dir, 0)
}

func thawBelow(d dir, depth int) error {
	if err := d.write("freezer.state", "THAWED"); err != nil {
		return ignoreGone(err)
	}
	names, err := d.groups()
	if err != nil || depth == maxDepth {
		return ignoreGone(err)
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
