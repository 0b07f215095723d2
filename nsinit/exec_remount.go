package nsinit

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// madeMounts maps the destinations of the container's new file systems to their mount IDs (statx(2)).
type madeMounts map[string]uint64

func (m *madeMounts) note(tree int, dest string) {
	id, _, err := sys.MountOf(tree)
	if err != nil {
		return // before Linux 5.8, which has no mount IDs
	}
	if *m == nil {
		*m = madeMounts{}
	}
	(*m)[dest] = id
}

// is reports whether fd is on the file system that was made for a destination. A link in the image, or a later
// mount, may make the same path lead elsewhere: to a file system of the host, which must not be changed.
func (m madeMounts) is(fd int, dest string) bool {
	id, _, err := sys.MountOf(fd)
	return err == nil && m[dest] == id && id != 0
}

// remount changes what is already mounted at a destination: the options of the file system, and the attributes of
// the mount, which follow the same rules as those of a bind mount.
func (c *child) remount(m *container.Mount, dest string) error {
	fd, err := c.root.Path(dest)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, 0, &st); err != nil {
		return op("statx", dest, err)
	}
	// Kernels before Linux 5.8 do not report this, and fail below.
	if st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return op("remount", dest, fmt.Errorf("nothing is mounted there: %w", unix.EINVAL))
	}
	if len(m.FSFlags)+len(m.Data) > 0 {
		if !c.made.is(fd, dest) {
			return op("remount", dest, fmt.Errorf("its options would be another file system's: "+
				"what is mounted there is none of the container's own: %w", unix.EPERM))
		}
		if err := sys.Reconfigure(fd, dest, m.FSFlags, m.Data); err != nil {
			return err
		}
	}
	at := *m
	at.Source = dest // for errors
	if err := setBindAttr(fd, &at); err != nil {
		return err
	}
	return finishMount(fd, m, dest)
}
