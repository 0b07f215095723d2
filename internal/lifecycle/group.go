package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci/state"
)

// groupPatience bounds the wait for a group to become empty: a process that is killed may be in the middle of something long.
const groupPatience = 30 * time.Second

// makeGroup makes the container's group with its limits. Every hook finds them set.
func (c *creation) makeGroup() error {
	if c.r.CgroupManager == CgroupsDisabled {
		return c.noGroup()
	}
	limits := c.convert.Resources
	if c.r.CgroupOptional {
		limits.Devices = nil // a plain user can make no device node that these rules would be about, and may not set them
	}
	if c.unit != nil {
		return c.planUnit(&limits)
	}
	writes, err := cgroupfs.Plan(c.layout, &limits)
	if err != nil {
		return inConfig(c.state.Bundle, err)
	}
	group, err := cgroupfs.Create(c.layout, c.convert.CgroupPath)
	if err != nil {
		return fmt.Errorf("linux.cgroupsPath: %w", err)
	}
	if skipped := group.Skipped(); len(skipped) > 0 {
		if !c.r.CgroupOptional || asked(&c.convert.Resources) {
			c.forget(group)
			return fmt.Errorf("linux.cgroupsPath: a group that may not be made (leave out linux.resources as a plain user, or have the group delegated): %w", skipped[0].Err)
		}
		if len(skipped) == len(c.layout.Hierarchies) {
			group.Close()
			return c.noGroup()
		}
	}
	c.group = group
	saved := group.Saved()
	c.state.CgroupPath, c.state.CgroupMade = saved.Path, saved.Made
	c.state.Resources = state.EncodeResources(&limits)
	// Stored before anything else is made: whatever becomes of this process, delete finds the group, and no other.
	if err := c.dir.Save(&c.state); err != nil {
		return err
	}
	c.small = small(&limits)
	now, later := split(writes)
	c.later = later
	if err := group.Apply(now); err != nil {
		return err
	}
	if err := group.Rule(limits.Devices); err != nil {
		return err
	}
	return c.delegate()
}

// noGroup leaves the container in the groups of this process, which can limit nothing for it alone.
func (c *creation) noGroup() error {
	if asked(&c.convert.Resources) {
		return fmt.Errorf("linux.resources: limits need a cgroup, and with --cgroup-manager %s none is made: leave them out", CgroupsDisabled)
	}
	stayBehind(c.convert.Spawn.Container.Mounts, c.layout)
	return nil
}

// finishGroup sets what makeGroup left for later. It comes before the first hook, and before the container may run.
func (c *creation) finishGroup(ctx context.Context) error {
	if err := c.finishUnit(ctx); err != nil {
		return err
	}
	later := c.later
	c.later = nil
	if len(later) == 0 {
		return nil
	}
	return c.group.Apply(later)
}

// forget removes a group that nothing is in yet.
func (c *creation) forget(group *cgroupfs.Group) {
	ctx, cancel := context.WithTimeout(context.Background(), groupPatience)
	defer cancel()
	if err := group.Delete(ctx); err != nil {
		c.r.Log.Warnf("cgroup %s: %v", group.Path(), err)
	}
	group.Close()
}

// withGroup opens the container's group, if it has one and it is still there.
func withGroup(ctx context.Context, s *state.State, do func(context.Context, *cgroupfs.Group) error) error {
	if s.CgroupPath == "" {
		return nil
	}
	layout, err := cgroupfs.Host()
	if err != nil {
		return err
	}
	group, err := cgroupfs.Load(layout, cgroupfs.Saved{Path: s.CgroupPath, Made: s.CgroupMade})
	if err != nil {
		return err
	}
	defer group.Close()
	ctx, cancel := context.WithTimeout(ctx, groupPatience)
	defer cancel()
	return do(ctx, group)
}

// removeGroup ends what is left in the container's group, and removes it.
func removeGroup(s *state.State) error {
	return withGroup(context.Background(), s, func(ctx context.Context, g *cgroupfs.Group) error {
		if err := g.Kill(ctx); err != nil {
			return err
		}
		return g.Delete(ctx)
	})
}

// killGroup ends every process of the container's group.
func killGroup(s *state.State) error {
	return withGroup(context.Background(), s, func(ctx context.Context, g *cgroupfs.Group) error { return g.Kill(ctx) })
}
