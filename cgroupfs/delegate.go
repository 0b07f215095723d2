package cgroupfs

import (
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// delegateFile lists the files of a group that somebody needs who manages the tree below it (cgroup-v2.rst, "Delegation
// Containment").
const delegateFile = "/sys/kernel/cgroup/delegate"

// Delegate gives the group's directory and the files that its delegation needs to a user of the host, in the v2
// hierarchy: who has a cgroup namespace whose root the group is, may then make groups below it (cgroups(7), "Cgroups
// delegation: delegating a hierarchy to a less privileged user"). The group of users stays. Limits are not in the list,
// so they stay the caller's. On v1, where delegation is not safe, nothing happens.
func (g *Group) Delegate(uid int) error {
	for i := range g.members {
		m := &g.members[i]
		if !m.h.V2 {
			continue
		}
		text, err := os.ReadFile(delegateFile)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, file := range delegated(string(text)) {
			if err := m.dir.chown(file, uid); err != nil && (file == "" || !errors.Is(err, unix.ENOENT)) {
				return err
			}
		}
	}
	return nil
}

// delegated is the directory itself, "", and the files in it, by the kernel's list or, without one (before Linux 4.15),
// by its documentation.
func delegated(list string) []string {
	out := []string{""}
	if strings.TrimSpace(list) == "" {
		list = "cgroup.procs cgroup.threads cgroup.subtree_control"
	}
	for file := range strings.FieldsSeq(list) {
		if !strings.ContainsRune(file, '/') {
			out = append(out, file)
		}
	}
	return out
}

// chown gives a file of the directory, or with an empty name the directory, to a user.
func (d dir) chown(file string, uid int) error {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if file == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if err := unix.Fchownat(d.fd, file, uid, -1, flags); err != nil {
		return &os.PathError{Op: "chown", Path: path.Join(d.name, file), Err: err}
	}
	return nil
}
