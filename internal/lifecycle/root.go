package lifecycle

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// initialUserNS is the inode of the first user namespace, PROC_USER_INIT_INO in the kernel's include/linux/proc_ns.h.
const initialUserNS = 0xEFFFFFFD

// Privileged reports whether this process is root of the machine, and not of a user namespace alone.
func Privileged() bool {
	if os.Geteuid() != 0 {
		return false
	}
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/user", &st) != nil || st.Ino == initialUserNS
}

// RootDir is where the state of containers is: what --root says; else, for a user who is not root of the machine and
// has a runtime directory (XDG Base Directory Specification), a directory of that user's own; else the machine's.
// Without any of them a plain user finds no containers, and learns on create that he may make none there.
func RootDir(flag string, privileged bool, xdg string) string {
	switch {
	case flag != "":
		return flag
	case !privileged && xdg != "":
		return filepath.Join(xdg, "handfast")
	}
	return "/run/handfast"
}
