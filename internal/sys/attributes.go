package sys

import "golang.org/x/sys/unix"

// PlainAttrs are the attributes of a mount that are one bit each, except the one for access times of directories.
const PlainAttrs = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC |
	unix.MOUNT_ATTR_NOSYMFOLLOW

// BindAttrs returns the attributes that a bind mount sets and clears of those that it inherits from its source's mount.
// set and clear are the attributes in its options.
//
// If an option sets an attribute, the mount has only the attributes that are named, as with the remount in runc and
// crun: ro on a source that is nosuid gives ro. Options that only clear, such as the rw that managers add to every
// mount, clear what they name and keep the rest, as with runc 1.1, crun and mount(8); runc 1.2 clears the rest too. The
// attributes for access times are kept unless an option names one.
func BindAttrs(set, clear uint64) (allSet, allClear uint64) {
	if set == 0 {
		return set, clear
	}
	times := clear&unix.MOUNT_ATTR__ATIME != 0 // one field in the kernel, which an option about it clears first
	clear |= PlainAttrs &^ set
	if times {
		clear |= unix.MOUNT_ATTR_NODIRATIME &^ set
	}
	return set, clear
}
