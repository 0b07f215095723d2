package oci

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

func planOf(t *testing.T, opt Options, patches ...string) *Planned {
	t.Helper()
	opt.Bundle, opt.ID = "/b", "x"
	out, err := Plan(spec(t, patches...), opt)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHooksGoWhereTheyRun(t *testing.T) {
	out := planOf(t, Options{}, `{"annotations": {"k": "v"}, "hooks": {"prestart": [{"path": "/1", "args": ["a0", "a1"], "env": ["A=b"], "timeout": 7}], "createRuntime": [{"path": "/2"}],
		"createContainer": [{"path": "/3"}], "startContainer": [{"path": "/4"}], "poststart": [{"path": "/5"}], "poststop": [{"path": "/6"}]}}`)
	parent := ParentHooks{
		Prestart:      []container.Hook{{Path: "/1", Args: []string{"a0", "a1"}, Env: []string{"A=b"}, Timeout: 7}},
		CreateRuntime: []container.Hook{{Path: "/2"}}, Poststart: []container.Hook{{Path: "/5"}},
		Poststop: []container.Hook{{Path: "/6"}},
	}
	if diff := cmp.Diff(parent, out.Hooks); diff != "" {
		t.Errorf("parent's (-want +got)\n%s", diff)
	}
	child := container.Hooks{Runtime: true, CreateContainer: []container.Hook{{Path: "/3"}},
		StartContainer: []container.Hook{{Path: "/4"}}}
	if diff := cmp.Diff(child, out.Spawn.Container.Hooks); diff != "" {
		t.Errorf("child's (-want +got)\n%s", diff)
	}
	if want := `{"ociVersion":"1.2.0","id":"x","bundle":"/b","annotations":{"k":"v"}}`; out.Spawn.Container.State != want {
		t.Errorf("state is %s, want %s", out.Spawn.Container.State, want)
	}
	if out = planOf(t, Options{}, `{"hooks": {"poststop": [{"path": "/6"}]}}`); out.Spawn.Container.State != "" ||
		out.Spawn.Container.Hooks.Runtime {
		t.Errorf("the child is told of hooks that are none of its business: %+v", out.Spawn.Container)
	}
}

func TestCapabilities(t *testing.T) {
	out := planOf(t, Options{}, `{"process": {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE", "CAP_X", "chown"], "ambient": ["CAP_KILL"]}}}`)
	want := container.Capabilities{Bounding: 1<<unix.CAP_CHOWN | 1<<unix.CAP_CHECKPOINT_RESTORE,
		Ambient: 1 << unix.CAP_KILL}
	if diff := cmp.Diff(want, out.Spawn.Container.Process.Capabilities); diff != "" {
		t.Errorf("masks (-want +got)\n%s", diff)
	}
	warnings := []string{`process.capabilities.bounding[2]: "CAP_X" is not known and left out`,
		`process.capabilities.bounding[3]: "chown" is not known and left out`}
	if diff := cmp.Diff(warnings, out.Warnings); diff != "" {
		t.Errorf("warnings (-want +got)\n%s", diff)
	}
	for name, n := range map[string]int{"CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_SETFCAP": unix.CAP_SETFCAP,
		"CAP_AUDIT_READ": unix.CAP_AUDIT_READ, "CAP_BPF": unix.CAP_BPF} {
		if got := CapabilityNumber(name); got != n {
			t.Errorf("%s is %d, want %d", name, got, n)
		}
	}
	if len(capabilityNames) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d names, the kernel's headers have %d", len(capabilityNames), unix.CAP_LAST_CAP+1)
	}
}

// TestCapabilitiesThatTheCallerLacks checks that capabilities that the caller lacks are left out with a warning.
// This includes the inheritable set, for which the kernel has its own rule. In a user namespace all are available.
func TestCapabilitiesThatTheCallerLacks(t *testing.T) {
	const kill, chown, admin, raw = 1 << unix.CAP_KILL, 1 << unix.CAP_CHOWN, 1 << unix.CAP_SYS_ADMIN, 1 << unix.CAP_NET_RAW
	host := Host{Capabilities: &HostCapabilities{Permitted: kill | chown | raw, Inheritable: admin,
		Bounding: kill | chown | raw}}
	process := `{"process": {"capabilities": {"bounding": ["CAP_KILL", "CAP_SYS_BOOT", "CAP_SYS_ADMIN"], "effective": ["CAP_KILL", "CAP_SYS_BOOT"],
		"permitted": ["CAP_KILL", "CAP_SYS_BOOT"], "inheritable": ["CAP_KILL", "CAP_SYS_BOOT", "CAP_NET_RAW", "CAP_SYS_ADMIN"],
		"ambient": ["CAP_KILL", "CAP_SYS_BOOT", "CAP_NET_RAW"]}}}`
	out := planOf(t, Options{Host: host}, process)
	want := container.Capabilities{Bounding: kill, Effective: kill, Permitted: kill, Inheritable: kill | admin,
		Ambient: kill}
	if diff := cmp.Diff(want, out.Spawn.Container.Process.Capabilities); diff != "" {
		t.Errorf("masks (-want +got)\n%s", diff)
	}
	warnings := []string{
		"process.capabilities: CAP_SYS_ADMIN, CAP_SYS_BOOT left out, which the caller itself lacks",
		"process.capabilities.inheritable: CAP_NET_RAW left out, for it is not in the bounding set",
	}
	if diff := cmp.Diff(warnings, out.Warnings); diff != "" {
		t.Errorf("warnings (-want +got)\n%s", diff)
	}
	out = planOf(t, Options{Host: host}, process, userNamespace)
	refused := []string{"process.capabilities.ambient: can't raise ambient capability CAP_NET_RAW: " +
		"it must be permitted and inheritable too"}
	if !slices.Equal(out.Warnings, refused) ||
		out.Spawn.Container.Process.Capabilities.Inheritable != kill|1<<unix.CAP_SYS_BOOT|raw|admin {
		t.Errorf("in a user namespace: %+v %q", out.Spawn.Container.Process.Capabilities, out.Warnings)
	}
}

func TestRlimitNumbers(t *testing.T) {
	for name, n := range map[string]int{
		"RLIMIT_CPU": unix.RLIMIT_CPU, "RLIMIT_STACK": unix.RLIMIT_STACK, "RLIMIT_CORE": unix.RLIMIT_CORE,
		"RLIMIT_NPROC":  unix.RLIMIT_NPROC,
		"RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK, "RLIMIT_AS": unix.RLIMIT_AS,
		"RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE,
		"RLIMIT_RTTIME":   unix.RLIMIT_RTTIME, "RLIMIT_": -1, "NOFILE": -1,
	} {
		if got := rlimitNumber(name); got != n {
			t.Errorf("%s is %d, want %d", name, got, n)
		}
	}
}

func TestNamespacesAndOffsets(t *testing.T) {
	out := planOf(t, Options{}, `{"linux": {"namespaces": [{"type": "mount"}, {"type": "network", "path": "/run/netns/x"}, {"type": "time"}],
		"timeOffsets": {"boottime": {"secs": -3, "nanosecs": 5}}, "rootfsPropagation": "rslave"}}`)
	if diff := cmp.Diff([]spawn.Namespace{{Kind: "mount"}, {Kind: "network", Path: "/run/netns/x"}, {Kind: "time"}},
		out.Spawn.Namespaces); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]spawn.TimeOffset{"boottime": {Secs: -3, Nanos: 5}}, out.Spawn.TimeOffsets); diff != "" {
		t.Error(diff)
	}
	if out.Spawn.Container.Root.Propagation != unix.MS_SLAVE|unix.MS_REC {
		t.Errorf("propagation %#x", out.Spawn.Container.Root.Propagation)
	}
}

func TestDevices(t *testing.T) {
	out := planOf(t, Options{}, `{"linux": {"devices": [{"path": "/dev/null", "type": "u", "major": 1, "minor": 3, "fileMode": 8630, "uid": 1, "gid": 2}, {"path": "/dev/pipe", "type": "p"}]}}`)
	got := out.Spawn.Container.Devices
	want := append(defaultDevices()[1:],
		container.Device{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, Mode: 0o666, UID: 1, GID: 2},
		container.Device{Path: "/dev/pipe", Type: "p", Mode: 0o666})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("devices (-want +got)\n%s", diff)
	}
}

func TestCgroupMount(t *testing.T) {
	host := Host{Cgroup: CgroupHost{Version: 1, Hierarchies: []CgroupHierarchy{
		{Name: "cpu,cpuacct", Options: "cpu,cpuacct", Mountpoint: "/cg/cpu,cpuacct", Links: []string{"cpu", "cpuacct"}},
		{Name: "systemd", Options: "none,name=systemd", Mountpoint: "/cg/systemd", Fixed: "/user"},
	}}}
	out := planOf(t, Options{Host: host},
		`{"mounts": [{"destination": "/sys/fs/cgroup", "type": "cgroup"}, {"destination": "/c2", "type": "cgroup2"}], "linux": {"cgroupsPath": "/p"}}`)
	want := &container.Cgroup{Version: 1, Hierarchies: []container.CgroupEntry{
		{Name: "cpu,cpuacct", Options: "cpu,cpuacct", Path: "/cg/cpu,cpuacct/p", Links: []string{"cpu", "cpuacct"}},
		{Name: "systemd", Options: "none,name=systemd", Path: "/cg/systemd/user"},
	}}
	if diff := cmp.Diff(want, out.Spawn.Container.Mounts[0].Cgroup); diff != "" {
		t.Errorf("view (-want +got)\n%s", diff)
	}
	if out.Spawn.Container.Mounts[1].Cgroup != nil {
		t.Error("cgroup2 is an ordinary file system")
	}
}

// TestSysctlsStayBelowProcSys checks that the file of every accepted key is below /proc/sys, in the part that
// belongs to a namespace.
func TestSysctlsStayBelowProcSys(t *testing.T) {
	c := &planner{linux: &Linux{Namespaces: []Namespace{{Type: "network"}, {Type: "ipc"}, {Type: "uts"},
		{Type: "user"}}}}
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom([]string{"", "net", "net.", "net/", "fs.mqueue.", "kernel.", "user."}).Draw(t, "prefix") +
			rapid.StringMatching(`[a-z./]{0,12}`).Draw(t, "rest")
		dotted, err := c.sysctlKey(key)
		if err != nil {
			return
		}
		// The child makes the path in the same way: dots are separators, and slashes are dots in a name.
		file := strings.NewReplacer(".", "/", "/", ".").Replace(dotted)
		if file != path.Clean(file) || strings.HasPrefix(file, "../") || strings.HasPrefix(file, "/") {
			t.Fatalf("%q leads to %q", key, file)
		}
		switch top, _, _ := strings.Cut(file, "/"); top {
		case "net", "fs", "kernel", "user":
		default:
			t.Fatalf("%q is in %q", key, top)
		}
	})
}

// TestLastOptionCounts checks that the last of several contradictory options counts, and that no bit is both set
// and cleared. The exception is the access-time field, which is cleared as a whole.
func TestLastOptionCounts(t *testing.T) {
	var names []string
	for _, a := range attrs {
		names = append(names, a.name)
	}
	rapid.Check(t, func(t *rapid.T) {
		options := rapid.SliceOfN(rapid.SampledFrom(names), 1, 8).Draw(t, "options")
		var m container.Mount
		c := &planner{}
		for _, o := range options {
			if err := c.option(&m, "", o); err != nil {
				t.Fatal(err)
			}
		}
		last, _, _ := findAttr(options[len(options)-1])
		if m.Set&last.set != last.set || m.Clear&last.clear != last.clear || m.Set&(last.clear&^last.set) != 0 {
			t.Fatalf("%v: set %#x, clear %#x", options, m.Set, m.Clear)
		}
		if both := m.Set & m.Clear &^ unix.MOUNT_ATTR__ATIME; both != 0 {
			t.Fatalf("%v: %#x is set and cleared", options, both)
		}
		if clear := m.Clear & unix.MOUNT_ATTR__ATIME; clear != 0 && clear != unix.MOUNT_ATTR__ATIME {
			t.Fatalf("%v: the access-time field is cleared in part, which mount_setattr(2) refuses: %#x", options, clear)
		}
	})
}

// TestPlanIsPure checks that Plan does not change the configuration, and that it returns the same value for the
// same one.
func TestPlanIsPure(t *testing.T) {
	s := DefaultSpec(true)
	before, _ := json.Marshal(s)
	one, err := Plan(s, Options{Bundle: "/b", ID: "x", Host: testHost()})
	if err != nil {
		t.Fatal(err)
	}
	two, err := Plan(s, Options{Bundle: "/b", ID: "x", Host: testHost()})
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := json.Marshal(s); string(after) != string(before) {
		t.Errorf("changed from %s to %s", before, after)
	}
	if diff := cmp.Diff(one.Spawn.Container, two.Spawn.Container); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkDecodeAndPlan(b *testing.B) {
	data, err := DefaultSpec(true).Marshal()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Decode(data, "config.json")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Plan(s, Options{Bundle: "/b", ID: "x", Host: testHost()}); err != nil {
			b.Fatal(err)
		}
	}
}
