package cgroupfs_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/cgroupfs"
)

// kernel is the part of the kernel that refuses writes because of what is there already.
type kernel struct {
	limit, memsw         float64 // mm/memcontrol-v1.c: never limit > memsw
	quota, period, burst int64   // kernel/sched/core.c: never burst > quota, nor the share above the parent's
	rtRuntime, rtPeriod  int64
	parent               *big.Rat // the parent's share of a processor; nil: all
	idle                 bool
	devices              kernelV1
	files                map[[2]string]string
	refused              string
}

func freshKernel(parent *big.Rat) *kernel {
	return &kernel{
		limit: math.Inf(1), memsw: math.Inf(1), quota: -1, period: 100000, rtPeriod: 1000000, parent: parent,
		devices: kernelV1{list: map[string]string{}}, files: map[[2]string]string{},
	}
}

func share(quota, period int64) *big.Rat {
	if quota < 0 {
		return nil
	}
	return big.NewRat(quota, period)
}

// larger is the larger of two shares.
func larger(a, b *big.Rat) *big.Rat {
	if a == nil || b == nil || a.Cmp(b) > 0 {
		if b == nil {
			return nil
		}
		return a
	}
	return b
}

func (k *kernel) write(w cgroupfs.Write) {
	number := func() float64 {
		var n float64
		if _, err := fmt.Sscan(w.Value, &n); err != nil || n < 0 {
			return math.Inf(1)
		}
		return n
	}
	whole := func() (n int64) {
		fmt.Sscan(w.Value, &n)
		return n
	}
	switch w.File {
	case "memory.limit_in_bytes":
		k.limit = number()
	case "memory.memsw.limit_in_bytes":
		k.memsw = number()
	case "cpu.cfs_quota_us":
		k.quota = whole()
	case "cpu.cfs_period_us":
		k.period = whole()
	case "cpu.max":
		period := int64(0)
		if n, _ := fmt.Sscanf(strings.Replace(w.Value, "max", "-1", 1), "%d %d", &k.quota, &period); n == 2 {
			k.period = period
		}
	case "cpu.cfs_burst_us", "cpu.max.burst":
		k.burst = whole()
	case "cpu.rt_runtime_us":
		k.rtRuntime = whole()
	case "cpu.rt_period_us":
		k.rtPeriod = whole()
	case "cpu.idle":
		k.idle = w.Value == "1"
	case "cpu.shares", "cpu.weight":
		if k.idle {
			k.refused = w.String()
		}
	case "devices.allow", "devices.deny":
		k.devices.write(w)
		return
	}
	v1 := strings.HasPrefix(w.File, "cpu.cfs_")
	if now := share(k.quota, k.period); k.limit > k.memsw || k.quota >= 0 && k.burst > k.quota ||
		k.rtRuntime > k.rtPeriod || v1 && now != nil && k.parent != nil && now.Cmp(k.parent) > 0 {
		k.refused = w.String()
	}
	key := [2]string{w.File}
	if name, _, several := strings.Cut(w.Value, " "); several && strings.Contains(name, ":") || w.Controller == "rdma" {
		key[1] = name
	}
	k.files[key] = w.Value
}

func (k *kernel) all(t *rapid.T, writes []cgroupfs.Write) {
	for _, w := range writes {
		if k.write(w); k.refused != "" {
			t.Fatalf("the kernel refuses %s of %v", k.refused, writes)
		}
	}
}

// TestUpdateProperties: every write of an update is one that the kernel takes in the state that it then has; afterwards
// the group has what a plan of the merged limits gives a fresh group; and once more there is nothing to do.
func TestUpdateProperties(t *testing.T) {
	layouts := []*cgroupfs.Layout{layoutOf(t, "v1"), layoutOf(t, "hybrid"), layoutOf(t, "v2")}
	all := requests()
	done := 0
	rapid.Check(t, func(t *rapid.T) {
		old, change := draw(t), draw(t)
		layout := rapid.SampledFrom(layouts).Draw(t, "layout")
		if layout.Mode() == cgroupfs.V1 && rapid.Bool().Draw(t, "real-time") {
			old.RTPeriod, old.RTRuntime = p(rapid.Uint64Range(1000, 2000000).Draw(t, "rt period")), p[int64](900)
			change.RTPeriod, change.RTRuntime = p(rapid.Uint64Range(1000, 2000000).Draw(t, "new rt period")),
				p(rapid.Int64Range(0, 1000).Draw(t, "rt"))
		}
		before, err := cgroupfs.Plan(layout, &old)
		if err != nil {
			return
		}
		next := old.Merge(&change)
		want, err := cgroupfs.Plan(layout, next)
		if err != nil {
			if _, err := cgroupfs.Update(layout, &old, &change); err == nil {
				t.Fatal("an update to what cannot be planned was planned")
			}
			return
		}
		done++
		k, fresh := freshKernel(nil), freshKernel(nil)
		k.all(t, before)
		fresh.all(t, want)
		k.parent = larger(share(k.quota, k.period), share(fresh.quota, fresh.period)) // which took both, and may take no more
		writes, err := cgroupfs.Update(layout, &old, &change)
		if err != nil {
			t.Fatal(err)
		}
		k.all(t, writes)
		for key, value := range fresh.files {
			if k.files[key] != value {
				t.Fatalf("%v is %q after the update, want %q: %v after %v", key, k.files[key], value, writes, before)
			}
		}
		for _, q := range all {
			if len(want) > 0 && len(next.Devices) > 0 && layout.Mode() == cgroupfs.V1 &&
				k.devices.allows(q) != fresh.devices.allows(q) {
				t.Fatalf("%+v: %t after the update", q, k.devices.allows(q))
			}
		}
		if again, err := cgroupfs.Update(layout, next, &change); err != nil || len(again) > 0 {
			t.Fatalf("the same update again: %v %v", again, err)
		}
		if same, err := cgroupfs.Update(layout, &old, &cgroupfs.Resources{}); err != nil || len(same) > 0 {
			t.Fatalf("no update: %v %v", same, err)
		}
	})
	if done < 10 {
		t.Errorf("only %d updates could be planned", done)
	}
}

// TestUpdateKeepsDevicesOpen: what old and new rules both allow is allowed all the way between them, unless what holds
// for all devices changes.
func TestUpdateKeepsDevicesOpen(t *testing.T) {
	v1, all := layoutOf(t, "v1"), requests()
	rapid.Check(t, func(t *rapid.T) {
		none := cgroupfs.DeviceRule{Type: "a", Allow: rapid.Bool().Draw(t, "all")}
		old := cgroupfs.Resources{Devices: append([]cgroupfs.DeviceRule{none}, drawRules(t, 0)...)}
		change := cgroupfs.Resources{Devices: append([]cgroupfs.DeviceRule{none}, drawRules(t, 0)...)}
		before, err := cgroupfs.Plan(v1, &old)
		if err != nil {
			return
		}
		writes, err := cgroupfs.Update(v1, &old, &change)
		if err != nil {
			return
		}
		k, end := kernelV1{list: map[string]string{}}, kernelV1{list: map[string]string{}}
		for _, w := range before {
			k.write(w)
		}
		from := map[request]bool{}
		for _, q := range all {
			from[q] = k.allows(q)
		}
		to, err := cgroupfs.Plan(v1, &change)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range to {
			end.write(w)
		}
		whole := len(writes) > 0 && writes[0].Value == "a"
		for _, w := range writes {
			k.write(w)
			for _, q := range all {
				if !whole && from[q] && end.allows(q) && !k.allows(q) {
					t.Fatalf("%+v is refused after %s of %v", q, w, writes)
				}
			}
		}
		for _, q := range all {
			if k.allows(q) != end.allows(q) {
				t.Fatalf("%+v: %t", q, k.allows(q))
			}
		}
	})
}

// TestMergeLists: an entry for the same thing is laid over the earlier one, and neither argument is changed.
func TestMergeLists(t *testing.T) {
	old := everything()
	old.Unified, old.Misc = []cgroupfs.Unified{{File: "a.b", Value: "1"}}, []cgroupfs.Misc{{Name: "sev", Max: 1}}
	was, _ := json.Marshal(old)
	change := cgroupfs.Resources{
		IODevices: []cgroupfs.IODevice{{Major: 8, Minor: 0, ReadBps: p[uint64](5)},
			{Major: 9, Minor: 0, WriteBps: p[uint64](6)}},
		Hugepages: []cgroupfs.Hugepage{{PageSize: "1GB", Limit: 7}}, RDMA: []cgroupfs.RDMA{{Device: "rxe3",
			Handles: p[uint32](9)}},
		Unified: []cgroupfs.Unified{{File: "a.b", Value: "2"}, {File: "a.c"}}, Misc: []cgroupfs.Misc{{Name: "sev", Max: 2}},
		DMem: []cgroupfs.DMem{{Region: "r", Low: p[int64](1)}}, NetPriorities: []cgroupfs.NetPriority{{Interface: "lo",
			Priority: 1}},
	}
	got := old.Merge(&change)
	want := everything()
	want.IODevices[0].ReadBps = p[uint64](5)
	want.IODevices = append(want.IODevices, change.IODevices[1])
	want.Hugepages[1].Limit, want.RDMA[1].Handles = 7, p[uint32](9)
	want.Unified, want.Misc, want.DMem, want.NetPriorities = change.Unified, change.Misc, change.DMem, change.NetPriorities
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
	if now, _ := json.Marshal(old); string(now) != string(was) {
		t.Errorf("the earlier limits were changed to %s", now)
	}
}

// TestResourcesAreStored: what is stored as JSON comes back the same.
func TestResourcesAreStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := draw(t)
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back cgroupfs.Resources
		if err := json.Unmarshal(data, &back); err != nil || !cmp.Equal(r, back) {
			t.Fatalf("%v: %s", err, cmp.Diff(r, back))
		}
	})
}

func ExampleUpdate() {
	layout := &cgroupfs.Layout{Hierarchies: []cgroupfs.Hierarchy{{Controllers: []string{"memory"}},
		{Controllers: []string{"pids"}}}}
	small, large, tasks := int64(32<<20), int64(64<<20), int64(10)
	old := cgroupfs.Resources{Memory: &small, MemorySwap: &small, Pids: &tasks}
	for _, change := range []cgroupfs.Resources{{Memory: &large, MemorySwap: &large}, {Pids: &tasks}} {
		writes, err := cgroupfs.Update(layout, &old, &change)
		fmt.Println(len(writes), err)
		for _, w := range writes {
			fmt.Println(" ", w)
		}
	}
	// Output:
	// 2 <nil>
	//   memory memory.memsw.limit_in_bytes = "67108864"
	//   memory memory.limit_in_bytes = "67108864"
	// 0 <nil>
}
