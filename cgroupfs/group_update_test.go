package cgroupfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
)

// value reads a file of a v1 group.
func value(t *testing.T, g *cgroupfs.Group, file string) string {
	t.Helper()
	controller, _, _ := strings.Cut(file, ".")
	for name, d := range g.Dirs() {
		if name == controller || strings.Contains(","+name+",", ","+controller+",") {
			data, err := os.ReadFile(filepath.Join(d, file))
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(string(data))
		}
	}
	t.Fatalf("the group is in no hierarchy with %s", controller)
	return ""
}

func change(t *testing.T, g *cgroupfs.Group, old *cgroupfs.Resources, c cgroupfs.Resources) *cgroupfs.Resources {
	t.Helper()
	next, err := g.Update(old, &c)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// TestUpdateOfAGroup goes up and down with limits that bound each other, on the real kernel.
func TestUpdateOfAGroup(t *testing.T) {
	g := create(t, "update")
	now := change(t, g, &cgroupfs.Resources{}, cgroupfs.Resources{
		Memory: p[int64](32 << 20), MemorySwap: p[int64](32 << 20), CPUQuota: p[int64](1000), CPUPeriod: p[uint64](1000), CPUIdle: p[int64](1), CPUShares: p[uint64](512), Pids: p[int64](5),
	})
	now = change(t, g, now, cgroupfs.Resources{
		Memory: p[int64](64 << 20), MemorySwap: p[int64](64 << 20), CPUQuota: p[int64](1000000), CPUPeriod: p[uint64](1000000), CPUBurst: p[uint64](1000000), CPUIdle: p[int64](0), Pids: p[int64](0),
	})
	for file, want := range map[string]string{
		"memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "67108864", "cpu.cfs_quota_us": "1000000", "cpu.cfs_period_us": "1000000", "cpu.cfs_burst_us": "1000000",
		"cpu.shares": "512", "pids.max": "0",
	} {
		if got := value(t, g, file); got != want {
			t.Errorf("%s is %s after growth, want %s", file, got, want)
		}
	}
	now = change(t, g, now, cgroupfs.Resources{Memory: p[int64](16 << 20), MemorySwap: p[int64](32 << 20), CPUQuota: p[int64](2000), CPUPeriod: p[uint64](4000), CPUBurst: p[uint64](0), Pids: p[int64](-1)})
	for file, want := range map[string]string{
		"memory.limit_in_bytes": "16777216", "memory.memsw.limit_in_bytes": "33554432", "cpu.cfs_quota_us": "2000", "cpu.cfs_period_us": "4000", "cpu.cfs_burst_us": "0", "pids.max": "max",
	} {
		if got := value(t, g, file); got != want {
			t.Errorf("%s is %s after shrinking, want %s", file, got, want)
		}
	}
	change(t, g, now, cgroupfs.Resources{Memory: p[int64](-1), MemorySwap: p[int64](-1), CPUQuota: p[int64](-1)})
}

// TestUpdateThatFails: what was written before the kernel refused is put back.
func TestUpdateThatFails(t *testing.T) {
	g := create(t, "undo")
	rules := []cgroupfs.DeviceRule{{Type: "a"}, {Allow: true, Type: "c", Major: p[int64](1)}}
	now := change(t, g, &cgroupfs.Resources{}, cgroupfs.Resources{
		Memory: p[int64](32 << 20), MemorySwap: p[int64](32 << 20), CPUShares: p[uint64](512), CPUQuota: p[int64](5000), CPUPeriod: p[uint64](50000), Devices: rules,
	})
	files := []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control", "memory.swappiness", "cpu.shares", "cpu.idle", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpuset.mems", "devices.list"}
	before := map[string]string{}
	for _, f := range files {
		before[f] = value(t, g, f)
	}
	_, err := g.Update(now, &cgroupfs.Resources{
		Memory: p[int64](64 << 20), MemorySwap: p[int64](128 << 20), DisableOOMKiller: p(true), Swappiness: p[uint64](1), CPUIdle: p[int64](1), CPUQuota: p[int64](100000), CPUPeriod: p[uint64](200000),
		Mems: "1023", Devices: []cgroupfs.DeviceRule{{Type: "a"}},
	})
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ERANGE) || !strings.Contains(err.Error(), "cpuset.mems") || !strings.HasSuffix(err.Error(), "; the limits are those of before") {
		t.Errorf("%v", err)
	}
	for _, f := range files {
		if got := value(t, g, f); got != before[f] {
			t.Errorf("%s is %q after an update that failed, was %q", f, got, before[f])
		}
	}
}

// TestUpdateOfDevicesV1 changes rules of a group that is in use, by effect.
func TestUpdateOfDevicesV1(t *testing.T) {
	g := create(t, "devup")
	now := change(t, g, &cgroupfs.Resources{}, cgroupfs.Resources{Devices: []cgroupfs.DeviceRule{
		{Type: "a"}, {Allow: true, Type: "c", Major: p[int64](1), Minor: p[int64](5), Access: "r"}, {Allow: true, Type: "c", Major: p[int64](1), Minor: p[int64](3)},
	}})
	if !canRead(t, g, "/dev/zero") || canRead(t, g, "/dev/full") {
		t.Error("the first rules are not in force")
	}
	now = change(t, g, now, cgroupfs.Resources{Pids: p[int64](100)})
	if !canRead(t, g, "/dev/zero") || canRead(t, g, "/dev/full") {
		t.Error("an update without rules changed them")
	}
	change(t, g, now, cgroupfs.Resources{Devices: []cgroupfs.DeviceRule{
		{Type: "a"}, {Allow: true, Type: "c", Major: p[int64](1), Minor: p[int64](7), Access: "r"}, {Allow: true, Type: "c", Major: p[int64](1), Minor: p[int64](3)},
	}})
	if canRead(t, g, "/dev/zero") || !canRead(t, g, "/dev/full") {
		t.Errorf("the new rules are not in force: %s", value(t, g, "devices.list"))
	}
}

// TestReadAndWriteByTwoRules: opening for both is what two rules allow together, although v1's kernel wants one for it.
func TestReadAndWriteByTwoRules(t *testing.T) {
	g := create(t, "two")
	change(t, g, &cgroupfs.Resources{}, cgroupfs.Resources{Devices: []cgroupfs.DeviceRule{
		{Type: "a"}, {Allow: true, Type: "c", Major: p[int64](1), Access: "r"}, {Allow: true, Type: "c", Minor: p[int64](5), Access: "w"}, {Allow: true, Type: "c", Major: p[int64](1), Minor: p[int64](3)},
	}})
	if !canRead(t, g, "/dev/zero; exec 3<>/dev/zero") || canRead(t, g, "/dev/full; exec 3<>/dev/full") {
		t.Errorf("%s", value(t, g, "devices.list"))
	}
}
