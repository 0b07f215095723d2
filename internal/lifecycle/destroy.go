package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/account"
	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/hooks"
	"github.com/handfast/handfast/internal/oci/state"
)

// patience bounds the wait for a killed process: the kernel may have to write out or tear down a lot, but not
// forever.
const patience = 30 * time.Second

// end kills the container's process and waits until it has ended.
func (r *Runtime) end(s *state.State) error {
	h, err := openProcess(s.PID, s.StartTime)
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer h.close()
	if err := h.signal(unix.SIGKILL); err != nil && !errors.Is(err, errGone) {
		return err
	}
	if err := r.unfreeze(s); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience,
		fmt.Errorf("process %d did not end within %v of SIGKILL", s.PID, patience))
	defer cancel()
	return h.awaitEnd(ctx)
}

// glance is how long awaitEnd waits for a killed process before it looks for a reason why the process does not end.
const glance = 100 * time.Millisecond

// awaitEnd waits for a process that was killed. It fails early if the process was moved into a frozen group that
// does not belong to the container, so that the runtime may not thaw it.
func (h *handle) awaitEnd(ctx context.Context) error {
	for {
		brief, cancel := context.WithTimeout(ctx, glance)
		err := h.wait(brief)
		late := brief.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !late {
			return err
		}
		_ = h.pidfd.SetReadDeadline(time.Time{})
		layout, err := cgroupfs.Host()
		if err == nil {
			err = layout.Stuck(h.pid)
		}
		if err != nil {
			return err
		}
	}
}

// destroy undoes a create (runtime.md, "Lifecycle", the last two steps). It ends the process and everything else in
// the group, removes the group, runs the poststop hooks and finally removes the state. If a part cannot be removed
// the state stays, so that delete can be tried again.
func (r *Runtime) destroy(dir *state.Dir, s *state.State) error {
	return r.destroyWith(dir, s, r.group(s))
}

func (r *Runtime) destroyWith(dir *state.Dir, s *state.State, group *cgroupdriver.Existing) error {
	r.enter(phaseEnd)
	if err := r.end(s); err != nil {
		return err
	}
	account.End("process ended")
	r.enter(phaseLeaveGroup)
	if err := group.Remove(); err != nil {
		return err
	}
	account.End("group removed")
	if err := Join(removeClass(s), unmountHost(s)); err != nil {
		return err
	}
	r.poststop(s)
	r.enter(phaseLeaveState)
	return dir.Remove()
}

// poststop runs every poststop hook. A hook that fails causes a warning, and the others still run.
func (r *Runtime) poststop(s *state.State) {
	if len(s.Poststop) == 0 {
		return
	}
	r.enter(phaseHooks("poststop"))
	input, err := hookInput(s, state.Stopped)
	if err != nil {
		r.Log.Warnf("poststop: %v", err)
		return
	}
	for _, err := range hooks.RunAll(context.Background(), "poststop", s.Poststop, input) {
		r.Log.Warnf("%v", err)
	}
}
