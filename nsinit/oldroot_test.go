package nsinit

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/internal/sys"
)

func TestOutside(t *testing.T) {
	mounts := []sys.MountEntry{
		{ID: 1, Parent: 1, Point: "/"},
		{ID: 2, Parent: 1, Point: "/proc", Type: "proc"},
		{ID: 3, Parent: 2, Point: "/proc", Type: "proc"},
		{ID: 4, Parent: 1, Point: "/"}, // the container's root
		{ID: 5, Parent: 4, Point: "/proc", Type: "proc"},
		{ID: 6, Parent: 5, Point: "/proc/sys", Type: "proc"},
		{ID: 7, Parent: 9, Point: "/x", Type: "sysfs"}, // below a mount that is not in the list
		{ID: 8, Parent: 10}, {ID: 10, Parent: 8},       // no kernel writes such a loop
	}
	var ids []uint64
	for _, m := range outside(mounts, 4, 1) {
		ids = append(ids, m.ID)
	}
	if diff := cmp.Diff([]uint64{2, 3, 7, 8, 10}, ids); diff != "" {
		t.Error(diff)
	}
	if !stacked(mounts, mounts[1]) || stacked(mounts, mounts[2]) || stacked(mounts, mounts[4]) {
		t.Error("what stands on a mount's root")
	}
	if !tellsOfHost(mounts[1]) || !tellsOfHost(mounts[6]) || tellsOfHost(mounts[0]) {
		t.Error("what tells of the host")
	}
}
