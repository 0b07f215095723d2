package sys

import "golang.org/x/sys/unix"

// PlainAttrs are the attributes of a mount that are one bit each, but for that of directories' access times.
const PlainAttrs = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC |
	unix.MOUNT_ATTR_NOSYMFOLLOW

// BindAttrs are the attributes that a bind mount sets and clears of those that it inherits from its source's mount,
// where options set and clear those given.
//
// As soon as an option sets one, the mount gets what is named and nothing else, as with the remount by which runc and
// crun do it: ro on a source that is nosuid gives ro. Options that only clear, such as the rw that managers give every
// mount, clear what they name and keep the rest, as with runc 1.1, crun and mount(8); runc 1.2 clears the rest too.
// Access times are kept unless an option is about them.
func BindAttrs(set, clear uint64) (allSet, allClear uint64) {
	if set == 0 {
		return set, clear
	}
	times := clear&unix.MOUNT_ATTR__ATIME != 0 // one field of the kernel, which an option about it clears first
	clear |= PlainAttrs &^ set
	if times {
		clear |= unix.MOUNT_ATTR_NODIRATIME &^ set
	}
	return set, clear
}
