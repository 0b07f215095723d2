package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// spawnIn starts the child in its group, or lets it join later if it cannot start there.
func (c *creation) spawnIn(ctx context.Context, cfg spawn.Config) error {
	var err error
	if c.place == cgroupdriver.Begins {
		cfg.Cgroup = c.cgroup.Group()
	}
	c.process, err = spawn.Start(ctx, cfg)
	if cfg.Cgroup == nil || c.state.PID != 0 || !noCloneInto(err) {
		return err
	}
	c.r.Log.Debugf("container %s: %v: the child joins its cgroup after the clone", c.o.ID, err)
	cfg.Cgroup, c.place = nil, cgroupdriver.Joins
	c.process, err = spawn.Start(ctx, cfg)
	return err
}

// noCloneInto reports whether an error of clone(2) may come from CLONE_INTO_CGROUP: Linux before 5.7 does not know
// it, and filters of system calls often make clone3(2) fail as if the kernel did not have it.
func noCloneInto(err error) bool {
	for _, e := range []error{unix.ENOSYS, unix.EINVAL, unix.E2BIG, unix.EBUSY, unix.EOPNOTSUPP} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// groupOwner returns the host's id of the user that is to own the v2 group. If the container has a cgroup namespace
// and a writable mount of its group, that is the user of its process (config-linux.md, "Cgroup ownership"). ok is
// false otherwise, and also if the user is root, who owns the group already.
func groupOwner(o *oci.Planned) (uid uint32, ok bool) {
	own, writable := false, false
	for _, n := range o.Spawn.Namespaces {
		own = own || n.Kind == container.NSCgroup && n.Path == ""
	}
	for _, m := range o.Spawn.Container.Mounts {
		writable = writable || m.Cgroup != nil && (m.Set|m.RecSet)&unix.MOUNT_ATTR_RDONLY == 0
	}
	uid, mapped := hostUser(o)
	return uid, own && writable && mapped && uid != 0
}

// hostUser returns the host's id of the user of the container's process.
func hostUser(o *oci.Planned) (uid uint32, mapped bool) {
	uid, mapped = o.Spawn.Container.Process.UID, len(o.Spawn.UIDMappings) == 0
	for _, m := range o.Spawn.UIDMappings {
		if uid >= m.ContainerID && uid-m.ContainerID < m.Size {
			return m.HostID + (uid - m.ContainerID), true
		}
	}
	return uid, mapped
}

// starved adds a note to the error of a child that died, if the kernel killed processes of its group because memory
// ran out.
func starved(err error, g *cgroupfs.Group) error {
	if err == nil || g == nil {
		return err
	}
	o, e := g.OOM()
	if e != nil || o.Kills == 0 {
		return err // the first failure is the one to report
	}
	return fmt.Errorf("%w (%s)", err, o)
}

// starved does the same for an existing container.
func (r *Runtime) starved(err error, s *state.State) error {
	out := err
	if e := r.withGroup(context.Background(), s, func(_ context.Context, g *cgroupfs.Group) error {
		out = starved(err, g)
		return nil
	}); e != nil {
		r.Log.Warnf("container %s: %v", s.ID, e)
	}
	return out
}
