package spawn

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// hostDevice returns the configured device at this path if the child cannot create it, because it is in a user
// namespace, and needs a bind mount of its parent's; nil otherwise.
func (s *starter) hostDevice(path string) *container.Device {
	if !s.plan.hasUser() {
		return nil
	}
	for i, d := range s.cfg.Container.Devices {
		if d.Path == path && d.Type != "p" {
			return &s.cfg.Container.Devices[i]
		}
	}
	return nil
}

// isDevice reports whether fd is that device.
func isDevice(fd int, d *container.Device) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == nodeType(d) && st.Rdev == unix.Mkdev(d.Major, d.Minor)
}

func nodeType(d *container.Device) uint32 {
	if d.Type == "b" {
		return unix.S_IFBLK
	}
	return unix.S_IFCHR
}

// makeDevice creates a node that the host does not have, or has with other numbers, on a separate file system that is
// mounted nowhere, and returns a detached mount of that node, as crun does. The caller owns the descriptor.
func (s *starter) makeDevice(d *container.Device) (int, error) {
	fail := func(err error) (int, error) {
		return -1, fmt.Errorf("device %s: the host has no such node %s %d:%d, and it cannot be created: %w",
			d.Path, d.Type, d.Major, d.Minor, err)
	}
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fail(os.NewSyscallError("fsopen", err))
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return fail(os.NewSyscallError("fsconfig", err))
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return fail(os.NewSyscallError("fsmount", err))
	}
	defer unix.Close(mount)
	const node = "node"
	if err := unix.Mknodat(mount, node, nodeType(d), int(unix.Mkdev(d.Major, d.Minor))); err != nil {
		return fail(os.NewSyscallError("mknodat", err))
	}
	// Set the configured mode, whatever this process's umask is.
	if err := unix.Fchmodat(mount, node, d.Mode&0o7777, 0); err != nil {
		return fail(os.NewSyscallError("fchmodat", err))
	}
	uid, gid := hostID(s.cfg.UIDMappings, d.UID), hostID(s.cfg.GIDMappings, d.GID)
	if err := unix.Fchownat(mount, node, uid, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fail(os.NewSyscallError("fchownat", err))
	}
	fd, err := unix.OpenTree(mount, node, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if errors.Is(err, unix.EINVAL) {
		// Before Linux 6.15, only a mount of the caller's own mount namespace can be cloned.
		fd, err = cloneAttached(mount, node)
	} else {
		err = os.NewSyscallError("open_tree", err)
	}
	if err != nil {
		return fail(err)
	}
	return fd, nil
}

// cloneAttached returns a detached clone of a file in a mount that is attached nowhere. It attaches the mount to the
// root of a mount namespace that lives as long as a thread of this function's own.
func cloneAttached(mount int, name string) (fd int, err error) {
	enter := func() error { return os.NewSyscallError("unshare CLONE_NEWNS", unix.Unshare(unix.CLONE_NEWNS)) }
	private := func() error { // so that the mount is not propagated to the host
		return os.NewSyscallError("mount MS_PRIVATE", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	}
	attach := func() error {
		return os.NewSyscallError("move_mount", unix.MoveMount(mount, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH))
	}
	err = onThread([]func() error{enter, private, attach}, func() error {
		tree, err := unix.OpenTree(mount, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		fd = tree
		return os.NewSyscallError("open_tree", err)
	})
	return fd, err
}

// hostID returns a container's id as the host sees it; -1, which chown(2) ignores, if no mapping has it.
func hostID(maps []IDMap, id uint32) int {
	for _, m := range maps {
		if id >= m.ContainerID && uint64(id) < uint64(m.ContainerID)+uint64(m.Size) {
			return int(m.HostID + (id - m.ContainerID))
		}
	}
	return -1
}
