package lifecycle

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/sys"
)

// Core scheduling, Documentation/admin-guide/hw-vuln/core-scheduling.rst: at any moment the hardware threads of a
// core run only tasks with the same cookie. A container's processes have a cookie of their own, which their
// children inherit.

// ownCores gives the container's first process a cookie of its own, if the configuration requests that.
func ownCores(s *state.State, pid int) error {
	if s.Shared == nil || !s.Shared.CoreScheduling {
		return nil
	}
	err := coreCall(unix.PR_SCHED_CORE_CREATE, pid, unix.PR_SCHED_CORE_SCOPE_THREAD_GROUP)
	return explainCores("PR_SCHED_CORE_CREATE", err)
}

// shareCores gives the container's cookie to a process that joins the container. A thread of this process takes the
// cookie first, and ends afterwards.
func shareCores(s *state.State, pid int) error {
	if s.Shared == nil || !s.Shared.CoreScheduling {
		return nil
	}
	return sys.OnThread(func() error {
		err := coreCall(unix.PR_SCHED_CORE_SHARE_FROM, s.PID, unix.PR_SCHED_CORE_SCOPE_THREAD)
		if err != nil {
			return explainCores("PR_SCHED_CORE_SHARE_FROM", err)
		}
		err = coreCall(unix.PR_SCHED_CORE_SHARE_TO, pid, unix.PR_SCHED_CORE_SCOPE_THREAD_GROUP)
		return explainCores("PR_SCHED_CORE_SHARE_TO", err)
	})
}

func coreCall(command, pid, scope int) error {
	return unix.Prctl(unix.PR_SCHED_CORE, uintptr(command), uintptr(pid), uintptr(scope), 0)
}

// explainCores adds to an error which property it is about. ENODEV is not an error: the machine has no hardware
// threads that could share a core, or they are switched off.
func explainCores(call string, err error) error {
	const at = "annotations." + oci.AnnotationCoreScheduling
	switch err {
	case nil, unix.ENODEV:
		return nil
	case unix.EINVAL:
		return fmt.Errorf("%s: prctl %s: %w (the kernel has no core scheduling: Linux 5.14 with CONFIG_SCHED_CORE)",
			at, call, err)
	}
	return fmt.Errorf("%s: prctl %s: %w", at, call, err)
}
