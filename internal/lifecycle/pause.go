package lifecycle

import (
	"context"
	"fmt"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci/state"
)

// Pause freezes every process of a running container, and returns when all of them have stopped. After an error
// they continue.
func (r *Runtime) Pause(ctx context.Context, id string) error {
	return r.freezer(ctx, "pause", id, state.Running, (*cgroupfs.Group).Freeze)
}

// Resume lets the processes of a paused container continue.
func (r *Runtime) Resume(ctx context.Context, id string) error {
	return r.freezer(ctx, "resume", id, state.Paused, (*cgroupfs.Group).Thaw)
}

// freezer freezes or thaws a container that has the required status.
func (r *Runtime) freezer(ctx context.Context, verb, id, needs string,
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
	if status != needs {
		return fmt.Errorf("cannot %s container %s: container not %s: it is %s", verb, id, needs, status)
	}
	if s.CgroupPath == "" {
		return fmt.Errorf("cannot %s container %s: it has no cgroup of its own", verb, id)
	}
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
