package cgroupfs

import (
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// delegateFile lists the files of a group that must belong to the user who manages the tree below it (cgroup-v2.rst,
// "Delegation Containment").
const delegateFile = "/sys/kernel/cgroup/delegate"

// Delegate makes a user of the host the owner of the group's directory in the v2 hierarchy and of the files that
// delegation needs, so that a process of that user, in a cgroup namespace whose root the group is, can create groups
// below it (cgroups(7), "Cgroups delegation: delegating a hierarchy to a less privileged user"). The owning group of
// users does not change. The files of limits are not among them, so the limits stay under the caller's control. On v1,
// where delegation is not safe, it does nothing.
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
		for _, file := range delegatedFiles(string(text)) {
			if err := m.dir.chown(file, uid); err != nil && (file == "" || !errors.Is(err, unix.ENOENT)) {
				return err
			}
		}
	}
	return nil
}

// delegatedFiles returns the directory itself, "", and the files in it that delegation needs: those of the kernel's
// list, or, if there is none (before Linux 4.15), those of its documentation.
func delegatedFiles(list string) []string {
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

// chown changes the owner of a file in the directory, or of the directory itself if the name is empty.
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
