package nsinit

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// plainAttrs are the mount attributes that are one bit each, except the one for the access times of directories.
const plainAttrs = sys.PlainAttrs

// timeAttrs are the mount attributes for access times.
const timeAttrs = unix.MOUNT_ATTR__ATIME | unix.MOUNT_ATTR_NODIRATIME

// bindAttrs returns the attributes that a bind mount sets and clears. It inherits all others from the mount of its
// source.
func bindAttrs(m *container.Mount) (set, clear uint64) { return sys.BindAttrs(m.Set, m.Clear) }

// namesTimes reports whether an option says when access times are written. The kernel has one field for this, which
// such an option clears first.
func namesTimes(m *container.Mount) bool { return m.Clear&unix.MOUNT_ATTR__ATIME != 0 }

// lockable are the attributes that a user namespace may not clear on a mount that another user namespace owns
// (mount_namespaces(7), lock_mnt_tree in the kernel's fs/namespace.c). The attribute for symbolic links is not
// among them.
const lockable = plainAttrs&^unix.MOUNT_ATTR_NOSYMFOLLOW | unix.MOUNT_ATTR_NODIRATIME

// lockedAttrs is bindAttrs for a user namespace that may not clear the attributes of the source's mount: it keeps
// all of them. refused are the attributes that an option would have to change for that user namespace.
func lockedAttrs(m *container.Mount, have uint64) (set, clear, refused uint64) {
	refused = m.Clear & have & lockable
	refused |= m.Set &^ have & unix.MOUNT_ATTR_NODIRATIME
	if namesTimes(m) && m.Set&unix.MOUNT_ATTR__ATIME != have&unix.MOUNT_ATTR__ATIME {
		refused |= unix.MOUNT_ATTR__ATIME
	}
	_, all := bindAttrs(m)
	return m.Set &^ timeAttrs, m.Clear&^timeAttrs | all&unix.MOUNT_ATTR_NOSYMFOLLOW, refused
}

// attrNames returns the attributes in mask in the notation of mount(8), as a mount with the attributes attr has
// them.
func attrNames(attr, mask uint64) string {
	var names []string
	for _, a := range [...]struct {
		bit          uint64
		set, cleared string
	}{
		{unix.MOUNT_ATTR_RDONLY, "ro", "rw"}, {unix.MOUNT_ATTR_NOSUID, "nosuid", "suid"},
		{unix.MOUNT_ATTR_NODEV, "nodev", "dev"},
		{unix.MOUNT_ATTR_NOEXEC, "noexec", "exec"}, {unix.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow", "symfollow"},
		{unix.MOUNT_ATTR_NODIRATIME, "nodiratime", "diratime"},
	} {
		switch {
		case mask&a.bit == 0:
		case attr&a.bit != 0:
			names = append(names, a.set)
		default:
			names = append(names, a.cleared)
		}
	}
	if mask&unix.MOUNT_ATTR__ATIME != 0 {
		switch attr & unix.MOUNT_ATTR__ATIME {
		case unix.MOUNT_ATTR_NOATIME:
			names = append(names, "noatime")
		case unix.MOUNT_ATTR_STRICTATIME:
			names = append(names, "strictatime")
		default:
			names = append(names, "relatime")
		}
	}
	return strings.Join(names, ",")
}
