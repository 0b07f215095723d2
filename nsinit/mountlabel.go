package nsinit

import "github.com/handfast/handfast/syncproto/container"

// labelled returns the options of a new file system with the label of the container's mounts, which SELinux gives
// to every file in it. SELinux labels the files of proc and sysfs by its own rules, and those of mqueue one by one
// (relabel), as in runc.
func (c *child) labelled(kind string, data []string) []string {
	switch kind {
	case "proc", "sysfs", "mqueue", "cgroup", "cgroup2":
		return data
	}
	if c.cfg.MountLabel == "" {
		return data
	}
	return append(append(make([]string, 0, len(data)+1), data...), "context="+c.cfg.MountLabel)
}

// quoted returns the options as mount(2) takes them, separated by commas. SELinux allows quotes around a label,
// because a label may contain a comma.
func (c *child) quoted(data []string) []string {
	if c.cfg.MountLabel == "" {
		return data
	}
	out := make([]string, 0, len(data))
	for _, d := range data {
		if d == "context="+c.cfg.MountLabel {
			d = `context="` + c.cfg.MountLabel + `"`
		}
		out = append(out, d)
	}
	return out
}

// relabels reports whether a new file system is labelled after it is mounted.
func (c *child) relabels(m *container.Mount) bool {
	return m.Type == "mqueue" && c.cfg.MountLabel != ""
}
