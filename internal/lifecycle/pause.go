package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci/state"
)

// Pause freezes every process of a container that is running, or that was created and waits for its start, and returns
// when all of them have stopped. After an error they continue.
func (r *Runtime) Pause(ctx context.Context, id string) error {
	return r.freezer(ctx, "pause", id, []string{state.Running, state.Created}, phaseFreeze,
		(*cgroupfs.Group).Freeze)
}

// Resume lets the processes of a paused container continue. One that was not started before is created again.
func (r *Runtime) Resume(ctx context.Context, id string) error {
	return r.freezer(ctx, "resume", id, []string{state.Paused}, phaseThaw, (*cgroupfs.Group).Thaw)
}

// freezer freezes or thaws a container that has one of the required statuses.
func (r *Runtime) freezer(ctx context.Context, verb, id string, needs []string, phase string,
	do func(*cgroupfs.Group, context.Context) error) error {
	dir, s, err := r.open(id, false)
	if err != nil {
		return err
	}
	defer dir.Close()
	status, err := r.status(s, true)
	if err != nil {
		return err
	}
	if !slices.Contains(needs, status) {
		return fmt.Errorf("cannot %s container %s: container not %s: it is %s", verb, id, strings.Join(needs, " or "), status)
	}
	if s.CgroupPath == "" {
		return fmt.Errorf("cannot %s container %s: it has no cgroup of its own", verb, id)
	}
	r.enter(phase)
	err = r.withGroup(ctx, s, func(ctx context.Context, g *cgroupfs.Group) error { return do(g, ctx) })
	if err != nil {
		return fmt.Errorf("cannot %s container %s: %w", verb, id, err)
	}
	return nil
}

// unfreeze lets a container's processes continue, without waiting for that, so that they can end: on v1 a frozen
// process does not even die.
func (r *Runtime) unfreeze(s *state.State) error {
	return r.withGroup(context.Background(), s, func(_ context.Context, g *cgroupfs.Group) error { return g.Unfreeze() })
}
