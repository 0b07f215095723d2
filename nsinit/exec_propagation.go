package nsinit

import (
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
)

// propagation gives the host's mounts in this mount namespace what the configuration wants.
func (c *child) propagation() error {
	p, recursive := hostPropagation(c.cfg.Root.Propagation)
	return sys.SetAttr(unix.AT_FDCWD, "/", recursive, 0, 0, p)
}

// unshareMount makes the mount that fd is on private if it is shared. Nothing that is mounted there must reach the host,
// and pivot_root(2) and move_mount(2) take no root on or below a shared mount. One that is a slave stays one, so a root
// file system goes on receiving what the host mounts below it.
func (c *child) unshareMount(fd int, name string) error {
	if !mayShare(c.cfg.Root.Propagation) {
		return nil
	}
	shared, err := isShared(fd)
	if err != nil || !shared {
		return err
	}
	root, err := sys.MountRoot(fd, name)
	if err != nil {
		return err
	}
	defer sys.Close(root)
	return sys.SetAttr(root, name, false, 0, 0, unix.MS_PRIVATE)
}

// isShared says whether the mount that fd is on sends events.
func isShared(fd int) (bool, error) {
	id, _, err := sys.MountOf(fd)
	if err != nil {
		return false, err
	}
	list, err := sys.OpenMounts()
	if err != nil {
		return false, err
	}
	defer sys.Close(list)
	mounts, err := sys.ReadMounts(list)
	for _, m := range mounts {
		if m.ID == id {
			return m.Shared, err
		}
	}
	return true, err // outside of what this process's root shows: nothing is known, and private is safe
}

// pivotRoot makes the working directory the root of this mount namespace and lets go of the old one.
func (c *child) pivotRoot() error {
	old, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", "/", err)
	}
	defer sys.Close(old)
	// "." twice: the old root ends up on top of the new one at the same place, pivot_root(2).
	if err := unix.PivotRoot(".", "."); err != nil {
		return op("pivot_root", c.cfg.Root.Path, err)
	}
	// Some of the old mounts may be the host's peers: to unmount them here must not unmount them there.
	if err := sys.SetAttr(old, "the old root", true, 0, 0, unix.MS_SLAVE); err != nil {
		return err
	}
	return op("umount", "the old root", unix.Unmount(".", unix.MNT_DETACH))
}

// moveRoot is for a root that cannot be pivoted from, the kernel's initial ramfs: the new root is moved over it, and
// chroot(2) hides the rest. The host's /proc and /sys could be reached by whoever undoes the chroot, and with them the
// host's settings, so they are unmounted first.
func (c *child) moveRoot() error {
	// What is unmounted from it here, and the root that is moved onto it, must not show at the host.
	if err := sys.SetAttr(unix.AT_FDCWD, "/", false, 0, 0, unix.MS_SLAVE); err != nil {
		return err
	}
	for _, p := range [...]string{"/proc", "/sys"} {
		if err := unix.Unmount(p, unix.MNT_DETACH); err != nil && err != unix.EINVAL && err != unix.ENOENT && err != unix.EPERM {
			return op("umount", p, err)
		}
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return op("mount MS_MOVE", c.cfg.Root.Path, err)
	}
	if err := unix.Chroot("."); err != nil {
		return op("chroot", c.cfg.Root.Path, err)
	}
	return nil
}
