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

// wanted is what a file of a group says, by the name and in the words of either version.
type wanted struct{ v1, is, v2, or string }

// value reads a file of a group in whichever hierarchy has it, by either name. There is none for what one version
// lacks.
func value(t *testing.T, g *cgroupfs.Group, w wanted) (got, expected, file string) {
	t.Helper()
	for _, d := range g.Dirs() {
		for file, expected := range map[string]string{w.v1: w.is, w.v2: w.or} {
			if data, err := os.ReadFile(filepath.Join(d, file)); err == nil && file != "" {
				return strings.TrimSpace(string(data)), expected, file
			}
		}
	}
	if w.v1 != "" && w.v2 != "" {
		t.Fatalf("the group has neither %s nor %s", w.v1, w.v2)
	}
	return "", "", ""
}

func check(t *testing.T, g *cgroupfs.Group, when string, all ...wanted) {
	t.Helper()
	for _, w := range all {
		if got, expected, file := value(t, g, w); got != expected {
			t.Errorf("%s is %q %s, want %q", file, got, when, expected)
		}
	}
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
		Memory: p[int64](32 << 20), MemorySwap: p[int64](32 << 20), CPUQuota: p[int64](1000), CPUPeriod: p[uint64](1000),
		CPUIdle: p[int64](1), CPUShares: p[uint64](512), Pids: p[int64](5),
	})
	now = change(t, g, now, cgroupfs.Resources{
		Memory: p[int64](64 << 20), MemorySwap: p[int64](64 << 20), CPUQuota: p[int64](1000000),
		CPUPeriod: p[uint64](1000000), CPUBurst: p[uint64](1000000), CPUIdle: p[int64](0), Pids: p[int64](0),
	})
	check(t, g, "after growth", wanted{"memory.limit_in_bytes", "67108864", "memory.max", "67108864"},
		wanted{"memory.memsw.limit_in_bytes", "67108864", "memory.swap.max", "0"},
		wanted{"cpu.cfs_quota_us", "1000000", "cpu.max", "1000000 1000000"}, wanted{"cpu.cfs_period_us", "1000000", "", ""},
		wanted{"cpu.cfs_burst_us", "1000000", "cpu.max.burst", "1000000"},
		wanted{"cpu.shares", "512", "cpu.weight", "59"}, wanted{"pids.max", "0", "pids.max", "0"})
	now = change(t, g, now, cgroupfs.Resources{Memory: p[int64](16 << 20), MemorySwap: p[int64](32 << 20),
		CPUQuota: p[int64](2000), CPUPeriod: p[uint64](4000), CPUBurst: p[uint64](0), Pids: p[int64](-1)})
	check(t, g, "after shrinking", wanted{"memory.limit_in_bytes", "16777216", "memory.max", "16777216"},
		wanted{"memory.memsw.limit_in_bytes", "33554432", "memory.swap.max", "16777216"},
		wanted{"cpu.cfs_quota_us", "2000", "cpu.max", "2000 4000"}, wanted{"cpu.cfs_period_us", "4000", "", ""},
		wanted{"cpu.cfs_burst_us", "0", "cpu.max.burst", "0"},
		wanted{"pids.max", "max", "pids.max", "max"})
	change(t, g, now, cgroupfs.Resources{Memory: p[int64](-1), MemorySwap: p[int64](-1), CPUQuota: p[int64](-1)})
}

// TestUpdateThatFails: what was written before the kernel refused is put back.
func TestUpdateThatFails(t *testing.T) {
	g := create(t, "undo")
	rules := []cgroupfs.DeviceRule{{Type: "a"}, {Allow: true, Type: "c", Major: p[int64](1)}}
	now := change(t, g, &cgroupfs.Resources{}, cgroupfs.Resources{
		Memory: p[int64](32 << 20), MemorySwap: p[int64](32 << 20), CPUShares: p[uint64](512), CPUQuota: p[int64](5000),
		CPUPeriod: p[uint64](50000), Devices: rules,
	})
	files := []wanted{
		{v1: "memory.limit_in_bytes", v2: "memory.max"}, {v1: "memory.memsw.limit_in_bytes", v2: "memory.swap.max"},
		{v1: "memory.oom_control"}, {v1: "memory.swappiness"},
		{v1: "cpu.shares", v2: "cpu.weight"}, {v1: "cpu.idle", v2: "cpu.idle"}, {v1: "cpu.cfs_quota_us", v2: "cpu.max"},
		{v1: "cpu.cfs_period_us"}, {v1: "cpuset.mems", v2: "cpuset.mems"}, {v1: "devices.list"},
	}
	for i := range files {
		files[i].is, _, _ = value(t, g, files[i])
		files[i].or = files[i].is
	}
	bad := cgroupfs.Resources{
		Memory: p[int64](64 << 20), MemorySwap: p[int64](128 << 20), CPUIdle: p[int64](1), CPUQuota: p[int64](100000),
		CPUPeriod: p[uint64](200000),
		Mems:      "1023", Devices: []cgroupfs.DeviceRule{{Type: "a"}},
	}
	if files[2].is != "" { // memory is v1's
		bad.DisableOOMKiller, bad.Swappiness = p(true), p[uint64](1)
	}
	_, err := g.Update(now, &bad)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ERANGE) || !strings.Contains(err.Error(), "cpuset.mems") ||
		!strings.HasSuffix(err.Error(), "; the limits are unchanged") {
		t.Errorf("%v", err)
	}
	check(t, g, "after an update that failed", files...)
	if !canRead(t, g, "/dev/zero") {
		t.Error("the device rules are not those of before")
	}
}

// TestUpdateOfDevices changes rules of a group that is in use, by effect.
func TestUpdateOfDevices(t *testing.T) {
	g := create(t, "devup")
	now := change(t, g, &cgroupfs.Resources{}, cgroupfs.Resources{Devices: []cgroupfs.DeviceRule{
		{Type: "a"}, {Allow: true, Type: "c", Major: p[int64](1), Minor: p[int64](5), Access: "r"},
		{Allow: true, Type: "c", Major: p[int64](1), Minor: p[int64](3)},
	}})
	if !canRead(t, g, "/dev/zero") || canRead(t, g, "/dev/full") {
		t.Error("the first rules are not in force")
	}
	now = change(t, g, now, cgroupfs.Resources{Pids: p[int64](100)})
	if !canRead(t, g, "/dev/zero") || canRead(t, g, "/dev/full") {
		t.Error("an update without rules changed them")
	}
	change(t, g, now, cgroupfs.Resources{Devices: []cgroupfs.DeviceRule{
		{Type: "a"}, {Allow: true, Type: "c", Major: p[int64](1), Minor: p[int64](7), Access: "r"},
		{Allow: true, Type: "c", Major: p[int64](1), Minor: p[int64](3)},
	}})
	if canRead(t, g, "/dev/zero") || !canRead(t, g, "/dev/full") {
		t.Error("the new rules are not in force")
	}
}

// TestReadAndWriteByTwoRules: opening for both is what two rules allow together, although v1's kernel wants one for it.
func TestReadAndWriteByTwoRules(t *testing.T) {
	g := create(t, "two")
	change(t, g, &cgroupfs.Resources{}, cgroupfs.Resources{Devices: []cgroupfs.DeviceRule{
		{Type: "a"}, {Allow: true, Type: "c", Major: p[int64](1), Access: "r"},
		{Allow: true, Type: "c", Minor: p[int64](5), Access: "w"}, {Allow: true, Type: "c", Major: p[int64](1),
			Minor: p[int64](3)},
	}})
	if !canRead(t, g, "/dev/zero; exec 3<>/dev/zero") || canRead(t, g, "/dev/full; exec 3<>/dev/full") {
		t.Error("two rules do not allow together what each allows a half of")
	}
}
