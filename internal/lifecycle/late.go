package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// smallMemory is the limit in bytes below which the child itself, which needs one or two MiB to begin its life, would
// leave the program too little: then it begins outside of the group.
const smallMemory = 8 << 20

// small says whether the container's limit of memory is less than its own child needs.
func small(limits *cgroupfs.Resources) bool {
	return limits.Memory != nil && *limits.Memory >= 0 && *limits.Memory < smallMemory
}

// split keeps the limit of tasks apart: the child itself needs a few threads until it executes the program, which needs
// perhaps one.
func split(writes []cgroupfs.Write) (now, later []cgroupfs.Write) {
	for _, w := range writes {
		if w.File == "pids.max" {
			later = append(later, w)
		} else {
			now = append(now, w)
		}
	}
	return now, later
}

// spawnIn starts the child in its group, or lets it join later where it may not begin there.
func (c *creation) spawnIn(ctx context.Context, cfg spawn.Config) error {
	var err error
	if c.joinsLate = c.small || c.unit != nil; c.group != nil && !c.joinsLate {
		cfg.Cgroup = c.group
	}
	c.process, err = spawn.Start(ctx, cfg)
	if cfg.Cgroup == nil || c.state.PID != 0 || !noCloneInto(err) {
		return err
	}
	c.r.Log.Debugf("container %s: %v: the child joins its cgroup after the clone", c.o.ID, err)
	cfg.Cgroup, c.joinsLate = nil, true
	c.process, err = spawn.Start(ctx, cfg)
	return err
}

// join moves the child into its group before it is told anything: what it makes for the container comes later, its
// cgroup namespace among it, whose root is the group that it is in. With a small limit it is left alone until it has
// begun its life and waits to be told: that memory is charged elsewhere and stays so (cgroup-v2.rst, "Memory
// Ownership").
func (c *creation) join(ctx context.Context, pid int) error {
	if c.small {
		awaitSleep(ctx, pid)
	}
	if c.unit != nil {
		return c.startUnit(ctx, pid)
	}
	return c.group.Add(pid)
}

// awaitSleep returns when a process sleeps and touches no new memory, at the latest after a second: it is the better
// moment to move it, not the only one.
func awaitSleep(ctx context.Context, pid int) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	path, before := "/proc/"+strconv.Itoa(pid)+"/stat", ""
	for {
		data, err := os.ReadFile(path)
		if err != nil {
			return
		}
		faults, asleep := parseFaults(string(data))
		if asleep && faults == before {
			return
		}
		if before = faults; !asleep {
			before = ""
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// parseFaults picks the count of minor faults and whether the process sleeps out of proc_pid_stat(5). The name in
// parentheses may hold anything.
func parseFaults(stat string) (faults string, asleep bool) {
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(f) < 8 {
		return "", false
	}
	return f[7], f[0] == "S"
}

// noCloneInto says whether an error of clone(2) may be that of CLONE_INTO_CGROUP: Linux before 5.7 does not know it,
// and filters of system calls often forbid clone3(2) as if it were not there.
func noCloneInto(err error) bool {
	for _, e := range []error{unix.ENOSYS, unix.EINVAL, unix.E2BIG, unix.EBUSY, unix.EOPNOTSUPP} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// delegate gives a v2 group to the user of the container's process, where the container has a cgroup namespace and sees
// its group writable (config-linux.md, "Cgroup ownership").
func (c *creation) delegate() error {
	uid, ok := groupOwner(c.convert)
	if !ok {
		return nil
	}
	err := c.group.Delegate(int(uid))
	if c.r.CgroupOptional && errors.Is(err, unix.EPERM) {
		c.r.Log.Debugf("container %s: the cgroup stays this user's: %v", c.o.ID, err) // a plain user gives nothing away
		return nil
	}
	if err != nil {
		return fmt.Errorf("give the cgroup to user %d: %w", uid, err)
	}
	return nil
}

// groupOwner is the user of the host who shall own the group; there is none if it is root, who owns it already.
func groupOwner(o *oci.Converted) (uid uint32, ok bool) {
	own, writable := false, false
	for _, n := range o.Spawn.Namespaces {
		own = own || n.Kind == container.NSCgroup && n.Path == ""
	}
	for _, m := range o.Spawn.Container.Mounts {
		writable = writable || m.Cgroup != nil && (m.Set|m.RecSet)&unix.MOUNT_ATTR_RDONLY == 0
	}
	uid, mapped := o.Spawn.Container.Process.UID, len(o.Spawn.UIDMappings) == 0
	for _, m := range o.Spawn.UIDMappings {
		if uid >= m.ContainerID && uid-m.ContainerID < m.Size {
			uid, mapped = m.HostID+(uid-m.ContainerID), true
			break
		}
	}
	return uid, own && writable && mapped && uid != 0
}

// starved adds to the error of a child that died, where the kernel killed something in its group for want of memory,
// that it did.
func starved(err error, g *cgroupfs.Group) error {
	if err == nil || g == nil {
		return err
	}
	o, e := g.OOM()
	if e != nil || o.Kills == 0 {
		return err // what failed first is what counts
	}
	return fmt.Errorf("%w (%s)", err, o)
}

// starved does the same for a container that was made earlier.
func (r *Runtime) starved(err error, s *state.State) error {
	out := err
	if e := withGroup(context.Background(), s, func(_ context.Context, g *cgroupfs.Group) error {
		out = starved(err, g)
		return nil
	}); e != nil {
		r.Log.Warnf("container %s: %v", s.ID, e)
	}
	return out
}
