package lifecycle

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/sys"
)

// mountBelow returns the id of the mount that holds a root file system before anything is mounted on it.
func mountBelow(rootfs string) (uint64, error) {
	fd, err := unix.Open(rootfs, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("root file system %s: %w", rootfs, err)
	}
	defer unix.Close(fd)
	id, _, err := sys.MountOf(fd)
	if err != nil {
		return 0, fmt.Errorf("root file system %s: %w", rootfs, err)
	}
	return id, nil
}

// unmountHost removes what a container without a mount namespace has mounted on the host: the mount of its root
// file system on itself, and with it everything below. It does nothing if that mount does not exist, because create
// ended before it, or because it was already unmounted.
func unmountHost(s *state.State) error {
	if s.BelowRootfs == 0 {
		return nil
	}
	fd, err := unix.Open(s.Rootfs, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil // nothing can be mounted on a missing directory
	}
	if err != nil {
		return fmt.Errorf("mounts on %s: %w", s.Rootfs, err)
	}
	defer unix.Close(fd)
	id, isRoot, err := sys.MountOf(fd)
	if err != nil {
		return fmt.Errorf("mounts on %s: %w", s.Rootfs, err)
	}
	if !isRoot || id == s.BelowRootfs {
		return nil
	}
	// By the descriptor, because that is the mount that was inspected.
	if err := unix.Unmount(fmt.Sprintf("/proc/self/fd/%d", fd), unix.MNT_DETACH); err != nil {
		return fmt.Errorf("mounts on %s: umount: %w", s.Rootfs, err)
	}
	return nil
}
