package cgroupdriver

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/cgroupfs/systemd"
)

func pointer[T any](v T) *T { return &v }

// Layouts of hosts, none of which needs to be this one.
var (
	v2Host = &cgroupfs.Layout{Hierarchies: []cgroupfs.Hierarchy{{Mountpoint: "/sys/fs/cgroup", V2: true}}}
	v1Host = &cgroupfs.Layout{Hierarchies: []cgroupfs.Hierarchy{
		{Name: "memory", Controllers: []string{"memory"}, Mountpoint: "/sys/fs/cgroup/memory"},
		{Name: "pids", Controllers: []string{"pids"}, Mountpoint: "/sys/fs/cgroup/pids"},
		{Name: "devices", Controllers: []string{"devices"}, Mountpoint: "/sys/fs/cgroup/devices"},
	}}
)

// unitHost returns the systemd of Debian 12.
func unitHost(v2 bool) systemd.Host { return systemd.Host{Version: 252, V2: v2} }

func TestPlans(t *testing.T) {
	request := func(change func(*Request)) Request {
		r := Request{Path: "/a/b", Limits: cgroupfs.Resources{Memory: pointer(int64(64 << 20)), Pids: pointer(int64(9)),
			Devices: []cgroupfs.DeviceRule{{Allow: false, Access: "rwm"}}},
			Unit: systemd.Unit{Slice: "a.slice", Name: "b.scope"}}
		change(&r)
		return r
	}
	same := func(*Request) {}
	small := func(r *Request) { r.Limits.Memory = pointer(int64(1 << 20)) }
	for _, c := range []struct {
		name     string
		driver   string
		layout   *cgroupfs.Layout
		change   func(*Request)
		optional bool
		want     string
	}{
		{"filesystem on v2", Filesystem, v2Host, same, false, `group /a/b
  memory memory.max = "67108864"
  1 rules about devices
process Begins, settled first: false
when it is ready
  pids pids.max = "9"
`},
		{"filesystem on v1", Filesystem, v1Host, same, false, `group /a/b
  memory memory.limit_in_bytes = "67108864"
  devices devices.deny = "a"
  1 rules about devices
process Begins, settled first: false
when it is ready
  pids pids.max = "9"
`},
		{"little memory", Filesystem, v2Host, small, false, `group /a/b
  memory memory.max = "1048576"
  1 rules about devices
process Joins, settled first: true
when it is ready
  pids pids.max = "9"
`},
		{"a plain user's, with an owner", Filesystem, v2Host, func(r *Request) { r.Owner = 7 }, true, `group /a/b
  memory memory.max = "67108864"
  owned by 7
process Begins, settled first: false
when it is ready
  pids pids.max = "9"
`},
		{"no limits", Filesystem, v2Host, func(r *Request) { r.Limits, r.Owner = cgroupfs.Resources{}, -1 }, false, `group /a/b
process Begins, settled first: false
`},
		{"systemd on v2", Systemd, v2Host, func(r *Request) {
			r.Annotations = map[string]string{"org.systemd.property.TimeoutStopUSec": "uint64 5"}
		}, false, `group /a/b
unit b.scope in slice "a.slice"
  MemoryMax = uint64 67108864
  DevicePolicy = 'strict'
  DeviceAllow = @a(ss) []
  TimeoutStopUSec = uint64 5
  memory memory.max = "67108864"
  1 rules about devices
process Joins, settled first: false
when it is ready
  TasksMax = uint64 9
  pids pids.max = "9"
`},
		{"systemd and little memory", Systemd, v1Host, small, true, `group /a/b
unit b.scope in slice "a.slice"
  MemoryLimit = uint64 1048576
  memory memory.limit_in_bytes = "1048576"
process Joins, settled first: true
when it is ready
  TasksMax = uint64 9
  pids pids.max = "9"
`},
		{"none", None, v2Host, func(r *Request) { r.Limits.Memory, r.Limits.Pids = nil, nil }, false, "no group\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := planBy(c.driver, c.layout, request(c.change), c.optional)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, p.String()); diff != "" {
				t.Error(diff)
			}
			if p.Limits.Devices == nil && c.driver != None && !c.optional && c.name != "no limits" {
				t.Error("rules about devices are not stored")
			}
		})
	}
}

func planBy(driver string, l *cgroupfs.Layout, r Request, optional bool) (*Plan, error) {
	switch driver {
	case Systemd:
		return planSystemd(unitHost(l.Mode() == cgroupfs.V2), l, r, optional)
	case None:
		return planNone(r)
	}
	return planFilesystem(l, r, optional)
}

// TestPlanErrors checks that a mistake in the configuration is a ConfigError, so that the caller can name the file.
// Limits without a group are not such an error, because an option forbids them.
func TestPlanErrors(t *testing.T) {
	bad := cgroupfs.Resources{Unified: []cgroupfs.Unified{{File: "../x", Value: "1"}}}
	for _, c := range []struct {
		driver   string
		request  Request
		inConfig bool
		want     string
	}{
		{Filesystem, Request{Path: "/a", Limits: bad}, true, "invalid configuration: "},
		{Systemd, Request{Path: "/a", Limits: bad}, true, "linux.resources: "},
		{Systemd, Request{Path: "/a", Annotations: map[string]string{"org.systemd.property.Slice": "'x'"}}, true,
			"org.systemd.property.Slice"},
		{None, Request{Path: "/a", Limits: cgroupfs.Resources{Pids: pointer(int64(1))}}, false,
			"linux.resources: limits need a cgroup, and with --cgroup-manager disabled none is made: leave them out"},
	} {
		_, err := planBy(c.driver, v2Host, c.request, false)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.driver, err, c.want)
		}
		if wrong := (*ConfigError)(nil); errors.As(err, &wrong) != c.inConfig {
			t.Errorf("%s: %v is about the configuration: want %t", c.driver, err, c.inConfig)
		}
	}
	if _, err := Open(Options{Name: "lxc"}); err == nil || !strings.Contains(err.Error(), `"lxc"`) {
		t.Errorf("an unknown driver: %v", err)
	}
}

func TestSmallMemory(t *testing.T) {
	for limit, want := range map[int64]bool{-1: false, 0: true, 512 << 10: true, smallMemory: false} {
		if got := SmallMemory(&cgroupfs.Resources{Memory: &limit}); got != want {
			t.Errorf("%d: %t", limit, got)
		}
	}
	if SmallMemory(&cgroupfs.Resources{}) {
		t.Error("no limit is small")
	}
}

// TestEveryLimitCounts fills every field of the limits by reflection, so that fields that are added later count
// too.
func TestEveryLimitCounts(t *testing.T) {
	for i := range reflect.TypeFor[cgroupfs.Resources]().NumField() {
		field := reflect.TypeFor[cgroupfs.Resources]().Field(i)
		var r cgroupfs.Resources
		fill(reflect.ValueOf(&r).Elem().Field(i))
		if want := field.Name != "Devices" && field.Name != "CheckMemory"; SetsLimits(&r) != want {
			t.Errorf("%s: SetsLimits is %v, want %v", field.Name, !want, want)
		}
	}
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("0")
	}
}

func TestParseFaults(t *testing.T) {
	for stat, want := range map[string]bool{
		"7 (a) b) S 1 7 7 0 -1 4194560 123 0": true, "7 (S) R 1 7 7 0 -1 4194560 123 0": false, "": false, "7 (x) S": false,
	} {
		if faults, asleep := parseFaults(stat); asleep != want || want && faults != "123" {
			t.Errorf("%q: %q %t", stat, faults, asleep)
		}
	}
}

// TestWithoutSwapLimit checks that removing the limit of memory also removes that of memory and swap, which would
// be lower.
func TestWithoutSwapLimit(t *testing.T) {
	old := &cgroupfs.Resources{Memory: pointer(int64(100)), MemorySwap: pointer(int64(200))}
	for _, c := range []struct {
		change cgroupfs.Resources
		want   *int64
	}{
		{cgroupfs.Resources{Memory: pointer(int64(-1))}, pointer(int64(-1))},
		{cgroupfs.Resources{Memory: pointer(int64(50))}, nil},
		{cgroupfs.Resources{Memory: pointer(int64(-1)), MemorySwap: pointer(int64(300))}, pointer(int64(300))},
		{cgroupfs.Resources{}, nil},
	} {
		if diff := cmp.Diff(c.want, withoutSwapLimit(old, &c.change).MemorySwap); diff != "" {
			t.Errorf("%+v: %s", c.change, diff)
		}
	}
}

// TestWithoutIdle checks that a weight ends idle, wherever the two are set, unless the change itself sets idle.
func TestWithoutIdle(t *testing.T) {
	one, zero := pointer(int64(1)), pointer(int64(0))
	file := func(pairs ...string) (all []cgroupfs.Unified) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, cgroupfs.Unified{File: pairs[i], Value: pairs[i+1]})
		}
		return all
	}
	shares := cgroupfs.Resources{CPUShares: pointer(uint64(200))}
	weight := cgroupfs.Resources{Unified: file("cpu.weight", "8")}
	for name, c := range map[string]struct {
		old, change cgroupfs.Resources
		want        []string // the files and values written
	}{
		"shares": {cgroupfs.Resources{CPUIdle: one}, shares, []string{"cpu.idle=0", "cpu.weight=29"}},
		"weight": {cgroupfs.Resources{CPUIdle: one}, weight, []string{"cpu.idle=0", "cpu.weight=8"}},
		"shares after the file": {cgroupfs.Resources{Unified: file("cpu.idle", "1\n")}, shares,
			[]string{"cpu.idle=0", "cpu.weight=29", "cpu.idle=0"}},
		"weight after the file": {cgroupfs.Resources{Unified: file("cpu.idle", "1")}, weight,
			[]string{"cpu.idle=0", "cpu.idle=0", "cpu.weight=8"}},
		"not idle":    {cgroupfs.Resources{CPUIdle: one, Unified: file("cpu.idle", "0")}, shares, nil},
		"it says so":  {cgroupfs.Resources{CPUIdle: one}, cgroupfs.Resources{CPUIdle: one, CPUShares: shares.CPUShares}, nil},
		"another one": {cgroupfs.Resources{CPUIdle: one}, cgroupfs.Resources{Pids: zero}, nil},
	} {
		change := withoutIdle(&c.old, &c.change)
		if c.want == nil {
			if change != &c.change {
				t.Errorf("%s: %+v", name, change)
			}
			continue
		}
		writes, err := cgroupfs.Update(v2Host, &c.old, change)
		var got []string
		for _, w := range writes {
			got = append(got, w.File+"="+w.Value)
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}
