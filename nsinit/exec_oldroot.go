package nsinit

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
)

// moveRoot is for a root that cannot be pivoted from, the kernel's initial ramfs: the new root is moved over it, and
// chroot(2) hides the rest.
//
// What stays mounted there can be reached by whoever undoes the chroot. And it need not be reached: as long as a whole
// procfs or sysfs is mounted anywhere in the mount namespace, the kernel lets a user namespace in the container mount
// another one (mnt_already_visible in fs/namespace.c), without what is masked and read-only in the container's own. So
// every mount of the old root is unmounted, and what cannot be is covered.
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
	// What is unmounted from it, and the root that is moved onto it, must not show at the host.
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

// moveOnto moves the root, the working directory, over the old one. It is there already if its own path cannot be
// walked.
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

// openMountList is sys.OpenMounts, and does not need a procfs on /proc.
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

// clearOldRoot unmounts what is mounted on the old root besides the new one, until nothing is left or nothing more
// goes: in a user namespace the host's mounts are locked, mount_namespaces(7). What tells of the host among these is
// covered.
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
			continue // what was covered by it can be reached now
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

// withMount calls f with a descriptor of the root of m, if a path still leads there: it may be covered, or gone
// together with the mount that it was on. done is what f says.
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

// unmountHere unmounts m and what is below it, and says whether it could.
func unmountHere(fd int, m sys.MountEntry) (bool, error) {
	// The host may have a peer of it, and must keep what is mounted there.
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
