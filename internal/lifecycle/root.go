package lifecycle

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// initialUserNS is the inode of the first user namespace, PROC_USER_INIT_INO in the kernel's include/linux/proc_ns.h.
const initialUserNS = 0xEFFFFFFD

// Privileged reports whether this process is root on the machine, and not merely in a user namespace.
func Privileged() bool {
	if os.Geteuid() != 0 {
		return false
	}
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/user", &st) != nil || st.Ino == initialUserNS
}

// RootDir returns the directory with the state of the containers. This is the value of --root if there is one.
// Otherwise, for a user who is not root on the machine and has a runtime directory (XDG Base Directory
// Specification), it is a directory of that user's own; else it is the machine's. A plain user with neither finds
// no containers, and create says that the user may not make any there.
func RootDir(flag string, privileged bool, xdg string) string {
	switch {
	case flag != "":
		return flag
	case !privileged && xdg != "":
		return filepath.Join(xdg, "handfast")
	}
	return "/run/handfast"
}
