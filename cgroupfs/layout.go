package cgroupfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/handfast/handfast/internal/smallfile"
)

// Mode says which versions of control groups a host has mounted.
type Mode int

// The modes. On a hybrid host some controllers are v1's and others v2's, or none.
const (
	None Mode = iota // no cgroup file system is mounted
	V1
	Hybrid
	V2
)

// String returns the mode in one word.
func (m Mode) String() string {
	switch m {
	case V1:
		return "v1"
	case Hybrid:
		return "hybrid"
	case V2:
		return "v2"
	}
	return "none"
}

// Hierarchy is one mounted hierarchy of the host.
type Hierarchy struct {
	Name        string   // as in /proc/PID/cgroup: "cpu", "cpu,cpuacct", "name=systemd"; empty for v2
	Controllers []string // the v1 controllers; none for v2
	Available   []string // the controllers in v2's cgroup.controllers at the mount point; nil: not known
	Mountpoint  string   // absolute
	// the group at the mount point: "/", unless only a part is mounted; "/.." and so on as seen from a cgroup namespace
	// below
	Root string
	Own  string // the caller's own group in it, from /proc/self/cgroup; empty if unknown
	V2   bool
}

// Layout describes the control groups of a host: its hierarchies in the order of their mounts.
type Layout struct{ Hierarchies []Hierarchy }

// Mode returns V2 if only cgroup2 is mounted, V1 if it is not mounted, and Hybrid if both are.
func (l *Layout) Mode() Mode {
	v1, v2 := false, false
	for _, h := range l.Hierarchies {
		v1, v2 = v1 || !h.V2, v2 || h.V2
	}
	switch {
	case v1 && v2:
		return Hybrid
	case v1:
		return V1
	case v2:
		return V2
	}
	return None
}

// controllerHierarchy returns the hierarchy that a controller belongs to; nil for none. On v2 that is the only
// hierarchy, whether or not the controller is enabled there.
func (l *Layout) controllerHierarchy(controller string) *Hierarchy {
	var v2 *Hierarchy
	for i := range l.Hierarchies {
		h := &l.Hierarchies[i]
		if h.V2 {
			v2 = h
			continue
		}
		if h.Name == controller || slices.Contains(h.Controllers, controller) {
			return h
		}
	}
	return v2
}

// Host reads the layout of this host from /proc/self/mountinfo and /proc/self/cgroup, and on a hybrid host also which
// controllers v2 has.
func Host() (*Layout, error) {
	mounts, err := smallfile.Read("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	own, err := smallfile.Read("/proc/self/cgroup")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := ParseLayout(mounts, own)
	if err != nil || l.Mode() != Hybrid {
		return l, err
	}
	for i := range l.Hierarchies {
		if h := &l.Hierarchies[i]; h.V2 {
			text, err := smallfile.Read(h.Mountpoint + "/cgroup.controllers")
			if err != nil {
				return nil, err
			}
			h.Available = strings.Fields(string(text))
		}
	}
	return l, nil
}

// ParseLayout derives the layout from the contents of a mountinfo and a cgroup file (proc_pid_mountinfo(5),
// cgroups(7)). Of a hierarchy that is mounted more than once it takes the first mount below /sys/fs/cgroup, or else the
// first.
func ParseLayout(mountinfo, own []byte) (*Layout, error) {
	groups, err := parseOwn(string(own))
	if err != nil {
		return nil, err
	}
	l := &Layout{}
	n := 0
	for line := range strings.Lines(string(mountinfo)) {
		n++
		h, ok, err := parseMount(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("mountinfo line %d: %w", n, err)
		}
		if ok {
			h.Own = groups[h.Name]
			l.add(h)
		}
	}
	return l, nil
}

func (l *Layout) add(h Hierarchy) {
	for i, have := range l.Hierarchies {
		if have.Name != h.Name || have.V2 != h.V2 {
			continue
		}
		if !underCgroupMount(have.Mountpoint) && underCgroupMount(h.Mountpoint) {
			l.Hierarchies[i] = h
		}
		return
	}
	l.Hierarchies = append(l.Hierarchies, h)
}

func underCgroupMount(mountpoint string) bool {
	return mountpoint == "/sys/fs/cgroup" || strings.HasPrefix(mountpoint, "/sys/fs/cgroup/")
}

// parseMount parses one line of mountinfo; ok is false for a mount of another file system.
func parseMount(line string) (h Hierarchy, ok bool, err error) {
	left, right, found := strings.Cut(line, " - ")
	if !found {
		return h, false, fmt.Errorf("no separator in %q", line)
	}
	fields, after := strings.Fields(left), strings.Fields(right)
	if len(fields) < 6 || len(after) < 1 {
		return h, false, fmt.Errorf("too few fields in %q", line)
	}
	h = Hierarchy{Root: smallfile.Unescape(fields[3]), Mountpoint: smallfile.Unescape(fields[4])}
	if !path.IsAbs(h.Mountpoint) {
		return h, false, fmt.Errorf("mount point %q is not absolute", h.Mountpoint)
	}
	switch after[0] {
	case "cgroup2":
		h.V2 = true
		return h, true, nil
	case "cgroup":
		if len(after) < 3 {
			return h, false, fmt.Errorf("too few fields in %q", line)
		}
		h.Controllers, h.Name = controllers(after[2])
		return h, h.Name != "", nil
	}
	return h, false, nil
}

// controllers returns a v1 hierarchy's controllers, by its superblock options, and its name in /proc/PID/cgroup.
func controllers(options string) (list []string, name string) {
	for o := range strings.SplitSeq(options, ",") {
		switch {
		case strings.HasPrefix(o, "name="):
			name = o
		case isController(o):
			list = append(list, o)
		}
	}
	if len(list) > 0 {
		name = strings.Join(list, ",")
	}
	return list, name
}

// isController reports whether a mount option is a controller of v1 (Documentation/admin-guide/cgroup-v1) and not an
// option such as rw, xattr or release_agent.
func isController(o string) bool {
	switch o {
	case "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "net_cls", "net_prio", "perf_event", "blkio", "pids",
		"hugetlb", "rdma", "misc", "dmem", "debug":
		return true
	}
	return false
}

// parseOwn parses /proc/PID/cgroup: a line for each hierarchy with its number, controllers and path.
func parseOwn(text string) (map[string]string, error) {
	groups := map[string]string{}
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 || !path.IsAbs(parts[2]) {
			return nil, fmt.Errorf("cgroup file: %q is not number:controllers:/path", strings.TrimSuffix(line, "\n"))
		}
		groups[parts[1]] = parts[2]
	}
	return groups, nil
}
