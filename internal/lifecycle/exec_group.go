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

// openGroup opens the group in which the process starts: the container's own, or the one below it that --cgroup
// names.
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

// ownTasks is more than the number of tasks that a joining child has before it executes the program: the threads of
// Go's runtime, and the thread that creates it.
const ownTasks = 20

// crowded checks whether the group lacks room for the tasks that the child has until it executes the program. If
// so, the child joins when all of them exist and only the execution is left, after which a single task remains. So
// a container that has reached its limit of tasks can still be inspected.
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

// descend replaces the present group by one below it.
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

// start makes the process. A container that has moved its own processes into groups below its own, as one that runs
// systemd does, uses the group for controllers and no longer for processes (cgroups(7), "no internal processes").
// The process then starts in the group of the container's first process.
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
		// When a pid namespace ends, all its processes do, including this one, however far it got.
		return fmt.Errorf("cannot exec in container %s: it has ended meanwhile (%w)", e.o.ID, err)
	case errors.Is(err, unix.ESRCH):
		return fmt.Errorf("cannot exec in container %s: %w", e.o.ID, err)
	}
	return err
}

func (e *execution) spawnNow(ctx context.Context) (err error) {
	cfg := e.spawn
	cfg.Trace, cfg.Compile = e.r.traceConversation(), e.r.compiler()
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

// join moves the process into its group before anything is sent to it, if the process could not start there or
// would have had too little memory to start (as creation.join).
func (e *execution) join(ctx context.Context, pid int) error {
	if !e.late || e.last || e.group == nil {
		return nil
	}
	return cgroupdriver.AddSettled(ctx, e.group, pid)
}

// attach makes systemd move the process into its group, if this process may not do so itself.
func (e *execution) attach(ctx context.Context, pid int) error {
	if !e.existing.Attaches() {
		return nil
	}
	return e.existing.Attach(ctx, e.group.Path(), pid)
}

// bindAgain sets the processor affinity of a process again after it has joined its group late: before Linux 6.2 a
// cpuset forgets the affinity that was set before.
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

// firstProcessGroup returns the v2 group of the container's first process, relative to the container's own.
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
