package cgroupfs

import "strings"

// OOMKilled reports whether the kernel has killed a process of the group for want of memory.
func (g *Group) OOMKilled() (bool, error) {
	h := g.layout.find("memory")
	if h == nil {
		return false, nil
	}
	m := g.member(h)
	if m == nil {
		return false, nil
	}
	file := "memory.oom_control"
	if h.V2 {
		file = "memory.events"
	}
	text, err := m.dir.read(file)
	if err != nil {
		return false, gone(err)
	}
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			return n != "0", nil
		}
	}
	return false, nil
}
