package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/bound"
	"github.com/handfast/handfast/internal/oci/state"
)

// groupPatience bounds the wait for a group to become empty: a process that is killed may be in the middle of something
// long.
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
		return c.inConfig(fmt.Errorf("invalid configuration: %w", err))
	}
	group, err := cgroupfs.Create(c.layout, c.convert.CgroupPath)
	if err != nil {
		return fmt.Errorf("linux.cgroupsPath: %w", err)
	}
	if skipped := group.Skipped(); len(skipped) > 0 {
		// What was asked for is not left out without a word: the path too is a request, as with runc.
		if given := c.convert.CgroupGiven; !c.r.CgroupOptional || given || asked(&c.convert.Resources) {
			c.forget(group)
			what := "linux.resources"
			if given {
				what = "linux.cgroupsPath and linux.resources"
			}
			return c.inConfig(fmt.Errorf("linux.cgroupsPath: unable to apply cgroup configuration: the group %s may not be "+
				"made (rootless needs no limits + no cgrouppath when no permission is granted for cgroups: leave out %s, or have "+
				"the "+
				"group delegated): %w", c.convert.CgroupPath, what, skipped[0].Err))
		}
		if len(skipped) == len(c.layout.Hierarchies) {
			group.Close()
			c.state.CgroupIntent = nil
			return c.noGroup()
		}
	}
	c.group = group
	saved := group.Saved()
	c.state.CgroupPath, c.state.CgroupMade, c.state.CgroupIntent = saved.Path, saved.Made, nil
	c.state.Resources = state.EncodeResources(&limits)
	// Stored before anybody is in it: whatever becomes of this process, delete ends who is in the group, and in no
	// other.
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

// intend notes what will be made of the group, for the state's first writing: whoever is killed while the group is made
// leaves a container of which delete finds every directory, and takes none that was there before.
func (c *creation) intend() (err error) {
	if c.r.CgroupManager == CgroupsDisabled || c.unit != nil || len(c.layout.Hierarchies) == 0 {
		return nil
	}
	if c.state.CgroupIntent, err = c.layout.Intend(c.convert.CgroupPath); err != nil {
		return fmt.Errorf("linux.cgroupsPath: %w", err)
	}
	return nil
}

// noGroup leaves the container in the groups of this process, which can limit nothing for it alone.
func (c *creation) noGroup() error {
	if asked(&c.convert.Resources) {
		return fmt.Errorf("linux.resources: limits need a cgroup, and with --cgroup-manager %s none is made: leave them out",
			CgroupsDisabled)
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
	ctx, cancel := bound.Within(context.Background(), groupPatience)
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
	ctx, cancel := bound.Within(ctx, groupPatience)
	defer cancel()
	return do(ctx, group)
}

// removeGroup ends what is left in the container's group, and removes it; or what a create has made of it that did not
// come to store the group.
func removeGroup(s *state.State) error {
	if s.CgroupIntent != nil {
		layout, err := cgroupfs.Host()
		if err != nil {
			return err
		}
		return s.CgroupIntent.Undo(layout)
	}
	return withGroup(context.Background(), s, destroyGroup)
}

// removeGroup does the same for a create that fails, by what it holds open: it may be for want of descriptors that it
// fails.
func (c *creation) removeGroup() error {
	switch {
	case c.group != nil:
		ctx, cancel := bound.Within(context.Background(), groupPatience)
		defer cancel()
		return destroyGroup(ctx, c.group)
	case c.state.CgroupIntent != nil:
		return c.state.CgroupIntent.Undo(c.layout)
	}
	return removeGroup(&c.state)
}

// strayPatience bounds the wait for a group that Kill has emptied, before it is looked for processes that are in a part
// of its hierarchies alone.
const strayPatience = 200 * time.Millisecond

// destroyGroup ends every process in the group and removes it. A process that somebody, a hook say, has moved into it
// in some hierarchies alone is looked for where the group is found busy, and not before: that costs a walk over every
// hierarchy.
func destroyGroup(ctx context.Context, g *cgroupfs.Group) error {
	if err := g.Kill(ctx); err != nil {
		return err
	}
	brief, cancel := bound.Within(ctx, strayPatience)
	err := g.Delete(brief)
	cancel()
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	g.KillStrays()
	return g.Delete(ctx)
}
