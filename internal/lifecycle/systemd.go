package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/cgroupfs/systemd"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
)

// unit is the systemd unit of a container in the making.
type unit struct {
	manager    *systemd.Manager
	host       systemd.Host
	properties []systemd.Property // of the limits, and what annotations add
	later      []systemd.Property // set when the child is ready
	writes     []cgroupfs.Write
	devices    []cgroupfs.DeviceRule
}

// reachSystemd finds out which systemd will make the group, before anything is made.
func (c *creation) reachSystemd(host *oci.Host) error {
	if c.r.CgroupManager != CgroupsBySystemd {
		return nil
	}
	m, err := systemd.Open(context.Background(), systemd.Options{User: !Privileged(), Layout: c.layout})
	if err != nil {
		return fmt.Errorf("--systemd-cgroup: %w (is systemd this host's process 1? elsewhere leave the option out)", err)
	}
	names, err := deviceNames()
	if err != nil {
		m.Close()
		return err
	}
	c.unit = &unit{manager: m, host: systemd.Host{Version: m.Version(), V2: c.layout.Mode() == cgroupfs.V2,
		Devices: names}}
	host.Systemd = &oci.Systemd{User: !Privileged(), Base: m.Base()}
	return nil
}

// planUnit decides what systemd and this program will set. The unit can be made only when there is a process for it.
func (c *creation) planUnit(limits *cgroupfs.Resources) error {
	u := c.unit
	all, err := u.host.Plan(limits)
	if err == nil {
		u.writes, err = cgroupfs.Plan(c.layout, limits)
	}
	if err != nil {
		return c.inConfig(fmt.Errorf("linux.resources: %w", err))
	}
	more, err := systemd.FromAnnotations(c.state.Annotations)
	if err != nil {
		return c.inConfig(err)
	}
	for _, p := range all {
		// As with split: the child itself needs a few threads.
		if p.Name == "TasksMax" {
			u.later = append(u.later, p)
		} else {
			u.properties = append(u.properties, p)
		}
	}
	u.properties = append(u.properties, more...)
	u.devices = limits.Devices
	c.state.Resources = state.EncodeResources(limits)
	c.small = small(limits)
	return nil
}

// storeUnit says in the state whose the unit is: the container's from when systemd is asked to make it, so that delete
// finds it whatever becomes of this process; and nobody's, if systemd did not make it. Somebody else may have one of
// that name.
func (c *creation) storeUnit(u systemd.Unit, group string) error {
	c.state.Unit, c.state.UnitSlice, c.state.UnitSub, c.state.UnitUser, c.state.CgroupPath = u.Name, u.Slice, u.Sub,
		u.Name != "" && !Privileged(), group
	return c.dir.Save(&c.state)
}

// startUnit has systemd make the unit around the child, and sets in its group what systemd does not.
func (c *creation) startUnit(ctx context.Context, pid int) error {
	u, name := c.unit, *c.convert.Unit
	properties := append(u.host.Base(name, "handfast container "+c.o.ID, pid), u.properties...)
	there, err := c.holders()
	if err == nil && there > 0 {
		err = fmt.Errorf("linux.cgroupsPath: the cgroup %s of %s exists and holds %d processes: %w", c.convert.CgroupPath,
			name.Name, there, unix.EBUSY)
	}
	if err != nil {
		return err
	}
	if err := c.storeUnit(name, c.convert.CgroupPath); err != nil {
		return err
	}
	if err := u.manager.Start(ctx, name, properties); err != nil {
		if refused := (*systemd.CallError)(nil); errors.As(err, &refused) && refused.Name != "" {
			err = Join(err, c.storeUnit(systemd.Unit{}, ""))
		}
		return err
	}
	if err := c.adopt(); err != nil {
		return err
	}
	if err := c.enterUnit(pid); err != nil {
		return err
	}
	now, later := split(u.writes)
	c.later = later
	if err := c.group.Apply(now); err != nil {
		return err
	}
	if err := c.group.Rule(u.devices); err != nil {
		return err
	}
	return c.delegate()
}

// holders is how many processes are in the unit's group before it is made: somebody else's, who would be ended with the
// container.
func (c *creation) holders() (int, error) {
	g, err := cgroupfs.Load(c.layout, cgroupfs.Saved{Path: c.convert.CgroupPath})
	if err != nil {
		return 0, err
	}
	defer g.Close()
	pids, err := g.Procs()
	return len(pids), err
}

// adopt opens the group that systemd has made. That must be there already: to make it would hide that systemd has made
// another one.
func (c *creation) adopt() error {
	there, err := cgroupfs.Load(c.layout, cgroupfs.Saved{Path: c.state.CgroupPath})
	if err != nil {
		return err
	}
	found := len(there.Dirs()) > 0
	there.Close()
	if !found {
		return fmt.Errorf("systemd has started %s, but its cgroup %s is not there: %w", c.state.Unit, c.state.CgroupPath,
			unix.ENOENT)
	}
	c.group, err = cgroupfs.Adopt(c.layout, c.state.CgroupPath)
	return err
}

// enterUnit moves the child into the hierarchies that systemd leaves alone, or into a slice, where systemd puts nobody;
// and from there into the group below the unit's that an annotation has asked for.
func (c *creation) enterUnit(pid int) error {
	if sub := c.convert.Unit.Sub; sub != "" {
		return c.group.Inner(sub, pid)
	}
	return c.group.Add(pid)
}

// finishUnit tells systemd what was left for later.
func (c *creation) finishUnit(ctx context.Context) error {
	if c.unit == nil || len(c.unit.later) == 0 {
		return nil
	}
	later := c.unit.later
	c.unit.later = nil
	return c.unit.manager.Set(ctx, *c.convert.Unit, later)
}
