package lifecycle

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/sys"
)

// mountBelow is the id of the mount that a root file system is on before anything is mounted on it.
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

// unmountHost takes away what a container without a mount namespace has mounted on the host: the mount of its root file
// system on itself, and with it everything below. It does nothing where that is not there: where create ended before
// it, or somebody was quicker.
func unmountHost(s *state.State) error {
	if s.BelowRootfs == 0 {
		return nil
	}
	fd, err := unix.Open(s.Rootfs, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil // nothing can be mounted on what is not there
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
	// By the descriptor, for that is the mount which was looked at.
	if err := unix.Unmount(fmt.Sprintf("/proc/self/fd/%d", fd), unix.MNT_DETACH); err != nil {
		return fmt.Errorf("mounts on %s: umount: %w", s.Rootfs, err)
	}
	return nil
}
