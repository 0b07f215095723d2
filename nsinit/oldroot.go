package nsinit

import "github.com/handfast/handfast/internal/sys"

// outside returns the mounts that remain of the old root when the container's root is the mount root. It leaves out
// that mount, everything mounted below it, and the old root itself, which cannot be unmounted.
func outside(mounts []sys.MountEntry, root, old uint64) []sys.MountEntry {
	parent := make(map[uint64]uint64, len(mounts))
	for _, m := range mounts {
		parent[m.ID] = m.Parent
	}
	below := func(id uint64) bool {
		for range len(mounts) {
			if id == root {
				return true
			}
			up, listed := parent[id]
			if !listed || up == id {
				return false
			}
			id = up
		}
		return false
	}
	var left []sys.MountEntry
	for _, m := range mounts {
		if m.ID != old && !below(m.ID) {
			left = append(left, m)
		}
	}
	return left
}

// tellsOfHost reports whether a mount shows the kernel's settings.
func tellsOfHost(m sys.MountEntry) bool { return m.Type == "proc" || m.Type == "sysfs" }

// stacked reports whether another mount covers the root of m. Then nothing of m can be seen, and the kernel does
// not count m as visible.
func stacked(mounts []sys.MountEntry, m sys.MountEntry) bool {
	for _, o := range mounts {
		if o.Parent == m.ID && o.Point == m.Point {
			return true
		}
	}
	return false
}
