package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/spawn"
)

// openGroup opens the group that the process begins in: the container's own, or the one below it that --cgroup names.
func (e *execution) openGroup() error {
	e.existing = e.r.group(e.state)
	if e.state.CgroupPath == "" {
		if len(e.o.Cgroup) > 0 {
			return fmt.Errorf("--cgroup %s: container %s has no cgroup of its own", e.o.Cgroup[0], e.o.ID)
		}
		return nil
	}
	memory, err := state.DecodeMemory(e.state.Resources)
	if err != nil {
		return err
	}
	e.late = cgroupdriver.SmallMemory(&cgroupfs.Resources{Memory: memory})
	e.group, err = e.existing.Open()
	switch {
	case err != nil:
	case len(e.o.Cgroup) > 0:
		err = e.descend(e.o.Cgroup...)
	case e.state.UnitSub != "":
		err = e.descend(e.state.UnitSub)
	}
	if err != nil {
		return err
	}
	return e.crowded()
}

// ownTasks is more than the tasks that a joining child has before it executes the program: the threads of Go's runtime,
// and the thread that makes it.
const ownTasks = 20

// crowded finds out whether the group has no room for the tasks that the child has until it executes the program. Then
// it joins when all of them are made and nothing is left but the execution, after which there is one: a container that
// has reached its limit of tasks can still be looked into.
func (e *execution) crowded() error {
	if e.existing.Attaches() {
		return nil
	}
	room, limited, err := e.group.TaskRoom()
	if limited && room < ownTasks {
		e.late, e.last = true, true
	}
	return err
}

// descend takes groups below the present one in its place.
func (e *execution) descend(paths ...string) error {
	sub, err := e.group.Sub(paths...)
	if errors.Is(err, unix.ENOENT) {
		err = fmt.Errorf("error adding pid of the process to cgroup: %w", err)
	}
	if err != nil {
		return fmt.Errorf("--cgroup: %w", err)
	}
	e.group.Close()
	e.group = sub
	return nil
}

// start makes the process. A container that has moved its own processes into groups below its own, as one with systemd
// in it does, leaves the group to hold controllers and no processes (cgroups(7), "no internal processes"): then it
// begins where the container's first process is.
func (e *execution) start(ctx context.Context) error {
	err := e.spawnNow(ctx)
	if errors.Is(err, unix.EBUSY) && e.group != nil && len(e.o.Cgroup) == 0 {
		below, e2 := e.firstProcessGroup()
		if e2 != nil {
			return Join(err, e2)
		}
		if err := e.descend(below); err != nil {
			return err
		}
		err = e.spawnNow(ctx)
	}
	if err != nil && e.group != nil && !e.late && !e.began && noCloneInto(err) {
		e.late = true
		err = e.spawnNow(ctx)
	}
	switch {
	case err == nil:
		return nil
	case e.ending():
		// A pid namespace takes all its processes along, this one's too, wherever it stood.
		return fmt.Errorf("cannot exec in container %s: it has ended meanwhile (%w)", e.o.ID, err)
	case errors.Is(err, unix.ESRCH):
		return fmt.Errorf("cannot exec in container %s: %w", e.o.ID, err)
	}
	return err
}

func (e *execution) spawnNow(ctx context.Context) (err error) {
	cfg := e.spawn
	cfg.Trace, cfg.Compile = e.trace.event(), e.trace.compiler()
	if e.group != nil && !e.existing.Attaches() && !e.late {
		cfg.Cgroup = e.group
	}
	if !cfg.Container.Process.Terminal {
		cfg.Files = [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	}
	if e.process, err = spawn.Start(ctx, cfg); err != nil {
		return e.agent.explain(err)
	}
	e.r.tellChild(e.o.ID, e.process)
	return nil
}

// join moves the process into its group before it is told anything, where it could not begin there or would have had
// too little memory to begin (as creation.join).
func (e *execution) join(ctx context.Context, pid int) error {
	if !e.late || e.last || e.group == nil {
		return nil
	}
	return cgroupdriver.AddSettled(ctx, e.group, pid)
}

// attach has systemd move the process into the group that it is to be in, where this process may not.
func (e *execution) attach(ctx context.Context, pid int) error {
	if !e.existing.Attaches() {
		return nil
	}
	return e.existing.Attach(ctx, e.group.Path(), pid)
}

// bindAgain binds a process that has come into its group late to its processors once more: before Linux 6.2 a cpuset
// forgets what was asked for before.
func (e *execution) bindAgain(pid int) error {
	all := e.spawn.Container.Process.Processors
	if len(all) == 0 {
		return nil
	}
	if err := sys.SetProcessors(pid, all); err != nil {
		return fmt.Errorf("processors %v in the container's cpuset: sched_setaffinity: %w", all, err)
	}
	return nil
}

// firstProcessGroup is the v2 group of the container's first process, below the container's own.
func (e *execution) firstProcessGroup() (string, error) {
	file := "/proc/" + strconv.Itoa(e.state.PID) + "/cgroup"
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		group, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if !found {
			continue
		}
		below, inside := strings.CutPrefix(group, path.Clean(e.state.CgroupPath)+"/")
		if !inside {
			return "", fmt.Errorf("%s: group %q is not below the container's own %s: %w", file, group, e.state.CgroupPath,
				unix.EXDEV)
		}
		return below, nil
	}
	return "", fmt.Errorf("%s names no v2 group: %w", file, unix.ENOENT)
}
