package cgroupfs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Adopt opens a group that another program, such as systemd, has created at an absolute path and may have put processes
// into, and creates it in the hierarchies that lack it. Like Create it enables every controller on the way down. A
// hierarchy that the caller may not write to is skipped, and listed in Skipped. Where the group existed, Saved counts
// nothing as made, and Delete leaves the groups above it alone. The caller closes the Group.
func Adopt(l *Layout, p string) (*Group, error) {
	rel, err := checkPath(p)
	if err != nil {
		return nil, err
	}
	return inEveryHierarchy(l, p, func(h *Hierarchy) (member, error) { return adopt(l, h, rel) })
}

// adopt opens or creates the group in one hierarchy.
func adopt(l *Layout, h *Hierarchy, rel string) (m member, err error) {
	m.h = h
	if m.mount, err = openMount(h); err != nil {
		return m, err
	}
	defer m.mount.close()
	if err = m.mkdirs(rel, l.Mode() == V2); err == nil {
		m.dir, err = m.mount.sub(rel)
	}
	if err != nil {
		m.undo()
	}
	return m, err
}

// Inner moves a process of the group into a group below it, which is created if it does not exist, and then enables
// every v2 controller for that group. The order matters: once a group that holds processes has enabled a controller for
// the groups below, no process can move into those (cgroup-v2.rst, "Threads"). The process must be the only one in the
// group. name is a single path element.
func (g *Group) Inner(name string, pid int) error {
	if rel, err := checkPath("/" + name); err != nil || strings.Contains(rel, "/") {
		return fmt.Errorf("group %q below %s: want a single name: %w", name, g.path, unix.EINVAL)
	}
	for i := range g.members {
		if err := g.members[i].inner(g.path[1:], name, pid, g.layout.Mode() == V2); err != nil {
			return err
		}
	}
	return nil
}

// inner does the work of Inner in one hierarchy, where the group is at rel.
func (m *member) inner(rel, name string, pid int, enable bool) (err error) {
	if m.mount, err = openMount(m.h); err != nil {
		return err
	}
	defer m.mount.close()
	below := join(rel, name)
	if err := m.mount.mkdir(below); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := m.initCpuset(below); err != nil {
		return err
	}
	if err := m.mount.write(join(below, "cgroup.procs"), strconv.Itoa(pid)); err != nil || !enable {
		return err
	}
	return m.enable(rel)
}
