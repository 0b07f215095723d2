package oci

import "golang.org/x/sys/unix"

// attr is a mount option that the kernel stores per mount (mount_setattr(2)). With an "r" before its name, the
// option applies to the whole tree.
type attr struct {
	name       string
	set, clear uint64
}

// attrs are the options in runtime-spec config.md, "Linux mount options", that are attributes of a mount. The
// access-time options are not bits but one field in the kernel: a change must clear the whole field, and its zero
// value is relatime.
var attrs = [...]attr{
	{"ro", unix.MOUNT_ATTR_RDONLY, 0},
	{"rw", 0, unix.MOUNT_ATTR_RDONLY},
	{"nosuid", unix.MOUNT_ATTR_NOSUID, 0},
	{"suid", 0, unix.MOUNT_ATTR_NOSUID},
	{"nodev", unix.MOUNT_ATTR_NODEV, 0},
	{"dev", 0, unix.MOUNT_ATTR_NODEV},
	{"noexec", unix.MOUNT_ATTR_NOEXEC, 0},
	{"exec", 0, unix.MOUNT_ATTR_NOEXEC},
	{"nodiratime", unix.MOUNT_ATTR_NODIRATIME, 0},
	{"diratime", 0, unix.MOUNT_ATTR_NODIRATIME},
	{"noatime", unix.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR__ATIME},
	{"atime", unix.MOUNT_ATTR_RELATIME, unix.MOUNT_ATTR__ATIME},
	{"relatime", unix.MOUNT_ATTR_RELATIME, unix.MOUNT_ATTR__ATIME},
	{"norelatime", 0, 0}, // mount(2): without noatime and strictatime, relatime applies
	{"strictatime", unix.MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR__ATIME},
	{"nostrictatime", unix.MOUNT_ATTR_RELATIME, unix.MOUNT_ATTR__ATIME},
	{"nosymfollow", unix.MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"symfollow", 0, unix.MOUNT_ATTR_NOSYMFOLLOW},
}

// findAttr returns the attribute of an option, and whether the option applies to the whole tree.
func findAttr(option string) (a attr, recursive, found bool) {
	for _, a := range attrs {
		if option == a.name {
			return a, false, true
		}
		if len(option) > 1 && option[0] == 'r' && option[1:] == a.name {
			return a, true, true
		}
	}
	return attr{}, false, false
}

// apply lets the option override earlier ones.
func (a attr) apply(set, clear *uint64) {
	*set = *set&^a.clear | a.set
	*clear = *clear&^a.set | a.clear
}

// propagations are the propagation options of a mount and their MS_* values.
var propagations = [...]struct {
	name  string
	value uint64
}{
	{"private", unix.MS_PRIVATE}, {"rprivate", unix.MS_PRIVATE | unix.MS_REC},
	{"shared", unix.MS_SHARED}, {"rshared", unix.MS_SHARED | unix.MS_REC},
	{"slave", unix.MS_SLAVE}, {"rslave", unix.MS_SLAVE | unix.MS_REC},
	{"unbindable", unix.MS_UNBINDABLE}, {"runbindable", unix.MS_UNBINDABLE | unix.MS_REC},
}

// propagation returns the MS_* value of a propagation option, or zero for any other option.
func propagation(option string) uint64 {
	for _, p := range propagations {
		if p.name == option {
			return p.value
		}
	}
	return 0
}

// joinPropagation combines two consecutive propagation options. The last one counts, except that a slave that
// becomes shared is both (mount_namespaces(7)).
func joinPropagation(first, then uint64) uint64 {
	if first&unix.MS_SLAVE != 0 && then&unix.MS_SHARED != 0 {
		return then | unix.MS_SLAVE
	}
	return then
}

// superblockFlags are the options that the kernel stores per file system, with their names in fsconfig(2).
var superblockFlags = [...]struct {
	option, name string
	set          bool // false: cleared
}{
	{"sync", "sync", true}, {"async", "sync", false}, {"dirsync", "dirsync", true},
	{"lazytime", "lazytime", true}, {"nolazytime", "lazytime", false},
	{"iversion", "iversion", true}, {"noiversion", "iversion", false},
	{"mand", "mand", true}, {"nomand", "mand", false},
	{"silent", "silent", true}, {"loud", "silent", false},
}

// superblockFlag returns the fsconfig(2) name of an option that the kernel stores per file system, and whether the
// option sets or clears it.
func superblockFlag(option string) (name string, set, found bool) {
	for _, f := range superblockFlags {
		if f.option == option {
			return f.name, f.set, true
		}
	}
	return "", false, false
}

// virtual reports whether a file system has no device that "ro" should protect from writes. For these, only the
// attribute of the mount is set. A read-only superblock would have an effect beyond the container (sysfs and
// mqueue have one superblock per namespace) or prevent the creation of mount points below it (tmpfs).
func virtual(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2":
		return true
	}
	return false
}
