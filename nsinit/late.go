package nsinit

import (
	"path"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// lateReadonly reports whether a mount becomes read-only only after everything else is made, because mount points
// and nodes must still be made in a tmpfs.
func lateReadonly(m *container.Mount) bool {
	return m.Type == "tmpfs" && !m.Bind && !m.Remount && m.Set&unix.MOUNT_ATTR_RDONLY != 0
}

// late reports whether mount i becomes read-only last. This applies to a tmpfs, and to everything that is remounted
// read-only, unless a later remount changes that setting again.
func (p *planner) late(i int) bool {
	m := &p.cfg.Mounts[i]
	if !lateReadonly(m) && !(m.Remount && m.Set&unix.MOUNT_ATTR_RDONLY != 0) {
		return false
	}
	for j := i + 1; j < len(p.cfg.Mounts); j++ {
		o := &p.cfg.Mounts[j]
		set, clear := bindAttrs(o)
		if o.Remount && path.Clean(o.Destination) == path.Clean(m.Destination) && (set|clear)&unix.MOUNT_ATTR_RDONLY != 0 {
			return false
		}
	}
	return true
}
