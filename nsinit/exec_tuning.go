package nsinit

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// The steps of this file change how the kernel treats this thread, and so the program: all these settings survive
// the execution. The steps come before the change of the user, whose privileges may not be enough, and after the
// process has joined its cgroups, which limit the settings.

// processorsStep sets the processors on which the program may run, sched_setaffinity(2).
type processorsStep struct{ processors []uint32 }

func (processorsStep) stage() stage     { return stageProcessors }
func (s processorsStep) detail() string { return fmt.Sprint(s.processors) }

func (s processorsStep) do(*child) error {
	return op("sched_setaffinity", s.detail(), explainProcessors(sys.SetProcessors(0, s.processors)))
}

// personalityStep sets the execution domain of the program, personality(2).
type personalityStep struct{ persona uint64 }

func (personalityStep) stage() stage     { return stagePersonality }
func (s personalityStep) detail() string { return fmt.Sprintf("%#x", s.persona) }

func (s personalityStep) do(*child) error {
	return op("personality", s.detail(), sys.SetPersonality(s.persona))
}

// memoryPolicyStep sets the nodes from which the program gets its memory, set_mempolicy(2).
type memoryPolicyStep struct{ policy *container.MemoryPolicy }

func (memoryPolicyStep) stage() stage { return stageMemory }

func (s memoryPolicyStep) detail() string {
	return fmt.Sprintf("mode %d flags %#x nodes %v", s.policy.Mode, s.policy.Flags, s.policy.Nodes)
}

func (s memoryPolicyStep) do(*child) error {
	return op("set_mempolicy", s.detail(), explainMemoryPolicy(sys.SetMemoryPolicy(s.policy)))
}

// schedulerStep sets how the kernel schedules the program, sched_setattr(2).
type schedulerStep struct{ scheduler *container.Scheduler }

func (schedulerStep) stage() stage { return stageScheduler }

func (s schedulerStep) detail() string {
	a := s.scheduler
	return fmt.Sprintf("policy %d nice %d priority %d runtime %d deadline %d period %d flags %#x",
		a.Policy, a.Nice, a.Priority, a.Runtime, a.Deadline, a.Period, a.Flags)
}

func (s schedulerStep) do(*child) error {
	return op("sched_setattr", s.detail(), leftToParent(sys.SetScheduler(0, s.scheduler)))
}

// ioPriorityStep sets how the kernel schedules the program's reads and writes, ioprio_set(2): class<<13|level.
type ioPriorityStep struct{ priority uint32 }

func (ioPriorityStep) stage() stage { return stageIOPriority }

func (s ioPriorityStep) detail() string {
	return fmt.Sprintf("class %d level %d", s.priority>>13, s.priority&0x1fff)
}

func (s ioPriorityStep) do(*child) error {
	return op("ioprio_set", s.detail(), leftToParent(sys.SetIOPriority(0, s.priority)))
}

// leftToParent ignores EPERM: the kernel requires privileges over the whole host, which a user namespace does not
// give. The parent makes the change afterwards and reports its own error.
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
