package nsinit

import (
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// fileAccesses are the LANDLOCK_ACCESS_FS_* rights that apply to files; all others apply to directories
// (ACCESS_FILE in the kernel's security/landlock/fs.c).
const fileAccesses = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
	unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV

// checkLandlock refuses rules for accesses that are not forbidden. The kernel would only report EINVAL.
func checkLandlock(l *container.Landlock) error {
	if l == nil {
		return nil
	}
	if l.FS|l.Net|l.Scoped == 0 {
		return errors.New("process.landlock: it forbids nothing")
	}
	for i, p := range l.Paths {
		if !path.IsAbs(p.Path) || p.Access == 0 || p.Access&^l.FS != 0 {
			return fmt.Errorf("process.landlock.paths[%d]: path %q, access %#x; want an absolute path, and some of %#x",
				i, p.Path, p.Access, l.FS)
		}
	}
	for i, p := range l.Ports {
		if p.Access == 0 || p.Access&^l.Net != 0 {
			return fmt.Errorf("process.landlock.ports[%d]: port %d, access %#x; want some of %#x", i, p.Port, p.Access, l.Net)
		}
	}
	return nil
}

func describeLandlock(l *container.Landlock) string {
	text := fmt.Sprintf("fs=%#x net=%#x scoped=%#x", l.FS, l.Net, l.Scoped)
	for _, p := range l.Paths {
		text += fmt.Sprintf(" %s=%#x", p.Path, p.Access)
	}
	for _, p := range l.Ports {
		text += fmt.Sprintf(" port %d=%#x", p.Port, p.Access)
	}
	return text
}
