package oci

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/rdt"
)

// allResources has a value for every property of linux.resources.
const allResources = `{
	"memory": {"limit": 1048576, "reservation": 524288, "swap": 2097152, "kernel": 65536, "kernelTCP": 4096, "swappiness": 0, "disableOOMKiller": true, "useHierarchy": false, "checkBeforeUpdate": true},
	"cpu": {"shares": 1, "quota": 5000, "period": 10000, "burst": 0, "idle": 0, "realtimeRuntime": 950, "realtimePeriod": 1000, "cpus": "0-3,7", "mems": "0"},
	"pids": {"limit": 0},
	"blockIO": {"weight": 10, "leafWeight": 1000,
		"weightDevice": [{"major": 8, "minor": 0, "weight": 500, "leafWeight": 300}, {"major": 8, "minor": 16, "weight": 0}],
		"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}], "throttleWriteBpsDevice": [{"major": 8, "minor": 32, "rate": 0}],
		"throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}], "throttleWriteIOPSDevice": [{"major": 259, "minor": 0, "rate": 4}]},
	"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}, {"pageSize": "1GB", "limit": 0}],
	"network": {"classID": 1048577, "priorities": [{"name": "lo", "priority": 1}]},
	"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "mlx4_0": {"hcaObjects": 0}, "none": {}},
	"unified": {"memory.high": "max", "io.max": "8:0 rbps=1\n"},
	"devices": [{"allow": true, "type": "c", "major": 1, "minor": -1}]
}`

func resourcesOf(t *testing.T, text string) *Resources {
	t.Helper()
	r, err := DecodeResources([]byte(text), "resources.json")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestEveryResourceIsPlanned plans every property for a new container and for an update, with versions before and
// after 1.3, which gave a limit of zero tasks its meaning.
func TestEveryResourceIsPlanned(t *testing.T) {
	s := spec(t, `{"ociVersion": "1.3.0", "linux": {"resources": `+allResources+`}}`)
	out, err := Plan(s, Options{Bundle: "/b", ID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	updated, warnings, err := PlanUpdate(resourcesOf(t, allResources), "1.2.1")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(map[string]any{"create": out.Resources, "create warnings": out.Warnings,
		"update": updated, "update warnings": warnings}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/golden/resources.txt", append(text, '\n'))
}

// TestUpdateTakesBack checks that zero or false in an update removes a limit if the specification has no other
// value for that.
func TestUpdateTakesBack(t *testing.T) {
	got, _, err := PlanUpdate(resourcesOf(t, `{"memory": {"limit": 0, "disableOOMKiller": false}, "network": {"classID": 0}, "pids": {"limit": 0},
		"blockIO": {"weight": 0, "throttleReadBpsDevice": [{"major": 8, "minor": 1, "rate": 0}]}}`), "1.0.2-dev")
	zero, class, no, none := uint64(0), uint32(0), false, int64(-1)
	want := &cgroupfs.Resources{DisableOOMKiller: &no, NetClass: &class, Pids: &none,
		IODevices: []cgroupfs.IODevice{{Major: 8, Minor: 1, ReadBps: &zero}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestWrongResources(t *testing.T) {
	for in, want := range map[string]string{
		`{"memory": {"swappiness": 101}}`: "linux.resources.memory.swappiness: " +
			"101; want 0 to 100",
		`{"memory": {"limit": -2}}`: "linux.resources.memory.limit: -2; " +
			"want a number of bytes, or -1 for no limit",
		`{"blockIO": {"weight": 9}}`: "linux.resources.blockIO.weight: 9; " +
			"want 10 to 1000",
		`{"blockIO": {"leafWeight": 1001}}`: "linux.resources.blockIO.leafWeight: " +
			"1001; want 10 to 1000",
		`{"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "leafWeight": 1}]}}`:                     "linux.resources.blockIO.weightDevice[0].leafWeight: 1; want 10 to 1000",
		`{"blockIO": {"throttleReadIOPSDevice": [{"major": 8, "minor": 0}, {"major": -1, "minor": 0}]}}`: "linux.resources.blockIO.throttleReadIOPSDevice[1].major: -1; want 0 to 4294967295",
		`{"hugepageLimits": [{"pageSize": "2MB"}, {"pageSize": "2MB"}]}`:                                 `linux.resources.hugepageLimits[1].pageSize: "2MB" stands twice`,
		`{"unified": {"../x.y": ""}}`:       `linux.resources.unified: "../x.y"; want the name of a controller's file such as memory.high`,
		`{"unified": {"cgroup.kill": "1"}}`: `linux.resources.unified: "cgroup.kill"; want the name of a controller's file such as memory.high`,
	} {
		if _, _, err := PlanUpdate(resourcesOf(t, in), "1.3.0"); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
	if _, err := DecodeResources([]byte(`{"blockIO": {"weight": 70000}}`), "-"); err == nil ||
		!strings.Contains(err.Error(), "blockIO.weight: want a whole number from 0 to 65535, got 70000") {
		t.Errorf("%v", err)
	}
}

func FuzzPlanUpdate(f *testing.F) {
	f.Add([]byte(allResources), "1.3.0")
	f.Add([]byte(`{}`), "")
	layout := &cgroupfs.Layout{Hierarchies: []cgroupfs.Hierarchy{{V2: true}}}
	f.Fuzz(func(t *testing.T, data []byte, version string) {
		r, err := DecodeResources(data, "r")
		if err != nil {
			return
		}
		out, _, err := PlanUpdate(r, version)
		if (out == nil) == (err == nil) {
			t.Fatalf("%v and %v", out, err)
		}
		if err != nil {
			return
		}
		writes, err := cgroupfs.Plan(layout, out)
		if err != nil {
			return
		}
		for _, w := range writes {
			if strings.ContainsAny(w.File, "/\x00") || strings.HasPrefix(w.File, ".") {
				t.Fatalf("%s is no file of a group", w)
			}
		}
	})
}

// TestIntelRdt (CG33) checks that a class is planned, that an empty object requests a class named after the
// container if the host supports classes, and that an invalid name is refused with its property.
func TestIntelRdt(t *testing.T) {
	for in, want := range map[string]*rdt.Group{
		`{}`: {Class: "x", Optional: true}, `{"closID": "/"}`: {Given: true},
		`{"memBwSchema": "MB:0=20", "enableMonitoring": true}`: {Class: "x", Schema: []string{"MB:0=20"}, Monitor: "x"},
	} {
		out, err := Plan(spec(t, `{"linux": {"intelRdt": `+in+`}}`), Options{Bundle: "/b", ID: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.RDT); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
	}
	if _, err := Plan(spec(t, `{"linux": {"intelRdt": {"closID": "../x"}}}`),
		Options{Bundle: "/b", ID: "x"}); err == nil || !strings.HasPrefix(err.Error(), `linux.intelRdt: closID: "../x"`) {
		t.Errorf("%v", err)
	}
}

// TestIdleAlone checks that a weight together with idle gives a warning in runc's words, and that idle in unified
// has precedence over the one in cpu.
func TestIdleAlone(t *testing.T) {
	for resources, want := range map[string][]string{
		`{"cpu": {"idle": 1, "shares": 200}}`: {"cpu.shares and cpu.idle, ignoring cpu.shares"},
		`{"cpu": {"shares": 200}, "unified": {"cpu.idle": "1", "cpu.weight": "8", "cpu.weight.nice": "1"}}`: {
			"cpu.shares and unified cpu.idle, ignoring cpu.shares",
			"unified cpu.weight and unified cpu.idle, ignoring unified cpu.weight",
			"unified cpu.weight.nice and unified cpu.idle, ignoring unified cpu.weight.nice"},
		`{"cpu": {"idle": 1, "shares": 200}, "unified": {"cpu.idle": "0", "cpu.weight": "8"}}`: nil,
		`{"cpu": {"idle": 0, "shares": 200}}`:                                                  nil,
		`{"cpu": {"idle": 1}, "unified": {"io.weight": "8"}}`:                                  nil,
	} {
		r := new(Resources)
		if err := json.Unmarshal([]byte(resources), r); err != nil {
			t.Fatal(err)
		}
		out, warnings, err := PlanUpdate(r, "1.3.0")
		for i := range want {
			want[i] = "linux.resources: unable to apply both " + want[i]
		}
		if diff := cmp.Diff(want, warnings); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", resources, err, diff)
			continue
		}
		weight := slices.ContainsFunc(out.Unified, func(u cgroupfs.Unified) bool {
			return strings.HasPrefix(u.File, "cpu.weight")
		})
		if weight != (want == nil && strings.Contains(resources, "cpu.weight")) {
			t.Errorf("%s: %+v", resources, out.Unified)
		}
	}
}

// TestDeviceAccess checks that letters are accepted in any order and number, and that others give a warning and
// never deny less.
func TestDeviceAccess(t *testing.T) {
	for _, c := range []struct {
		access          string
		allowed, denied string
	}{{"mwr", "rwm", "rwm"}, {"wr", "rw", "rw"}, {"rrwm", "rwm", "rwm"}, {"mm", "m", "m"}, {"", "rwm", "rwm"},
		{"rwa", "rw", "rwm"}, {"a r", "r", "rwm"}, {"ém", "m", "rwm"}} {
		for _, allow := range []bool{true, false} {
			rule := DeviceRule{Allow: allow, Type: "c", Access: c.access}
			out, warnings, err := PlanUpdate(&Resources{Devices: []DeviceRule{rule}}, "1.3.0")
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]string{true: c.allowed, false: c.denied}[allow]
			if got := out.Devices[0].Access; got != want {
				t.Errorf("%q, allow %v: %q, want %q", c.access, allow, got, want)
			}
			if other := strings.Trim(c.access, "rwm") != ""; other != (len(warnings) == 1) {
				t.Errorf("%q: %q", c.access, warnings)
			}
		}
	}
}
