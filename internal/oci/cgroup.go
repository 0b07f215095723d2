package oci

import (
	"path"
	"strings"

	"github.com/handfast/handfast/cgroupfs/systemd"
	"github.com/handfast/handfast/internal/rdt"
	"github.com/handfast/handfast/syncproto/container"
)

// CgroupHost is the host's cgroup layout, as far as a mount of type cgroup needs it. The zero value is a host
// without cgroups.
type CgroupHost struct {
	Version     int // 1 (v1 or hybrid) or 2
	Hierarchies []CgroupHierarchy
}

// CgroupHierarchy is one mounted hierarchy of the host.
type CgroupHierarchy struct {
	Name       string   // directory below the mount, such as "cpu,cpuacct"; empty for v2
	Options    string   // data for a new mount of it, such as "cpu,cpuacct"
	Mountpoint string   // absolute path of its root on the host
	Links      []string // symbolic links next to it, such as "cpu"
	V2         bool
	// Fixed is the group that the container stays in if it cannot have its own group in this hierarchy; empty if
	// it can.
	Fixed string
}

// view returns what a mount of type cgroup shows to a container whose group has the absolute path group.
func (h CgroupHost) view(group string) *container.Cgroup {
	out := &container.Cgroup{Version: h.Version}
	for _, one := range h.Hierarchies {
		own := group
		if one.Fixed != "" {
			own = one.Fixed
		}
		out.Hierarchies = append(out.Hierarchies, container.CgroupEntry{
			Name: one.Name, Options: one.Options, Path: path.Join(one.Mountpoint, own), Links: one.Links, V2: one.V2,
		})
	}
	return out
}

// groupPath returns the path of the container's group below the root of every hierarchy. Without cgroupsPath it is
// /handfast/ID. It is never below the caller's own group, whose limits are not meant for the containers that the
// caller starts. A relative path starts at the root, as with runc's cgroupfs driver.
func (c *planner) groupPath() string {
	if p := c.linux.CgroupsPath; p != "" {
		return path.Join("/", p)
	}
	return "/handfast/" + c.opt.ID
}

// rdt decides the container's class for cache and memory bandwidth. An object without members requests a class
// named after the container (config-linux.md). As with runc, that is not an error on a host without such classes.
func (c *planner) rdt() error {
	if c.linux.IntelRdt == nil {
		return nil
	}
	g, err := rdt.Plan(c.linux.IntelRdt, c.opt.ID)
	if err != nil {
		return wrong("linux.intelRdt", "%v", err)
	}
	c.out.RDT = &g
	return nil
}

func (c *planner) cgroup() error {
	p := c.linux.CgroupsPath
	if c.opt.Host.Systemd != nil {
		return c.unit(p)
	}
	if !strings.HasPrefix(p, "/") && strings.Count(p, ":") == 2 {
		return wrong("linux.cgroupsPath", "%q is systemd's form slice:prefix:name; use it with --systemd-cgroup, or give a "+
			"path", p)
	}
	for name := range strings.SplitSeq(p, "/") {
		if name == ".." {
			return wrong("linux.cgroupsPath", "%q; .. is not allowed", p)
		}
	}
	c.out.CgroupGiven = p != ""
	if c.out.CgroupPath = c.groupPath(); c.out.CgroupPath == "/" {
		return wrong("linux.cgroupsPath", "%q is the root of the hierarchy; want a group below it", p)
	}
	return c.resources()
}

// unit decides which unit systemd creates, and the path of its group.
func (c *planner) unit(p string) error {
	host := c.opt.Host.Systemd
	u, err := systemd.Parse(p, c.opt.ID, host.User)
	if err == nil {
		c.out.CgroupPath, err = u.Path(host.Base)
	}
	if err != nil {
		return wrong("linux.cgroupsPath", "%v", err)
	}
	if sub := c.spec.Annotations[systemd.SubAnnotation]; sub != "" {
		if u, err = u.Below(sub); err != nil {
			return wrong("annotations."+systemd.SubAnnotation, "%v", err)
		}
	}
	c.out.Unit = &u
	return c.resources()
}
