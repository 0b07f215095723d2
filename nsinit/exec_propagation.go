package nsinit

import (
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
)

// propagationStep stops mounts from spreading to the host.
type propagationStep struct{}

func (propagationStep) stage() stage      { return stagePropagation }
func (propagationStep) detail() string    { return "" }
func (propagationStep) do(c *child) error { return c.propagation() }

// propagation gives the host's mounts in this mount namespace the propagation for which the configuration asks.
func (c *child) propagation() error {
	p, recursive := hostPropagation(c.cfg.Root.Propagation)
	return sys.SetAttr(unix.AT_FDCWD, "/", recursive, 0, 0, p)
}

// unshareMount makes the mount that fd is on private if it is shared. Nothing that is mounted there may reach the
// host, and pivot_root(2) and move_mount(2) take no root on or below a shared mount. A slave mount stays one, so
// that a root file system continues to receive what the host mounts below it.
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

// isShared reports whether the mount that fd is on sends mount events.
func isShared(fd int) (bool, error) {
	id, _, err := sys.MountOf(fd)
	if err != nil {
		return false, err
	}
	list, err := openMountList()
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
	return true, err // not visible from this process's root: it may be shared, and private is safe
}

// pivotRoot makes the working directory the root of this mount namespace and unmounts the old root.
func (c *child) pivotRoot() error {
	old, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", "/", err)
	}
	defer sys.Close(old)
	// "." twice: the old root ends up on top of the new one in the same place, pivot_root(2).
	if err := unix.PivotRoot(".", "."); err != nil {
		return op("pivot_root", c.cfg.Root.Path, err)
	}
	// Some of the old mounts may be peers of the host's: unmounting them here must not unmount them there.
	if err := sys.SetAttr(old, "the old root", true, 0, 0, unix.MS_SLAVE); err != nil {
		return err
	}
	return op("umount", "the old root", unix.Unmount(".", unix.MNT_DETACH))
}
