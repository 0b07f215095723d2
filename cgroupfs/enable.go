package cgroupfs

import (
	"slices"
	"strings"
)

// reach enables a controller of v2 for the group on a hybrid host, and reports whether it did. That is not done when a
// group is made, as on v2 alone: hardly any container limits what v2 has there, and every one would pay for it.
func (g *Group) reach(m *member, controller string) bool {
	if !m.h.V2 || g.layout.Mode() != Hybrid || !slices.Contains(m.h.Available, controller) {
		return false
	}
	if text, err := m.dir.read("cgroup.controllers"); err != nil || slices.Contains(strings.Fields(text), controller) {
		return false // then it is the kernel that lacks the file
	}
	mount, err := openMount(m.h)
	if err != nil {
		return false
	}
	defer mount.close()
	parent := ""
	for _, p := range prefixes(g.path[1:]) {
		if err := mount.write(join(parent, "cgroup.subtree_control"), "+"+controller); err != nil {
			m.disabled = append(m.disabled, disabled{controller, explain(err)})
			return false
		}
		parent = p
	}
	return true
}
