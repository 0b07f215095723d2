package lifecycle

import (
	"context"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/oci/state"
)

// host is the host's layout of control groups, read once a command.
func (r *Runtime) host() (*cgroupfs.Layout, error) {
	var err error
	if r.layout == nil {
		r.layout, err = cgroupfs.Host()
	}
	return r.layout, err
}

// group is the group of a container that exists.
func (r *Runtime) group(s *state.State) *cgroupdriver.Existing {
	return &cgroupdriver.Existing{ID: s.ID, Record: recordOf(s), Layout: r.host, Log: r.Log,
		Plain: s.UnitUser && !Privileged()}
}

// openDriver opens the driver that will make the group, before anything is made.
func (c *creation) openDriver(layout *cgroupfs.Layout) (err error) {
	// Who is root of what is of interest to systemd alone, and takes a system call to find out.
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

// planGroup decides what the driver will do, and notes it for the state's first writing.
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

// makeGroup makes the container's group, as far as it can be made before there is a process.
func (c *creation) makeGroup() (err error) {
	if c.place, err = c.cgroup.Make(); err != nil {
		return c.explainGroup(err)
	}
	if c.place == cgroupdriver.Stays {
		setRecord(&c.state, cgroupdriver.Record{})
		layout, err := c.r.host()
		if err != nil {
			return err
		}
		stayBehind(c.plan.Spawn.Container.Mounts, layout)
	}
	return nil
}

// explainGroup names the file that a wrong property stands in.
func (c *creation) explainGroup(err error) error {
	if _, ok := err.(*cgroupdriver.ConfigError); ok {
		return c.inConfig(err)
	}
	return err
}

// withGroup opens the container's group, if it has one and it is still there.
func (r *Runtime) withGroup(ctx context.Context, s *state.State,
	do func(context.Context, *cgroupfs.Group) error) error {
	return r.group(s).With(ctx, do)
}
