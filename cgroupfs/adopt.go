package cgroupfs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Adopt opens the group at an absolute path that somebody else has made and may have put processes into, systemd say,
// and makes it in the hierarchies where it is not. Every controller is enabled on the way down as Create does it. A
// hierarchy that the caller may not write to is skipped and listed. Where the group was there Saved counts nothing as
// made, and Delete leaves the groups above it alone. The caller closes the Group.
func Adopt(l *Layout, p string) (*Group, error) {
	rel, err := checkPath(p)
	if err != nil {
		return nil, err
	}
	return everywhere(l, p, func(h *Hierarchy) (member, error) { return adopt(l, h, rel) })
}

// adopt opens or makes the group in one hierarchy.
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

// Inner moves a process of the group into one group below it, which is made if it is not there, and then lets that have
// every controller on v2. Not sooner: a group that holds processes and has given on a controller is a threaded one at
// best, below which no process can be (cgroup-v2.rst, "Threads"). The process must be the only one in the group; name
// is one plain name.
func (g *Group) Inner(name string, pid int) error {
	if rel, err := checkPath("/" + name); err != nil || strings.Contains(rel, "/") {
		return fmt.Errorf("group %q below %s: want one plain name: %w", name, g.path, unix.EINVAL)
	}
	for i := range g.members {
		if err := g.members[i].inner(g.path[1:], name, pid, g.layout.Mode() == V2); err != nil {
			return err
		}
	}
	return nil
}

// inner does it in one hierarchy, where the group is at rel.
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
