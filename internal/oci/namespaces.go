package oci

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// nameLimit is __NEW_UTS_LEN in <linux/utsname.h>.
const nameLimit = 64

// namespaceTypes are the types of namespaces in namespaces(7).
var namespaceTypes = []string{
	container.NSPid, container.NSNetwork, container.NSMount, container.NSIPC, container.NSUTS, container.NSUser,
	container.NSCgroup, container.NSTime,
}

func (c *planner) namespaces() error {
	for i, ns := range c.linux.Namespaces {
		at := indexed("linux.namespaces", i)
		if !slices.Contains(namespaceTypes, ns.Type) {
			return wrong(at+".type", "%q is not known; want pid, network, mount, ipc, uts, user, cgroup or time", ns.Type)
		}
		for _, before := range c.linux.Namespaces[:i] {
			if before.Type == ns.Type {
				return wrong(at+".type", "%q stands twice; each type may stand once", ns.Type)
			}
		}
		if ns.Path != "" && !strings.HasPrefix(ns.Path, "/") {
			return wrong(at+".path", "%q is not absolute", ns.Path)
		}
		c.out.Spawn.Namespaces = append(c.out.Spawn.Namespaces, spawn.Namespace{Kind: ns.Type, Path: ns.Path})
	}
	if !c.has(container.NSUser) && c.opt.Host.UID != 0 {
		return wrong("linux.namespaces", "no user namespace; a caller that is not root needs a new one")
	}
	return nil
}

func (c *planner) mappings() error {
	uids, gids := c.linux.UIDMappings, c.linux.GIDMappings
	if !c.creates(container.NSUser) {
		if len(uids)+len(gids) > 0 && !c.has(container.NSUser) {
			c.warn("linux.uidMappings, linux.gidMappings: without effect, for linux.namespaces has no user namespace")
		}
		return nil // A joined namespace has its own mappings.
	}
	var err error
	if c.out.Spawn.UIDMappings, err = c.mapping("linux.uidMappings", uids, c.opt.Host.UID); err != nil {
		return err
	}
	c.out.Spawn.GIDMappings, err = c.mapping("linux.gidMappings", gids, c.opt.Host.GID)
	return err
}

func (c *planner) mapping(at string, in []IDMapping, own uint32) ([]spawn.IDMap, error) {
	if len(in) == 0 {
		return nil, wrong(at, "missing; a new user namespace needs it")
	}
	if !mapped(in, 0) {
		// The child sets up the container as root of its user namespace.
		return nil, wrong(at, "container id 0 is not mapped; the container's root must be")
	}
	if err := checkRanges(at, in); err != nil {
		return nil, err
	}
	out := make([]spawn.IDMap, len(in))
	for i, m := range in {
		out[i] = spawn.IDMap(m)
	}
	if c.opt.Host.UID != 0 && !moreThanOne(in) && in[0].HostID != own {
		// user_namespaces(7): without CAP_SETUID, only the writer's own id can be mapped. newuidmap(1) can map
		// more than one id.
		return nil, wrong(at+"[0].hostID", "%d; a caller that is not root can map its own id %d, or several of its "+
			"subordinate ones", in[0].HostID, own)
	}
	return out, nil
}

// The kernel's limits for a mapping (kernel/user_namespace.c, map_write). The kernel returns a bare EINVAL for
// each.
const (
	mostRanges   = 340  // UID_GID_MAP_MAX_EXTENTS
	mappingBytes = 4096 // of text: less than a page, and no page is smaller
)

// checkRanges refuses mappings that the kernel would refuse.
func checkRanges(at string, in []IDMapping) error {
	if len(in) > mostRanges {
		return wrong(at, "%d ranges; the kernel takes at most %d", len(in), mostRanges)
	}
	length := 0
	for i, m := range in {
		one := indexed(at, i)
		if m.Size == 0 {
			return wrong(one+".size", "0; want at least 1")
		}
		// 4294967295 is not an id: system calls interpret it as "no change".
		for _, first := range [...]struct {
			name string
			id   uint32
		}{{"containerID", m.ContainerID}, {"hostID", m.HostID}} {
			if uint64(first.id)+uint64(m.Size) > math.MaxUint32 {
				return wrong(one, "%d ids from %s %d on go beyond the highest, 4294967294", m.Size, first.name, first.id)
			}
		}
		for j, o := range in[:i] {
			if overlap(m.ContainerID, o.ContainerID, m.Size, o.Size) {
				return wrong(one, "container ids %d to %d overlap with those of %s[%d]",
					m.ContainerID, m.ContainerID+m.Size-1, at, j)
			}
			if overlap(m.HostID, o.HostID, m.Size, o.Size) {
				return wrong(one, "host ids %d to %d overlap with those of %s[%d]", m.HostID, m.HostID+m.Size-1, at, j)
			}
		}
		length += len(fmt.Sprintf("%d %d %d\n", m.ContainerID, m.HostID, m.Size))
	}
	if length >= mappingBytes {
		return wrong(at, "%d bytes as the kernel reads it; it takes less than %d: fewer ranges, or some that follow each "+
			"other as one",
			length, mappingBytes)
	}
	return nil
}

// overlap reports whether two ranges have an id in common.
func overlap(a, b, sizeA, sizeB uint32) bool {
	return uint64(a) < uint64(b)+uint64(sizeB) && uint64(b) < uint64(a)+uint64(sizeA)
}

// moreThanOne reports whether a mapping contains more than one id.
func moreThanOne(in []IDMapping) bool { return len(in) > 1 || len(in) == 1 && in[0].Size > 1 }

// mapped reports whether an id in the container is mapped to the host.
func mapped(in []IDMapping, id uint32) bool {
	for _, m := range in {
		if id >= m.ContainerID && uint64(id) < uint64(m.ContainerID)+uint64(m.Size) {
			return true
		}
	}
	return false
}

// checkMapped returns an error if an id is not mapped in the new user namespace.
func (c *planner) checkMapped(at, mappings string, in []IDMapping, id uint32) error {
	if c.creates(container.NSUser) && !mapped(in, id) {
		return wrong(at, "%d is not mapped by %s", id, mappings)
	}
	return nil
}

func (c *planner) timeOffsets() error {
	if len(c.linux.TimeOffsets) > 0 && !c.creates(container.NSTime) {
		c.warn("linux.timeOffsets: without effect, for linux.namespaces has no new time namespace")
	}
	for _, clock := range slices.Sorted(maps.Keys(c.linux.TimeOffsets)) {
		o := c.linux.TimeOffsets[clock]
		at := "linux.timeOffsets." + clock
		switch {
		case clock != "monotonic" && clock != "boottime":
			return wrong(at, "no such clock; want monotonic or boottime")
		case o.Nanosecs > 999_999_999:
			return wrong(at+".nanosecs", "%d; want at most 999999999", o.Nanosecs)
		}
		if !c.creates(container.NSTime) {
			continue
		}
		if c.out.Spawn.TimeOffsets == nil {
			c.out.Spawn.TimeOffsets = make(map[string]spawn.TimeOffset, 2)
		}
		c.out.Spawn.TimeOffsets[clock] = spawn.TimeOffset{Secs: o.Secs, Nanos: o.Nanosecs}
	}
	return nil
}

func (c *planner) names() error {
	for _, n := range [...]struct{ at, value string }{{"hostname", c.spec.Hostname}, {"domainname", c.spec.Domainname}} {
		switch {
		case n.value == "":
		case !c.has(container.NSUTS):
			return wrong(n.at, "%q needs a uts namespace in linux.namespaces", n.value)
		case len(n.value) > nameLimit:
			return wrong(n.at, "%d bytes; want at most %d", len(n.value), nameLimit)
		}
	}
	c.cfg.Hostname, c.cfg.Domainname = c.spec.Hostname, c.spec.Domainname
	return nil
}
