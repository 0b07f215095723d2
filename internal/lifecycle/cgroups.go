package lifecycle

import (
	"path"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/syncproto/container"
)

// cgroupHost returns the host's layout as a mount of type cgroup shows it: either v2 alone, or the v1 hierarchies
// side by side, each under its customary name, with v2 beside them as "unified".
func cgroupHost(l *cgroupfs.Layout) oci.CgroupHost {
	if l.Mode() == cgroupfs.V2 {
		return oci.CgroupHost{Version: 2, Hierarchies: []oci.CgroupHierarchy{{Mountpoint: l.Hierarchies[0].Mountpoint,
			V2: true}}}
	}
	out := oci.CgroupHost{Version: 1}
	for _, h := range l.Hierarchies {
		one := oci.CgroupHierarchy{Name: h.Name, Options: h.Name, Mountpoint: h.Mountpoint, V2: h.V2}
		switch name, named := strings.CutPrefix(h.Name, "name="); {
		case h.V2:
			one.Name, one.Options = "unified", ""
		case named:
			one.Name, one.Options = name, "none,"+h.Name
		case len(h.Controllers) > 1:
			one.Links = h.Controllers
		}
		out.Hierarchies = append(out.Hierarchies, one)
	}
	if len(out.Hierarchies) == 0 {
		return oci.CgroupHost{}
	}
	return out
}

// stayBehind makes the mounts of type cgroup show the groups of this process, for a container that gets no groups
// of its own.
func stayBehind(mounts []container.Mount, l *cgroupfs.Layout) {
	for i := range mounts {
		if mounts[i].Cgroup == nil {
			continue
		}
		own := *mounts[i].Cgroup
		own.Hierarchies = append([]container.CgroupEntry(nil), own.Hierarchies...)
		for k := range own.Hierarchies {
			if k < len(l.Hierarchies) {
				own.Hierarchies[k].Path = path.Join(l.Hierarchies[k].Mountpoint, l.Hierarchies[k].Own)
			}
		}
		mounts[i].Cgroup = &own
	}
}
