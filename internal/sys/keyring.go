package sys

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// JoinKeyring gives the calling thread the session keyring with this name, session-keyring(7), which it makes if there
// is none in its user namespace. On a host without keyrings it does nothing.
func JoinKeyring(name string) error {
	id, err := unix.KeyctlJoinSessionKeyring(name)
	switch err {
	case nil:
		return searchable(id, name)
	case unix.ENOSYS, unix.EPERM: // a kernel without keys, or a filter that also keeps the container from them
		return nil
	case unix.EDQUOT:
		err = fmt.Errorf("%w (the user's quota in /proc/sys/kernel/keys/maxkeys or maxbytes is used up; "+
			"--no-new-keyring makes none)", err)
	}
	return fail("keyctl KEYCTL_JOIN_SESSION_KEYRING", name, err)
}

// searchable lets other processes of the keyring's user join the keyring by its name.
func searchable(id int, name string) error {
	const userSearch = 0x080000 // KEY_USR_SEARCH
	text, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, id)
	if err != nil {
		return fail("keyctl KEYCTL_DESCRIBE", name, err)
	}
	// type;uid;gid;permissions;description
	part := strings.SplitN(text, ";", 5)
	if len(part) < 5 {
		return fail("keyctl KEYCTL_DESCRIBE", name, unix.EBADMSG)
	}
	perm, err := strconv.ParseUint(part[3], 16, 32)
	if err != nil {
		return fail("keyctl KEYCTL_DESCRIBE", name, unix.EBADMSG)
	}
	if perm&userSearch != 0 {
		return nil
	}
	return fail("keyctl KEYCTL_SETPERM", name, unix.KeyctlSetperm(id, uint32(perm)|userSearch))
}
