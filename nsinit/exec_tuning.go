package nsinit

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
)

// tune carries out a step that changes how the kernel treats this thread, and so the program: all of it stays over the
// execution. It comes before the user, whose rights may not be enough, and after the groups, which bound it.
func (c *child) tune(s step) error {
	p := &c.cfg.Process
	switch s.Stage {
	case stageProcessors:
		return op("sched_setaffinity", s.Text, explainProcessors(sys.SetProcessors(0, p.Processors)))
	case stagePersonality:
		return op("personality", s.Text, sys.SetPersonality(*p.Personality))
	case stageMemory:
		return op("set_mempolicy", s.Text, explainMemoryPolicy(sys.SetMemoryPolicy(p.MemoryPolicy)))
	case stageScheduler:
		return op("sched_setattr", s.Text, leftToParent(sys.SetScheduler(0, p.Scheduler)))
	}
	return op("ioprio_set", s.Text, leftToParent(sys.SetIOPriority(0, p.IOPriority)))
}

// leftToParent takes EPERM for none: the kernel asks for rights over the whole host, which a user namespace does not
// give. The parent tries after it, and the error is that one's.
func leftToParent(err error) error {
	if errors.Is(err, unix.EPERM) {
		return nil
	}
	return err
}

func explainProcessors(err error) error {
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%w (none of them is online and in the container's cpuset)", err)
	}
	return err
}

func explainMemoryPolicy(err error) error {
	switch {
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w (the kernel does not know this mode or these flags, "+
			"or none of the nodes is online and in the container's cpuset)", err)
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w (the kernel was built without CONFIG_NUMA)", err)
	}
	return err
}
