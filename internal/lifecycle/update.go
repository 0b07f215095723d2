package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/rdt"
)

// Change is what an update changes.
type Change struct {
	Resources     *oci.Resources // never nil
	L3CacheSchema string         // lines of linux.intelRdt; empty: unchanged
	MemBwSchema   string
}

// Update merges new limits over those of a container that is not stopped, and stores them for the next update.
// Limits that change does not mention stay as they are, device rules included; new limits apply at once. After an
// error the old limits are in force, unless the error says that they could not be restored.
func (r *Runtime) Update(ctx context.Context, id string, change Change) error {
	dir, s, err := r.open(id, false)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := r.update(ctx, dir, s, change); err != nil {
		return fmt.Errorf("cannot update container %s: %w", id, err)
	}
	return nil
}

func (r *Runtime) update(ctx context.Context, dir *state.Dir, s *state.State, change Change) error {
	status, err := r.status(s, true)
	if err != nil {
		return err
	}
	switch status {
	case state.Created, state.Running, state.Paused:
	default:
		return fmt.Errorf("%w: it is %s, not created, running or paused", ErrNotRunning, status)
	}
	limits, warnings, err := oci.PlanUpdate(change.Resources, s.OCIVersion)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		r.Log.Warnf("%s", w)
	}
	if r.CgroupOptional {
		limits.Devices = nil // as in create
	}
	lines, err := rdt.Lines(change.L3CacheSchema, change.MemBwSchema, nil)
	if err != nil {
		return err
	}
	undo, err := changeClass(s, lines)
	if err != nil {
		return err
	}
	if err := r.updateGroup(ctx, dir, s, limits); err != nil {
		return Join(err, undo())
	}
	return nil
}

// updateGroup changes the limits of the container's group, and stores them.
func (r *Runtime) updateGroup(ctx context.Context, dir *state.Dir, s *state.State, limits *cgroupfs.Resources) error {
	if limits.Empty() && !limits.CheckMemory {
		return nil
	}
	if s.CgroupPath == "" {
		return errors.New("it has no cgroup of its own")
	}
	old, err := state.DecodeResources(s.Resources)
	if err != nil {
		return err
	}
	return r.group(s).Update(ctx, old, limits, func(next *cgroupfs.Resources) error {
		s.Resources = state.EncodeResources(next)
		return dir.Save(s)
	})
}
