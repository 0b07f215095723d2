package spawn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// mostProcessor is the greatest number of a processor in any kernel.
const mostProcessor = 8191

// affinity binds the thread that makes the child, and so the child at first, to the processors of Config.Affinity.
func (s *starter) affinity() error {
	err := sys.SetProcessors(0, s.cfg.Affinity)
	switch {
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("processors %v of the thread that makes the child: sched_setaffinity: %w "+
			"(none of them is online and in the caller's cpuset)", s.cfg.Affinity, err)
	case err != nil:
		return fmt.Errorf("processors %v of the thread that makes the child: sched_setaffinity: %w", s.cfg.Affinity, err)
	}
	return nil
}

// tune sets the child's scheduler and I/O priority if it could not do so itself: they need privileges on the host,
// which a child in a user namespace does not have. A failure here ends the start.
func (s *starter) tune() error {
	p, pid := &s.cfg.Container.Process, s.process.pid
	if want := p.Scheduler; want != nil && !sys.HasScheduler(pid, want) {
		if err := sys.SetScheduler(pid, want); err != nil {
			return fmt.Errorf("scheduler %s: sched_setattr: %w%s", describeScheduler(want), err, schedulerHint(err, want))
		}
	}
	if want := p.IOPriority; want != 0 && !sys.HasIOPriority(pid, want) {
		if err := sys.SetIOPriority(pid, want); err != nil {
			return fmt.Errorf("I/O priority class %d, level %d: ioprio_set: %w%s",
				want>>13, want&0x1fff, err, priorityHint(err))
		}
	}
	return nil
}

// noteMaker stores the thread that makes the child. As it is a step, that thread ends afterwards.
func (s *starter) noteMaker() error {
	s.maker = unix.Gettid()
	return nil
}

// waitForMaker waits until the thread that made the child has ended. To the kernel that thread is the parent, and its
// end sends the parent death signal. Afterwards another thread of this process is the parent, usually the first one,
// which ends with the process.
func (s *starter) waitForMaker(ctx context.Context) error {
	if s.maker == 0 {
		return nil
	}
	for unix.Tgkill(unix.Getpid(), s.maker, 0) == nil {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// policies are the names of SCHED_* in <linux/sched.h>, by number.
var policies = [...]string{
	"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE",
}

func describeScheduler(s *container.Scheduler) string {
	name := fmt.Sprintf("policy %d", s.Policy)
	if int(s.Policy) < len(policies) {
		name = policies[s.Policy]
	}
	switch {
	case s.Priority > 0:
		return fmt.Sprintf("%s, priority %d", name, s.Priority)
	case s.Runtime > 0:
		return fmt.Sprintf("%s, runtime %d of %d ns", name, s.Runtime, s.Period)
	}
	return fmt.Sprintf("%s, nice %d", name, s.Nice)
}

// schedulerHint says what an errno of sched_setattr(2) usually means here, sched(7).
func schedulerHint(err error, s *container.Scheduler) string {
	switch {
	case errors.Is(err, unix.EPERM) && s.Priority > 0:
		return " (a realtime policy needs CAP_SYS_NICE on the host, " +
			"and in a v1 cpu group a budget, cpu.rt_runtime_us)"
	case errors.Is(err, unix.EPERM) && s.Runtime > 0:
		return " (SCHED_DEADLINE needs CAP_SYS_NICE on the host; and a process scheduler can't be used together with " +
			"AllowedCPUs or cpu.cpus, which allow it only some of the host's processors)"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return " (a nice value below the present one needs CAP_SYS_NICE on the host, or RLIMIT_NICE)"
	case errors.Is(err, unix.EBUSY):
		return " (the processors have no bandwidth left for it: /proc/sys/kernel/sched_rt_runtime_us)"
	case errors.Is(err, unix.EINVAL):
		return " (the kernel does not know this policy, or not with these values)"
	}
	return ""
}

func priorityHint(err error) string {
	if errors.Is(err, unix.EPERM) {
		return " (the realtime class needs CAP_SYS_NICE or CAP_SYS_ADMIN on the host)"
	}
	return ""
}
