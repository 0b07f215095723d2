package cgroupfs

import (
	"slices"
	"strings"
)

// enableOnHybrid enables a v2 controller for the group on a hybrid host, and reports whether it succeeded. Create does
// not do it there, as it does on a pure v2 host: few containers limit anything that v2 controls on a hybrid host, and
// all of them would pay for it.
func (g *Group) enableOnHybrid(m *member, controller string) bool {
	if !m.h.V2 || g.layout.Mode() != Hybrid || !slices.Contains(m.h.Available, controller) {
		return false
	}
	if text, err := m.dir.read("cgroup.controllers"); err != nil || slices.Contains(strings.Fields(text), controller) {
		return false // so the kernel lacks the file
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
