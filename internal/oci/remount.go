package oci

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// remount converts the option of that name. It changes the attributes of the mount that already exists at the
// destination. It also changes the options of its file system, but only if the file system is one of the
// container's own. A file system of the host is not changed, because that would affect everybody who has it
// mounted. For such a mount only the attributes change, as with bind together with remount.
func (c *planner) remount(at string, m *container.Mount, mapped string, in *Mount) error {
	switch {
	case m.CopyUp:
		return wrong(at+".options", "tmpcopyup is for a new tmpfs, and remount changes one that is there")
	case mapped != "" || !requestsNothing(in.UIDMappings) || !requestsNothing(in.GIDMappings):
		return wrong(at, "the owners of files are mapped when a mount is made, and remount changes one that is there")
	}
	own := c.made(m.Destination)
	if m.Bind {
		own = nil
		if len(m.FSFlags) > 0 {
			c.warn(fmt.Sprintf("%s.options: %s belongs to the file system and has no effect beside bind",
				at, strings.Join(m.FSFlags, ", ")))
		}
		m.FSFlags = nil
	}
	if own == nil {
		if all := slices.Concat(m.FSFlags, m.Data); len(all) > 0 {
			return wrong(at+".options", "%q is an option of a file system, and mounts has none of the container's own at %s "+
				"that remount could give it to", all[0], m.Destination)
		}
	}
	if own != nil && !virtual(own.Type) {
		switch {
		case m.Set&unix.MOUNT_ATTR_RDONLY != 0:
			m.FSFlags = append(m.FSFlags, "ro")
		case m.Clear&unix.MOUNT_ATTR_RDONLY != 0:
			m.FSFlags = append(m.FSFlags, "rw")
		}
	}
	m.Bind, m.Recursive, m.Type, m.Source = false, false, "", ""
	return c.mountIDs(at, m.Data)
}

// made returns the container's own file system that an earlier entry of mounts puts at a destination, or nil if
// there is none.
func (c *planner) made(destination string) *container.Mount {
	for i := range slices.Backward(c.cfg.Mounts) {
		m := &c.cfg.Mounts[i]
		switch {
		case m.Destination != destination || m.Remount || m.Link != "":
		case m.Bind || m.Type == "cgroup":
			return nil
		default:
			return m
		}
	}
	return nil
}
