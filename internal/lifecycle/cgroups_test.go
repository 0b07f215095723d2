package lifecycle

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/syncproto/container"
)

func TestCgroupHost(t *testing.T) {
	hybrid := &cgroupfs.Layout{Hierarchies: []cgroupfs.Hierarchy{
		{Name: "cpu,cpuacct", Controllers: []string{"cpu", "cpuacct"}, Mountpoint: "/sys/fs/cgroup/cpu,cpuacct", Own: "/own"},
		{Name: "memory", Controllers: []string{"memory"}, Mountpoint: "/sys/fs/cgroup/memory", Own: "/own/memory"},
		{Name: "name=systemd", Mountpoint: "/sys/fs/cgroup/systemd", Own: "/"},
		{Mountpoint: "/sys/fs/cgroup/unified", Own: "/", V2: true},
	}}
	want := oci.CgroupHost{Version: 1, Hierarchies: []oci.CgroupHierarchy{
		{Name: "cpu,cpuacct", Options: "cpu,cpuacct", Mountpoint: "/sys/fs/cgroup/cpu,cpuacct",
			Links: []string{"cpu", "cpuacct"}},
		{Name: "memory", Options: "memory", Mountpoint: "/sys/fs/cgroup/memory"},
		{Name: "systemd", Options: "none,name=systemd", Mountpoint: "/sys/fs/cgroup/systemd"},
		{Name: "unified", Mountpoint: "/sys/fs/cgroup/unified", V2: true},
	}}
	if diff := cmp.Diff(want, cgroupHost(hybrid)); diff != "" {
		t.Error(diff)
	}
	v2 := &cgroupfs.Layout{Hierarchies: []cgroupfs.Hierarchy{{Mountpoint: "/sys/fs/cgroup", V2: true}}}
	if diff := cmp.Diff(oci.CgroupHost{Version: 2, Hierarchies: []oci.CgroupHierarchy{{Mountpoint: "/sys/fs/cgroup",
		V2: true}}}, cgroupHost(v2)); diff != "" {
		t.Error(diff)
	}
	if got := cgroupHost(&cgroupfs.Layout{}); !reflect.ValueOf(got).IsZero() {
		t.Errorf("a host without control groups: %+v", got)
	}
}

// TestStayBehind checks that the mounts show the groups of this process, and that the original value is not
// modified.
func TestStayBehind(t *testing.T) {
	shown := &container.Cgroup{Version: 1, Hierarchies: []container.CgroupEntry{{Name: "memory",
		Path: "/sys/fs/cgroup/memory/handfast/x"}}}
	mounts := []container.Mount{{Destination: "/proc"}, {Destination: "/sys/fs/cgroup", Cgroup: shown}}
	stayBehind(mounts, &cgroupfs.Layout{Hierarchies: []cgroupfs.Hierarchy{{Name: "memory",
		Mountpoint: "/sys/fs/cgroup/memory", Own: "/user/me"}}})
	if got := mounts[1].Cgroup.Hierarchies[0].Path; got != "/sys/fs/cgroup/memory/user/me" {
		t.Errorf("%s", got)
	}
	if shown.Hierarchies[0].Path != "/sys/fs/cgroup/memory/handfast/x" {
		t.Error("the converted value was changed")
	}
}
