package lifecycle

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// TestGroupOwner checks that an owner requires a cgroup namespace of the container's own, a writable mount, and an
// id that is mapped to the host.
func TestGroupOwner(t *testing.T) {
	one := func(uid uint32, ns []spawn.Namespace, flags uint64, maps ...spawn.IDMap) *oci.Planned {
		c := &oci.Planned{}
		c.Spawn.Namespaces, c.Spawn.UIDMappings = ns, maps
		c.Spawn.Container.Process.UID = uid
		c.Spawn.Container.Mounts = []container.Mount{{Destination: "/proc"}, {Cgroup: &container.Cgroup{}, Set: flags}}
		return c
	}
	own := []spawn.Namespace{{Kind: container.NSCgroup}}
	for name, c := range map[string]struct {
		o    *oci.Planned
		want uint32
		ok   bool
	}{
		"mapped root":      {one(0, own, 0, spawn.IDMap{ContainerID: 0, HostID: 1000, Size: 10}), 1000, true},
		"mapped user":      {one(7, own, 0, spawn.IDMap{ContainerID: 0, HostID: 1000, Size: 10}), 1007, true},
		"unmapped user":    {one(10, own, 0, spawn.IDMap{ContainerID: 0, HostID: 1000, Size: 10}), 10, false},
		"user":             {one(7, own, 0), 7, true},
		"root":             {one(0, own, 0), 0, false},
		"read-only":        {one(7, own, unix.MOUNT_ATTR_RDONLY), 7, false},
		"no namespace":     {one(7, nil, 0), 7, false},
		"joined namespace": {one(7, []spawn.Namespace{{Kind: container.NSCgroup, Path: "/x"}}, 0), 7, false},
	} {
		if uid, ok := groupOwner(c.o); uid != c.want || ok != c.ok {
			t.Errorf("%s: %d %t, want %d %t", name, uid, ok, c.want, c.ok)
		}
	}
}
