package lifecycle

import (
	"context"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/oci/state"
)

// host returns the host's layout of control groups, which it reads once per command.
func (r *Runtime) host() (*cgroupfs.Layout, error) {
	var err error
	if r.layout == nil {
		r.layout, err = cgroupfs.Host()
	}
	return r.layout, err
}

// group returns the group of an existing container.
func (r *Runtime) group(s *state.State) *cgroupdriver.Existing {
	return &cgroupdriver.Existing{ID: s.ID, Record: recordOf(s), Layout: r.host, Log: r.Log,
		Plain: s.UnitUser && !Privileged()}
}

// openDriver opens the driver that will make the group. Nothing has been made yet.
func (c *creation) openDriver(layout *cgroupfs.Layout) (err error) {
	// Only systemd needs to know whether this process is privileged, and finding out takes a system call.
	user := c.r.CgroupManager == cgroupdriver.Systemd && !Privileged()
	c.cgroup, err = cgroupdriver.Open(cgroupdriver.Options{
		Name: c.r.CgroupManager, ID: c.o.ID, Layout: layout, User: user, Optional: c.r.CgroupOptional, Log: c.r.Log,
		Store: func(rec cgroupdriver.Record) error {
			setRecord(&c.state, rec)
			return c.save()
		},
	})
	return err
}

// planGroup decides what the driver will do, and notes it for when the state is first written.
func (c *creation) planGroup() error {
	r := cgroupdriver.Request{Path: c.plan.CgroupPath, PathGiven: c.plan.CgroupGiven, Limits: c.plan.Resources,
		Annotations: c.state.Annotations}
	if uid, ok := groupOwner(c.plan); ok {
		r.Owner = int(uid)
	}
	if c.plan.Unit != nil {
		r.Unit = *c.plan.Unit
	}
	if _, err := c.cgroup.Plan(r); err != nil {
		return c.explainGroup(err)
	}
	rec, err := c.cgroup.Intend()
	setRecord(&c.state, rec)
	return err
}

// makeGroup makes the container's group, as far as possible before there is a process.
func (c *creation) makeGroup() (err error) {
	if c.place, err = c.cgroup.Make(); err != nil {
		return c.explainGroup(err)
	}
	if c.place == cgroupdriver.Stays {
		setRecord(&c.state, cgroupdriver.Record{})
		if c.state.SharedPID {
			c.r.Log.Warnf("a container with no cgroup and no private pid namespace. Such configuration is strongly " +
				"discouraged (as it is impossible to properly kill all container's processes)")
		}
		layout, err := c.r.host()
		if err != nil {
			return err
		}
		stayBehind(c.plan.Spawn.Container.Mounts, layout)
	}
	return nil
}

// explainGroup adds the name of the configuration's file to the error of a wrong property.
func (c *creation) explainGroup(err error) error {
	if _, ok := err.(*cgroupdriver.ConfigError); ok {
		return c.inConfig(err)
	}
	return err
}

// withGroup opens the container's group and calls do, if the container has a group that still exists.
func (r *Runtime) withGroup(ctx context.Context, s *state.State,
	do func(context.Context, *cgroupfs.Group) error) error {
	return r.group(s).With(ctx, do)
}
