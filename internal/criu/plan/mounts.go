package plan

import (
	"path"
	"slices"
	"strings"

	"github.com/handfast/handfast/internal/criu"
	"github.com/handfast/handfast/internal/sys"
)

// Mount is one mount of a mount namespace.
type Mount = sys.MountEntry

// nullDevice covers masked files, and is the name for it in images.
const nullDevice = "/dev/null"

// anew are the file systems that CRIU mounts again by their type: a new one shows what the old one did.
var anew = []string{"proc", "sysfs", "mqueue"}

// externalMounts returns the mounts of the container that show something of the host, which CRIU cannot mount by
// itself. The mounts say that themselves: such a mount is of a file system that is mounted on the host too. What is
// mounted on itself to be read-only does not count, because CRIU finds its source in the container.
func externalMounts(c *Container) []criu.ExternalMount {
	onHost := map[string]bool{}
	for _, m := range c.HostMounts {
		onHost[m.Device] = true
	}
	var out []criu.ExternalMount
	for _, m := range c.Mounts {
		if m.Point == "/" || !onHost[m.Device] || onItself(m, c.Mounts) {
			continue
		}
		if slices.Contains(anew, m.Type) && m.Root == "/" {
			continue
		}
		if isCgroup(m.Type) && c.Cgroup {
			continue // the kernel shows such a mount from the container's own group on
		}
		name := m.Point
		if m.Type == "devtmpfs" && m.Root != "/" {
			name = path.Join("/dev", m.Root) // a device, also where it covers a masked file
		}
		out = append(out, criu.ExternalMount{Key: m.Point, Value: name})
	}
	return out
}

func isCgroup(kind string) bool { return kind == "cgroup" || kind == "cgroup2" }

// onItself reports whether a mount shows what the container's root, or a file system of its own, shows at the same
// place.
func onItself(m Mount, all []Mount) bool {
	for _, below := range all {
		if below.Point != "/" && !slices.Contains(anew, below.Type) {
			continue // a bind, whose parts are binds of the host too
		}
		rest, found := inside(m.Point, below.Point)
		if found && below.ID != m.ID && below.Device == m.Device && m.Root == path.Join(below.Root, rest) {
			return true
		}
	}
	return false
}

// inside returns the part of p below dir; found is false if p is not dir, or below it.
func inside(p, dir string) (rest string, found bool) {
	if dir == "/" {
		return strings.TrimPrefix(p, "/"), true
	}
	rest, found = strings.CutPrefix(p, dir)
	if !found || rest != "" && rest[0] != '/' {
		return "", false
	}
	return strings.TrimPrefix(rest, "/"), true
}

// Submounts returns the mounts that a recursive bind of source takes along to destination: those of the host below
// source.
func Submounts(source, destination string, host []Mount) []Bind {
	var all []Bind
	for _, m := range host {
		if rest, found := inside(m.Point, path.Clean(source)); found && rest != "" {
			all = append(all, Bind{path.Join(destination, rest), m.Point})
		}
	}
	return all
}

// Part finds the bind that a path is in, the last one if there are several: its source, and the rest of the path below
// its destination. found is false if there is none, or if the path is the destination itself.
func Part(p string, binds []Bind) (source, rest string, found bool) {
	for _, b := range slices.Backward(binds) {
		if rest, found := inside(path.Clean(p), path.Clean(b.Destination)); found {
			return b.Source, rest, rest != ""
		}
	}
	return "", "", false
}

// CgroupRoots returns the groups of a process from the text of its proc_pid_cgroup(5), for CRIU to restore the groups
// of an image there.
func CgroupRoots(text string) []criu.CgroupRoot {
	var all []criu.CgroupRoot
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) == 3 {
			all = append(all, criu.CgroupRoot{Controller: f[1], Path: f[2]})
		}
	}
	return all
}
