package nsinit

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// rootfsStep mounts the root file system on itself and opens it.
type rootfsStep struct{ path string }

func (rootfsStep) stage() stage      { return stageRootfs }
func (s rootfsStep) detail() string  { return s.path }
func (rootfsStep) do(c *child) error { return c.openRootfs() }

// rootStep opens the root that the process has joined.
type rootStep struct{}

func (rootStep) stage() stage      { return stageRoot }
func (rootStep) detail() string    { return "" }
func (rootStep) do(c *child) error { return c.openRoot() }

// openRootfs mounts the root file system on itself and opens it. If the container has no mount namespace of its
// own, openRootfs only opens it, unless the configuration asks for the mounts all the same.
func (c *child) openRootfs() error {
	r := &c.cfg.Root
	own := c.hasNamespace(container.NSMount)
	if !own && !r.OnHost {
		fd, err := unix.Open(r.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return op("open", r.Path, err)
		}
		c.root = sys.NewRoot(fd, r.Path)
		return nil
	}
	target, err := c.rootTarget()
	if err != nil {
		return err
	}
	defer sys.Close(target)
	// This comes after rootTarget, because an earlier copy would be a member of the same peer group.
	tree, err := c.source(r.Path, true)
	if err != nil {
		return err
	}
	if err := sys.Attach(tree, target, r.Path); err != nil {
		sys.Close(tree)
		return err
	}
	c.root = sys.NewRoot(tree, r.Path)
	if !own {
		// On a shared mount this mount has become shared, too, but the mounts below it are for this container
		// alone.
		return sys.SetAttr(tree, r.Path, true, 0, 0, unix.MS_PRIVATE)
	}
	return nil
}

// rootTarget opens the place on which the root file system is mounted until it becomes the root: its own directory.
// It makes sure that the mount there sends no events to the host. If the container's mounts are made on the host,
// rootTarget leaves that mount as it is.
func (c *child) rootTarget() (int, error) {
	r := &c.cfg.Root
	target, err := unix.Open(r.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if r.OnHost {
		return target, op("open", r.Path, err)
	}
	if err == nil {
		if err = c.unshareMount(target, r.Path); err == nil {
			return target, nil
		}
		sys.Close(target)
	}
	if !errors.Is(err, unix.EACCES) {
		return -1, op("open", r.Path, err)
	}
	// This process cannot walk the path. Any other place will do, because the pivot hides it.
	if target, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return -1, op("open", "/", err)
	}
	c.onSlash = true
	if err := c.unshareMount(target, "/"); err != nil {
		sys.Close(target)
		return -1, err
	}
	return target, nil
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

// source returns a detached copy of the mount at a path of the host. If this process may not reach the path (where
// its user is nobody), its parent opens it.
func (c *child) source(path string, recursive bool) (int, error) {
	tree, err := sys.ClonePath(path, recursive)
	if err == nil || !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) {
		return tree, err
	}
	return c.fromParent(path, recursive)
}

// namedSource is source for a path that the configuration names, which may lead through any links. While the root
// is mounted on "/", a ".." that leads to "/" would continue in the image, and from there anywhere, so the parent
// resolves the path then.
func (c *child) namedSource(path string, recursive bool) (int, error) {
	if c.onSlash {
		return c.fromParent(path, recursive)
	}
	return c.source(path, recursive)
}

// fromParent returns the copy of a mount that the parent makes.
func (c *child) fromParent(path string, recursive bool) (int, error) {
	return c.ask(container.MountArg{Source: path, Recursive: recursive})
}

// ask requests that the parent open a source.
func (c *child) ask(arg container.MountArg) (int, error) {
	_, fds, err := transport.Call(context.Background(), c.peer, container.MountRequest, arg)
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}

// pivotStep makes the root file system the root, by "pivot_root", "move" or "chroot".
type pivotStep struct{ how string }

func (pivotStep) stage() stage        { return stagePivot }
func (s pivotStep) detail() string    { return s.how }
func (s pivotStep) do(c *child) error { return c.pivot(s.how) }

// rootModeStep gives the new root its propagation, and makes it read-only if requested.
type rootModeStep struct{}

func (rootModeStep) stage() stage      { return stageRootMode }
func (rootModeStep) detail() string    { return "" }
func (rootModeStep) do(c *child) error { return c.rootMode() }

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
		if err := c.pivotRoot(); err != nil {
			return err
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

// rootMode gives the new root its propagation, and makes it read-only if requested.
func (c *child) rootMode() error {
	if p := rootPropagation(c.cfg.Root.Propagation); p != 0 {
		if err := sys.SetAttr(c.root.FD(), "/", false, 0, 0, p); err != nil {
			return err
		}
	}
	if c.cfg.Root.Readonly {
		return sys.SetAttr(c.root.FD(), "/", false, unix.MOUNT_ATTR_RDONLY, 0, 0)
	}
	return nil
}

// readonlyStep makes one path read-only.
type readonlyStep struct{ path string }

func (readonlyStep) stage() stage        { return stageReadonly }
func (s readonlyStep) detail() string    { return s.path }
func (s readonlyStep) do(c *child) error { return c.readonly(s.path) }

// maskStep makes one path unreadable.
type maskStep struct{ path string }

func (maskStep) stage() stage        { return stageMask }
func (s maskStep) detail() string    { return s.path }
func (s maskStep) do(c *child) error { return c.mask(s.path) }

// readonly makes a path read-only by mounting it on itself. It ignores a path that does not exist.
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

// mask makes a path unreadable: it covers a directory with an empty one, and anything else with the container's
// null device.
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
	return c.coverWith(fd, path, &st)
}

// coverWith covers fd, whose status is st: a directory with an empty directory, anything else with the null device.
func (c *child) coverWith(fd int, path string, st *unix.Stat_t) (err error) {
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

// emptyDir returns a new mount of the one read-only directory that covers all masked directories. The first mount
// is the file system's own, and the others are copies of it: before Linux 6.15 only an attached mount can be copied
// (__do_loopback in fs/namespace.c).
func (c *child) emptyDir() (int, error) {
	if c.empty != 0 {
		return sys.CloneTree(c.empty, "an empty directory", false)
	}
	options := c.labelled("tmpfs", []string{"size=0k", "mode=0755"})
	const attr = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	fd, err := sys.NewFS("tmpfs", "tmpfs", []string{"ro"}, options, attr)
	if err != nil {
		return -1, err
	}
	c.empty = fd
	tree, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return tree, op("fcntl F_DUPFD_CLOEXEC", "an empty directory", err)
}

// null returns a new mount of the container's /dev/null. It checks that the descriptor that it mounts is the null
// device, and keeps that descriptor for the next mount: a link or another file in its place would show a file of
// the image's choice under every masked path (CVE-2025-31133).
func (c *child) null() (int, error) {
	if c.nullFD == 0 {
		fd, err := c.openNull(unix.O_PATH)
		if err != nil {
			return -1, err
		}
		c.nullFD = fd
	}
	return sys.CloneTree(c.nullFD, "/dev/null", false)
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
	return unix.Fstat(fd, &st) == nil && isNullDevice(&st)
}

func isNullDevice(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3)
}
