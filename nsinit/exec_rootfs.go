package nsinit

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// propagation stops what is mounted from here on from reaching the host. Where the configuration wants the root to be shared or a slave, the old root is a slave meanwhile, and the
// wish is fulfilled after the pivot.
func (c *child) propagation() error {
	p := uint64(unix.MS_PRIVATE)
	if c.cfg.Root.Propagation != 0 {
		p = unix.MS_SLAVE
	}
	return sys.SetAttr(unix.AT_FDCWD, "/", true, 0, 0, p)
}

// openRootfs mounts the root file system on itself and opens it. Without a mount namespace of the container's own it is only opened.
func (c *child) openRootfs() error {
	r := &c.cfg.Root
	if !c.hasNamespace(container.NSMount) {
		fd, err := unix.Open(r.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return op("open", r.Path, err)
		}
		c.root = sys.NewRoot(fd, r.Path)
		return nil
	}
	tree, err := c.source(r.Path, true)
	if err != nil {
		return err
	}
	target, err := unix.Open(r.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == unix.EACCES {
		// The path cannot be walked from here: any place will do, for the pivot replaces what is seen of it.
		target, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return op("open", r.Path, err)
	}
	defer sys.Close(target)
	if err := sys.Attach(tree, target, r.Path); err != nil {
		return err
	}
	// The root's own mount must not be shared, pivot_root(2).
	if err := sys.SetAttr(tree, r.Path, true, 0, 0, unix.MS_PRIVATE); err != nil {
		return err
	}
	c.root = sys.NewRoot(tree, r.Path)
	return nil
}

// openRoot opens the root of a container that this process has joined.
func (c *child) openRoot() error {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", "/", err)
	}
	c.root = sys.NewRoot(fd, "/")
	return nil
}

func (c *child) hasNamespace(kind string) bool {
	for _, n := range c.cfg.Namespaces {
		if n.Kind == kind {
			return true
		}
	}
	return false
}

// source is a detached copy of the mount at a path of the host. What this process may not reach (its user is nobody there), its parent opens for it.
func (c *child) source(path string, recursive bool) (int, error) {
	tree, err := sys.ClonePath(path, recursive)
	if err == nil || !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) {
		return tree, err
	}
	arg := container.MountArg{Source: path, Recursive: recursive}
	_, fds, e := transport.Call(context.Background(), c.peer, container.MountRequest, arg)
	if e != nil {
		return -1, e
	}
	return fds[0], nil
}

// pivot makes the root file system the root of this mount namespace.
func (c *child) pivot(how string) error {
	name := c.cfg.Root.Path
	if err := unix.Fchdir(c.root.FD()); err != nil {
		return op("fchdir", name, err)
	}
	switch how {
	case "chroot":
		if err := unix.Chroot("."); err != nil {
			return op("chroot", name, err)
		}
	case "move":
		if err := c.moveRoot(); err != nil {
			return err
		}
	default:
		// "." twice: the old root ends up below the new one at the same place, pivot_root(2), and is unmounted from there.
		if err := unix.PivotRoot(".", "."); err != nil {
			return op("pivot_root", name, err)
		}
		if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
			return op("umount", "the old root", err)
		}
	}
	if err := unix.Chdir("/"); err != nil {
		return op("chdir", "/", err)
	}
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", "/", err)
	}
	c.root.Close()
	c.root = sys.NewRoot(fd, "/")
	return nil
}

// moveRoot is for a root that cannot be pivoted from, the kernel's initial ramfs: the new root is moved over it, and chroot(2) hides the rest. The host's /proc and /sys could be reached
// by whoever undoes the chroot, and with them the host's settings, so they are unmounted first.
func (c *child) moveRoot() error {
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

// rootMode gives the new root its propagation, and makes it read-only.
func (c *child) rootMode() error {
	if p := c.cfg.Root.Propagation; p != 0 {
		if err := sys.SetAttr(c.root.FD(), "/", p&unix.MS_REC != 0, 0, 0, p&^unix.MS_REC); err != nil {
			return err
		}
	}
	if c.cfg.Root.Readonly {
		return sys.SetAttr(c.root.FD(), "/", false, unix.MOUNT_ATTR_RDONLY, 0, 0)
	}
	return nil
}

// readonly makes a path read-only by a mount of it on itself. A path that is not there needs nothing.
func (c *child) readonly(path string) error {
	fd, err := c.root.Path(path)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	tree, err := sys.CloneTree(fd, path, true)
	if err != nil {
		return err
	}
	defer sys.Close(tree)
	if err := sys.SetAttr(tree, path, false, unix.MOUNT_ATTR_RDONLY, 0, 0); err != nil {
		return err
	}
	return sys.Attach(tree, fd, path)
}

// mask makes a path unreadable: a directory becomes an empty one, anything else the container's null device.
func (c *child) mask(path string) error {
	fd, err := c.root.Path(path)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return op("fstat", path, err)
	}
	var tree int
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		tree, err = c.emptyDir()
	} else {
		tree, err = c.null()
	}
	if err != nil {
		return err
	}
	defer sys.Close(tree)
	return sys.Attach(tree, fd, path)
}

// emptyDir is a fresh mount of the one read-only directory that stands for all masked ones. The first is the file system's own mount, and the others are copies of that: until Linux 6.15
// only what is attached can be copied (__do_loopback in fs/namespace.c).
func (c *child) emptyDir() (int, error) {
	if c.empty != 0 {
		return sys.CloneTree(c.empty, "an empty directory", false)
	}
	fd, err := sys.NewFS("tmpfs", "tmpfs", []string{"ro"}, []string{"size=0k", "mode=0755"}, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return -1, err
	}
	c.empty = fd
	tree, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return tree, op("fcntl F_DUPFD_CLOEXEC", "an empty directory", err)
}

// null is a fresh mount of the container's /dev/null. That it really is the null device is checked on the descriptor that is mounted: a link or another file in its place would show a file of its
// choice under every masked path (CVE-2025-31133).
func (c *child) null() (int, error) {
	fd, err := c.openNull(unix.O_PATH)
	if err != nil {
		return -1, err
	}
	defer sys.Close(fd)
	return sys.CloneTree(fd, "/dev/null", false)
}

func (c *child) openNull(flags int) (int, error) {
	fd, err := c.root.Open("/dev/null", flags|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, err
	}
	if !isNull(fd) {
		sys.Close(fd)
		return -1, errors.New("/dev/null in the container is not the null device")
	}
	return fd, nil
}

// isNull reports whether fd is the character device 1:3, Documentation/admin-guide/devices.txt.
func isNull(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3)
}
