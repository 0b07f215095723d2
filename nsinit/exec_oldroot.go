package nsinit

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
)

// moveRoot replaces pivot_root(2) for a root from which it is not possible, the kernel's initial ramfs. It moves
// the new root over the old one, and chroot(2) hides the rest.
//
// A process that escapes the chroot can reach the mounts that remain there. They do harm even if they cannot be
// reached: as long as a whole procfs or sysfs is mounted anywhere in the mount namespace, the kernel lets a user
// namespace in the container mount another one (mnt_already_visible in fs/namespace.c), without the masked and
// read-only paths of the container's own. So moveRoot unmounts every mount of the old root and covers those that
// cannot be unmounted.
func (c *child) moveRoot() error {
	list, err := openMountList()
	if err != nil {
		return err
	}
	defer sys.Close(list)
	old, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", "/", err)
	}
	defer sys.Close(old)
	// Neither the unmounts there nor the root that is moved onto it may propagate to the host.
	if err := sys.SetAttr(old, "/", false, 0, 0, unix.MS_SLAVE); err != nil {
		return err
	}
	if err := c.moveOnto(list, old); err != nil {
		return err
	}
	if err := c.clearOldRoot(list, old); err != nil {
		return err
	}
	if err := unix.Fchdir(c.root.FD()); err != nil {
		return op("fchdir", c.cfg.Root.Path, err)
	}
	return op("chroot", c.cfg.Root.Path, unix.Chroot("."))
}

// moveOnto moves the root, which is the working directory, over the old root. The root is there already if this
// process cannot walk the root's own path.
func (c *child) moveOnto(list, old int) error {
	oldID, _, err := sys.MountOf(old)
	if err != nil {
		return err
	}
	root, _, err := sys.MountOf(c.root.FD())
	if err != nil {
		return err
	}
	mounts, err := sys.ReadMounts(list)
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m.ID == root && m.Parent == oldID && m.Point == "/" {
			return nil
		}
	}
	return op("mount MS_MOVE", c.cfg.Root.Path, unix.Mount(".", "/", "", unix.MS_MOVE, ""))
}

// openMountList is sys.OpenMounts, but does not need a procfs on /proc.
func openMountList() (int, error) {
	list, err := sys.OpenMounts()
	if err == nil {
		return list, nil
	}
	proc, e := sys.NewFS("proc", "", nil, nil, 0)
	if e != nil {
		return -1, err
	}
	defer sys.Close(proc)
	list, e = unix.Openat(proc, "self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return list, op("open", "self/mountinfo", e)
}

// clearOldRoot unmounts everything on the old root except the new root, until nothing is left or nothing more can
// be unmounted: in a user namespace the host's mounts are locked, mount_namespaces(7). Among the remaining mounts,
// it covers those that show settings of the host.
func (c *child) clearOldRoot(list, old int) error {
	oldID, _, err := sys.MountOf(old)
	if err != nil {
		return err
	}
	root, _, err := sys.MountOf(c.root.FD())
	if err != nil {
		return err
	}
	for {
		mounts, err := sys.ReadMounts(list)
		if err != nil {
			return err
		}
		left := outside(mounts, root, oldID)
		gone := false
		for _, m := range left {
			done, err := withMount(m, unmountHere)
			if err != nil {
				return err
			}
			gone = gone || done
		}
		if gone {
			continue // mounts that it covered can be reached now
		}
		for _, m := range left {
			if !tellsOfHost(m) || stacked(mounts, m) {
				continue
			}
			done, err := withMount(m, c.cover)
			if err != nil {
				return err
			}
			if !done {
				const text = "--no-pivot: the %s on %s would stay in the container, for something else covers it " +
					"and it cannot be unmounted; unmount it, or do without --no-pivot: %w"
				return fmt.Errorf(text, m.Type, m.Point, unix.EPERM)
			}
		}
		return nil
	}
}

// withMount calls f with a descriptor of the root of m if a path still leads there: m may be covered, or may have
// gone together with the mount that it was on. done is the result of f.
func withMount(m sys.MountEntry, f func(fd int, m sys.MountEntry) (bool, error)) (done bool, err error) {
	fd, err := unix.Open(m.Point, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, nil
	}
	defer sys.Close(fd)
	if id, _, err := sys.MountOf(fd); err != nil || id != m.ID {
		return false, err
	}
	return f(fd, m)
}

// unmountHere unmounts m and everything below it, and reports whether that was possible.
func unmountHere(fd int, m sys.MountEntry) (bool, error) {
	// The host may have a peer of the mount, and must keep what is mounted there.
	if err := sys.SetAttr(fd, m.Point, true, 0, 0, unix.MS_SLAVE); err != nil {
		return false, err
	}
	err := unix.Unmount(m.Point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		return false, nil
	}
	return err == nil, op("umount", m.Point, err)
}

// cover mounts something empty over m.
func (c *child) cover(fd int, m sys.MountEntry) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, op("fstat", m.Point, err)
	}
	return true, c.coverWith(fd, m.Point, &st)
}
