package oci

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/spawn"
)

// spec returns a small configuration, into which each patch, a JSON object, is merged.
func spec(t *testing.T, patches ...string) *Spec {
	t.Helper()
	base := `{"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "process": {"args": ["sh"], "cwd": "/"},
		"linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}}`
	s := new(Spec)
	for _, p := range append([]string{base}, patches...) {
		if err := json.Unmarshal([]byte(p), s); err != nil {
			t.Fatalf("%s: %v", p, err)
		}
	}
	return s
}

const userNamespace = `{"linux": {"namespaces": [{"type": "mount"}, {"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
	"gidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}]}}`

// TestNothingIsAccepted checks that values that request nothing are not refused.
func TestNothingIsAccepted(t *testing.T) {
	s := spec(t, `{"hostname": "", "process": {"apparmorProfile": "unconfined", "selinuxLabel": "", "scheduler": null, "ioPriority": null, "execCPUAffinity": {"initial": "", "final": ""}}, "hooks": {"prestart": []},
		"mounts": [], "linux": {"seccomp": {}, "intelRdt": null, "netDevices": {}, "uidMappings": [], "timeOffsets": {}, "cgroupsPath": "", "devices": null,
		"resources": {"blockIO": {"weight": 0, "weightDevice": [{"major": 8, "minor": 0, "weight": 0}], "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 0}]},
		"rdma": {"mlx5_0": {}}, "hugepageLimits": [], "network": {"classID": 0, "priorities": []}, "cpu": {"shares": 0, "quota": 0, "period": 0, "realtimePeriod": 0, "realtimeRuntime": 0},
		"memory": {"limit": 0, "swap": 0, "kernel": 0, "disableOOMKiller": false}, "devices": []}}}`)
	out, err := Plan(s, Options{Bundle: "/b", ID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cgroupfs.Resources{}, out.Resources); diff != "" {
		t.Errorf("limits (-want +got)\n%s", diff)
	}
	if out.Seccomp != nil {
		t.Errorf("seccomp: %s", out.Seccomp)
	}
}

// TestNetDevices checks that a name alone is a request, and that an empty value requests the device under its own
// name.
func TestNetDevices(t *testing.T) {
	const network = `{"linux": {"namespaces": [{"type": "network"}], "netDevices": `
	long := strings.Repeat("x", 15)
	out := planOf(t, Options{}, network+`{"eth1": {"name": "x%d"}, "dummy0": null, "`+long+`": {"name": ""}}}}`)
	want := []spawn.NetDevice{{Name: "dummy0"}, {Name: "eth1", As: "x%d"}, {Name: long}}
	if diff := cmp.Diff(want, out.Spawn.NetDevices); diff != "" {
		t.Error(diff)
	}
	const rule = "1 to 15 bytes without a slash, a colon, a percent sign or a space, and neither . nor .."
	for _, c := range []struct {
		patch, want string
		uid         uint32
	}{
		{`{"linux": {"netDevices": {"dummy0": {}}}}`,
			`linux.netDevices: unable to move network devices without a network namespace in linux.namespaces`, 0},
		{`{"linux": {"namespaces": [{"type": "user"}, {"type": "network"}], "uidMappings": [{"hostID": 7, "size": 1}], "gidMappings": [{"size": 1}], "netDevices": {"dummy0": {}}}}`,
			`linux.netDevices: network devices are not supported for rootless containers: only root of the host may give them away`, 7},
		{network + `{"` + long + `y": {}}}}`, `linux.netDevices: invalid network device name "` + long + `y"; want ` + rule,
			0},
		{network + `{"a/b": {}}}}`, `linux.netDevices: invalid network device name "a/b"; want ` + rule, 0},
		{network + `{"": {}}}}`, `linux.netDevices: invalid network device name ""; want ` + rule, 0},
		{network + `{"eth%d": {}}}}`, `linux.netDevices: invalid network device name "eth%d"; want ` + rule, 0},
		{network + `{"a": {"name": ".."}}}}`,
			`linux.netDevices.a.name: invalid network device name ".."; want ` + rule + `, and %d once for a number`, 0},
		{network + `{"a": {"name": "x y"}}}}`,
			`linux.netDevices.a.name: invalid network device name "x y"; want ` + rule + `, and %d once for a number`, 0},
		{network + `{"a": {"name": "%d%d"}}}}`,
			`linux.netDevices.a.name: invalid network device name "%d%d"; want ` + rule + `, and %d once for a number`, 0},
		{network + `{"a": {"name": "b"}, "b": {}}}}`, `linux.netDevices.b.name: "b" is that of a too`, 0},
	} {
		_, err := Plan(spec(t, c.patch), Options{Bundle: "/b", ID: "x", Host: Host{UID: c.uid}})
		if got := text(err); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.patch, got, c.want)
		}
	}
}

// TestMappingsThatTheKernelRefuses covers mappings for which the kernel returns a bare EINVAL. Here the error
// names the property and the limit.
func TestMappingsThatTheKernelRefuses(t *testing.T) {
	ranges := func(n int, from, step uint64) string {
		var all []string
		for i := range uint64(n) {
			all = append(all, fmt.Sprintf(`{"containerID": %d, "hostID": %d, "size": 1}`, i*step, from+i*step))
		}
		return strings.Join(all, ", ")
	}
	for maps, want := range map[string]string{
		`{"hostID": 9, "size": 10}, {"containerID": 9, "hostID": 100, "size": 2}`: "linux.uidMappings[1]: " +
			"container ids 9 to 10 overlap with those of linux.uidMappings[0]",
		`{"hostID": 9, "size": 10}, {"containerID": 10, "hostID": 18, "size": 2}`: "linux.uidMappings[1]: host ids " +
			"18 to 19 overlap with those of linux.uidMappings[0]",
		`{"hostID": 9, "size": 10}, {"containerID": 4294967294, "hostID": 99, "size": 2}`: "linux.uidMappings[1]: 2 ids " +
			"from containerID 4294967294 on go beyond the highest, 4294967294",
		`{"hostID": 4294967290, "size": 6}`: "linux.uidMappings[0]: 6 ids " +
			"from hostID 4294967290 on go beyond the highest, 4294967294",
		ranges(341, 100000, 1): "linux.uidMappings: 341 ranges; " +
			"the kernel takes at most 340",
		ranges(200, 4000000000, 1000000): "linux.uidMappings: 4484 bytes " +
			"as the kernel reads it; it takes less than 4096: fewer ranges, or some that follow each other as one",
		`{"hostID": 4294967290, "size": 5}, {"containerID": 5, "hostID": 9, "size": 10}`: "",
	} {
		s := spec(t, userNamespace)
		s.Linux.UIDMappings = nil
		if err := json.Unmarshal([]byte("["+maps+"]"), &s.Linux.UIDMappings); err != nil {
			t.Fatal(err)
		}
		_, err := Plan(s, Options{Bundle: "/b", ID: "x"})
		if got := fmt.Sprint(err); want != "" && got != want || want == "" && err != nil {
			t.Errorf("%.100s: %v, want %q", maps, err, want)
		}
	}
}

// TestNotStricterThanOthers checks that what runc accepts is accepted here too if nothing is lost, and that a
// warning names whatever is left out.
func TestNotStricterThanOthers(t *testing.T) {
	fuse := `{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}`
	out := planOf(t, Options{}, `{"linux": {"uidMappings": [{"size": 1}], "timeOffsets": {"monotonic": {"secs": 1}},
		"devices": [`+fuse+`, `+fuse+`], "resources": {"devices": [{"allow": true, "type": "c", "access": "rwa"}]}}}`)
	want := []string{
		"linux.uidMappings, linux.gidMappings: without effect, for linux.namespaces has no user namespace",
		"linux.timeOffsets: without effect, for linux.namespaces has no new time namespace",
		`linux.resources.devices[0].access: "rwa" holds other letters than rwm, which are left out`,
	}
	if diff := cmp.Diff(want, out.Warnings); diff != "" {
		t.Errorf("warnings (-want +got)\n%s", diff)
	}
	s := out.Spawn
	if s.UIDMappings != nil || s.TimeOffsets != nil || out.Resources.Devices[0].Access != "rw" ||
		len(s.Container.Devices) != len(defaultDevices())+1 {
		t.Errorf("%+v", out)
	}
}

func TestWrongValues(t *testing.T) {
	const uts, net, mqueue = `{"type": "uts"}`, `{"type": "network"}`, `{"type": "ipc"}`
	for _, c := range []struct{ patch, want string }{
		{`{"ociVersion": ""}`, `ociVersion: missing; want a version of the specification such as "1.3.0"`},
		{`{"ociVersion": "2.0.0"}`, `ociVersion: "2.0.0" is not known; want 1.x.y, such as "1.3.0"`},
		{`{"ociVersion": "1.0"}`, `ociVersion: "1.0" is not known; want 1.x.y, such as "1.3.0"`},
		{`{"ociVersion": "1.0.x"}`, `ociVersion: "1.0.x" is not known; want 1.x.y, such as "1.3.0"`},
		{`{"ociVersion": "1.0.2-dev"}`, ``},
		{`{"ociVersion": "1.3.0-rc.1+x"}`, ``},
		{`{"root": null}`, `root: missing; want an object with the path of the root file system`},
		{`{"root": {"path": ""}}`, `root.path: missing or empty; want the path of the root file system`},
		{`{"process": {"args": []}}`, `process.args: missing or empty; want the program and its arguments`},
		{`{"process": {"args": [""]}}`,
			`process.args[0]: empty; want the program's path, or its name to be looked up in PATH`},
		{`{"process": {"cwd": "x"}}`, `process.cwd: "x" is not absolute`},
		{`{"process": {"cwd": ""}}`, `process.cwd: "" is not absolute`},
		{`{"process": {"env": ["A=b", "X"]}}`, `process.env[1]: "X"; want NAME=value`},
		{`{"process": {"env": ["=b"]}}`, `process.env[0]: "=b"; want NAME=value`},
		{`{"process": {"oomScoreAdj": 1001}}`, `process.oomScoreAdj: 1001; want -1000 to 1000`},
		{`{"process": {"user": {"umask": 512}}}`, `process.user.umask: 512; want 0 to 511 (octal 777)`},
		{`{"process": {"terminal": true, "consoleSize": {"height": 65536}}}`,
			`process.consoleSize.height: 65536; want at most 65535`},
		{`{"process": {"terminal": false, "consoleSize": {"height": 65536}}}`, ``},
		{`{"process": {"rlimits": [{"type": "RLIMIT_X"}]}}`,
			`process.rlimits[0].type: "RLIMIT_X" is not known; want one of getrlimit(2), such as RLIMIT_NOFILE`},
		{`{"process": {"rlimits": [{"type": "RLIMIT_AS"}, {"type": "RLIMIT_AS"}]}}`,
			`process.rlimits[1].type: "RLIMIT_AS" stands twice; each type may stand once`},
		{`{"process": {"rlimits": [{"type": "RLIMIT_AS", "soft": 2, "hard": 1}]}}`,
			`process.rlimits[0].soft: 2 is above the hard limit 1 of RLIMIT_AS`},
		{`{"hostname": "x"}`, `hostname: "x" needs a uts namespace in linux.namespaces`},
		{`{"domainname": "x"}`, `domainname: "x" needs a uts namespace in linux.namespaces`},
		{`{"linux": {"namespaces": [` + uts + `]}, "hostname": "` + strings.Repeat("x", 65) + `"}`,
			`hostname: 65 bytes; want at most 64`},
		{`{"linux": {"namespaces": [{"type": "x"}]}}`,
			`linux.namespaces[0].type: "x" is not known; want pid, network, mount, ipc, uts, user, cgroup or time`},
		{`{"linux": {"namespaces": [` + uts + `, ` + uts + `]}}`,
			`linux.namespaces[1].type: "uts" stands twice; each type may stand once`},
		{`{"linux": {"namespaces": [{"type": "pid", "path": "ns"}]}}`, `linux.namespaces[0].path: "ns" is not absolute`},
		{`{"linux": {"namespaces": [{"type": "user"}]}}`, `linux.uidMappings: missing; a new user namespace needs it`},
		{`{"linux": {"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 1, "size": 9}]}}`,
			`linux.uidMappings: container id 0 is not mapped; the container's root must be`},
		{`{"linux": {"namespaces": [{"type": "user"}], "uidMappings": [{"size": 9}, {"containerID": 9}]}}`,
			`linux.uidMappings[1].size: 0; want at least 1`},
		{`{"linux": {"timeOffsets": {"realtime": {"secs": 1}}}}`,
			`linux.timeOffsets.realtime: no such clock; want monotonic or boottime`},
		{`{"linux": {"namespaces": [{"type": "time"}], "timeOffsets": {"boottime": {"nanosecs": 1000000000}}}}`,
			`linux.timeOffsets.boottime.nanosecs: 1000000000; want at most 999999999`},
		{`{"linux": {"namespaces": []}, "root": {"readonly": true}}`, ``},
		{`{"linux": {"namespaces": [], "maskedPaths": ["/a"]}}`, ``},
		{`{"linux": {"namespaces": [], "readonlyPaths": ["/a"]}}`, ``},
		{`{"linux": null, "mounts": [{"destination": "/a", "type": "tmpfs"}]}`, ``},
		{`{"linux": {"maskedPaths": ["a"]}}`, ``},
		{`{"linux": {"rootfsPropagation": "x"}}`,
			`linux.rootfsPropagation: "x" is not known; want shared, slave, private or unbindable, each also with an r before it`},
		{`{"mounts": [{"type": "tmpfs"}]}`, `mounts[0].destination: missing; want an absolute path in the container`},
		{`{"mounts": [{"destination": "/a"}]}`,
			`mounts[0].type: missing; want a file system's name, or the option bind or rbind`},
		{`{"mounts": [{"destination": "/a", "type": "bind", "source": "/b"}]}`,
			`mounts[0].options: neither bind nor rbind, which make a bind mount; the type "bind" alone does not`},
		{`{"mounts": [{"destination": "/a", "options": ["bind"]}]}`,
			`mounts[0].source: missing; a bind mount needs the path on the host`},
		{`{"mounts": [{"destination": "/a", "source": "/b", "options": ["rbind", "size=1"]}]}`,
			`mounts[0].options: "size=1" is an option of a file system and cannot be given to a bind mount`},
		{`{"mounts": [{"destination": "/a", "source": "/b", "options": ["rbind", "tmpcopyup"]}]}`,
			`mounts[0].options: tmpcopyup cannot be given to a bind mount`},
		{`{"mounts": [{"destination": "/a", "type": "proc", "options": ["tmpcopyup"]}]}`,
			`mounts[0].options: tmpcopyup is for the type tmpfs, not "proc"`},
		{`{"mounts": [{"destination": "/a", "type": "proc", "options": ["", "ro", ""]}]}`, ``},
		{`{"mounts": [{"destination": "/a", "type": "cgroup", "options": ["ro", "nonsense=1"]}]}`,
			`mounts[0].options: "nonsense=1" is not an option of a mount of type cgroup on this host`},
		{`{"mounts": [{"destination": "/a", "type": "cgroup", "options": ["nsdelegate"]}]}`,
			`mounts[0].options: "nsdelegate" is not an option of a mount of type cgroup on this host`},
		{`{"mounts": [{"destination": "/a", "type": "tmpfs"}, {"destination": "/a", "options": ["remount", "tmpcopyup"]}]}`,
			`mounts[1].options: tmpcopyup is for a new tmpfs, and remount changes one that is there`},
		{`{"mounts": [{"destination": "/a", "options": ["remount", "idmap"]}]}`,
			`mounts[0]: the owners of files are mapped when a mount is made, and remount changes one that is there`},
		{`{"mounts": [{"destination": "/a", "source": "/b", "options": ["rbind"]}, {"destination": "/a", "options": ["remount", "size=1m"]}]}`,
			`mounts[1].options: "size=1m" is an option of a file system, and mounts has none of the container's own at /a that remount could give it to`},
		{`{"mounts": [{"destination": "/a", "options": ["remount", "async"]}]}`,
			`mounts[0].options: "async" is an option of a file system, and mounts has none of the container's own at /a that remount could give it to`},
		{`{"linux": {"mountLabel": "a:b:c"}}`, `linux.mountLabel: "a:b:c": SELinux is not in force on this host`},
		{`{"linux": {"devices": [{"path": "/d", "type": "x"}]}}`,
			`linux.devices[0].type: "x" is not known; want c, b, u or p`},
		{`{"linux": {"devices": [{"path": "d", "type": "c"}]}}`,
			`linux.devices[0].path: "d"; want the absolute path of a device node`},
		{`{"linux": {"devices": [{"path": "/d", "type": "c"}, {"path": "/d/", "type": "b"}]}}`,
			`linux.devices[1].path: "/d" stands twice, as two different devices`},
		{`{"linux": {"devices": [{"path": "/d", "type": "c", "major": -1}]}}`,
			`linux.devices[0].major: -1; want 0 to 4294967295`},
		{`{"linux": {"sysctl": {"net.x": "1"}}}`,
			`linux.sysctl: "net.x" needs a namespace of type network in linux.namespaces`},
		{`{"linux": {"namespaces": [` + net + `], "sysctl": {"net.x": "1", "net/y/z.1": "2"}}}`, ``},
		{`{"linux": {"namespaces": [` + net + `], "sysctl": {"net/../kernel/core_pattern": "1"}}}`,
			`linux.sysctl: "net/../kernel/core_pattern" is not the name of a parameter`},
		{`{"linux": {"namespaces": [` + net + `], "sysctl": {"net....kernel": "1"}}}`,
			`linux.sysctl: "net....kernel" is not the name of a parameter`},
		{`{"linux": {"namespaces": [` + net + `], "sysctl": {"net.//.x": "1"}}}`,
			`linux.sysctl: "net.//.x" is not the name of a parameter`},
		{`{"linux": {"sysctl": {"kernel.msgmax": "1"}}}`,
			`linux.sysctl: "kernel.msgmax" needs a namespace of type ipc in linux.namespaces`},
		{`{"linux": {"namespaces": [` + mqueue + `], "sysctl": {"kernel/sem": "1", "fs.mqueue.msg_max": "2"}}}`, ``},
		{`{"linux": {"sysctl": {"kernel.domainname": "1"}}}`,
			`linux.sysctl: "kernel.domainname" needs a namespace of type uts in linux.namespaces`},
		{`{"linux": {"namespaces": [` + uts + `], "sysctl": {"kernel.hostname": "1"}}}`,
			`linux.sysctl: "kernel.hostname" is not allowed; use the property hostname`},
		{`{"linux": {"sysctl": {"vm.overcommit_memory": "1"}}}`,
			`linux.sysctl: "vm.overcommit_memory" belongs to no namespace and would change the host; want net.*, user.*, fs.mqueue.*, kernel.domainname or one of the ipc namespace`},
		{`{"hooks": {"poststop": [{"path": "x"}]}}`, `hooks.poststop[0].path: "x" is not absolute`},
		{`{"hooks": {"startContainer": [{"path": "/x", "timeout": 0}]}}`,
			`hooks.startContainer[0].timeout: 0; want a number of seconds above 0`},
		{`{"hooks": {"prestart": [{"path": "/x"}, {"path": "/x", "env": ["A"]}]}}`,
			`hooks.prestart[1].env[0]: "A"; want NAME=value`},
		{`{"linux": {"cgroupsPath": "a/../../b"}}`, `linux.cgroupsPath: "a/../../b"; .. is not allowed`},
		{`{"linux": {"cgroupsPath": "a.slice:b:c"}}`,
			`linux.cgroupsPath: "a.slice:b:c" is systemd's form slice:prefix:name; use it with --systemd-cgroup, or give a path`},
		{`{"linux": {"cgroupsPath": "/"}}`, `linux.cgroupsPath: "/" is the root of the hierarchy; want a group below it`},
		{`{"linux": {"resources": {"memory": {"limit": -2}}}}`,
			`linux.resources.memory.limit: -2; want a number of bytes, or -1 for no limit`},
		{`{"linux": {"resources": {"memory": {"limit": 10, "swap": 9}}}}`,
			`linux.resources.memory.swap: 9 is below memory.limit 10; it counts memory and swap together`},
		{`{"linux": {"resources": {"cpu": {"quota": 999}}}}`,
			`linux.resources.cpu.quota: 999; want at least 1000 microseconds, or -1 for no limit`},
		{`{"linux": {"resources": {"cpu": {"period": 999}}}}`,
			`linux.resources.cpu.period: 999; want 1000 to 1000000 microseconds`},
		{`{"linux": {"resources": {"cpu": {"idle": 2}}}}`, `linux.resources.cpu.idle: 2; want 0 or 1`},
		{`{"linux": {"resources": {"cpu": {"cpus": "all"}}}}`,
			`linux.resources.cpu.cpus: "all"; want a list of numbers such as 0-3,7`},
		{`{"linux": {"resources": {"unified": {"../x.y": "1"}}}}`,
			`linux.resources.unified: "../x.y"; want the name of a controller's file such as memory.high`},
		{`{"linux": {"resources": {"unified": {"cgroup.kill": "1"}}}}`,
			`linux.resources.unified: "cgroup.kill"; want the name of a controller's file such as memory.high`},
		{`{"linux": {"resources": {"devices": [{"type": "p"}]}}}`,
			`linux.resources.devices[0].type: "p" is not known; want a, c or b`},
		{`{"linux": {"resources": {"devices": [{"access": "all"}]}}}`,
			`linux.resources.devices[0].access: "all"; want letters of rwm`},
		{`{"linux": {"resources": {"devices": [{"allow": true, "access": "RWM"}]}}}`,
			`linux.resources.devices[0].access: "RWM"; want letters of rwm`},
		{`{"linux": {"resources": {"devices": [{"access": "x"}]}}}`,
			`linux.resources.devices[0].access: "x"; want letters of rwm`},
		{`{"linux": {"resources": {"devices": [{"major": -2}]}}}`,
			`linux.resources.devices[0].major: -2; want 0 to 4294967295, or -1 for all`},
	} {
		_, err := Plan(spec(t, c.patch), Options{Bundle: "/b", ID: "x"})
		if got := text(err); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.patch, got, c.want)
		}
	}
}

func TestUnmappedIDs(t *testing.T) {
	for _, c := range []struct{ patch, want string }{
		{`{"process": {"user": {"uid": 9, "gid": 9, "additionalGids": [0]}}}`, ``},
		{`{"process": {"user": {"uid": 10}}}`, `process.user.uid: 10 is not mapped by linux.uidMappings`},
		{`{"process": {"user": {"gid": 10}}}`, `process.user.gid: 10 is not mapped by linux.gidMappings`},
		{`{"process": {"user": {"additionalGids": [1, 4294967295]}}}`,
			`process.user.additionalGids[1]: 4294967295 is not mapped by linux.gidMappings`},
		{`{"mounts": [{"destination": "/a", "type": "devpts", "options": ["gid=50"]}]}`,
			`mounts[0].options gid: 50 is not mapped by linux.gidMappings`},
		{`{"linux": {"devices": [{"path": "/d", "type": "c", "uid": 10}]}}`,
			`linux.devices[0].uid: 10 is not mapped by linux.uidMappings`},
	} {
		_, err := Plan(spec(t, userNamespace, c.patch), Options{Bundle: "/b", ID: "x"})
		if got := text(err); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.patch, got, c.want)
		}
	}
}

// TestLabels checks that a label is an error if its security module is not enabled.
func TestLabels(t *testing.T) {
	for _, c := range []struct {
		process, want string
		host          Host
	}{
		{`{"apparmorProfile": "p"}`, `process.apparmorProfile: "p": AppArmor is not in force on this host`,
			Host{SELinux: true}},
		{`{"selinuxLabel": "l"}`, `process.selinuxLabel: "l": SELinux is not in force on this host`, Host{AppArmor: true}},
		{`{"apparmorProfile": "unconfined"}`, ``, Host{}},
		{`{"apparmorProfile": "p", "selinuxLabel": "l"}`, ``, Host{AppArmor: true, SELinux: true}},
	} {
		out, err := Plan(spec(t, `{"process": `+c.process+`}`), Options{Bundle: "/b", ID: "x", Host: c.host})
		if text(err) != c.want {
			t.Errorf("%s: %v, want %s", c.process, err, c.want)
		}
		if err == nil && c.host.AppArmor && (out.Spawn.Container.Process.AppArmorProfile != "p" ||
			out.Spawn.Container.Process.SELinuxLabel != "l") {
			t.Errorf("%s: %+v", c.process, out.Spawn.Container.Process)
		}
	}
}

// TestPlainUser checks what a caller without root can and cannot request.
func TestPlainUser(t *testing.T) {
	host := Host{UID: 1000, GID: 1000}
	_, err := Plan(spec(t), Options{ID: "x", Host: host})
	if want := "linux.namespaces: no user namespace; a caller that is not root needs a new one"; text(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	// newuidmap(1) maps several ids for the caller, but nothing maps a single foreign id.
	mapped, err := Plan(spec(t, userNamespace), Options{ID: "x", Host: host})
	if err != nil || mapped.Spawn.Container.Process.KeepGroups {
		t.Errorf("subordinate ids: %v", err)
	}
	_, err = Plan(spec(t, userNamespace, `{"linux": {"uidMappings": [{"containerID": 0, "hostID": 7, "size": 1}]}}`),
		Options{ID: "x", Host: host})
	if want := "linux.uidMappings[0].hostID: 7; a caller that is not root can map its own id 1000, or several of its " +
		"subordinate ones"; text(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	out, err := Plan(RootlessSpec(1000, 1000, true), Options{ID: "x", Host: host})
	if err != nil {
		t.Fatal(err)
	}
	if !out.Spawn.Container.Process.KeepGroups {
		t.Error("setgroups is denied where a plain user maps a gid")
	}
	s := RootlessSpec(1000, 1000, true)
	s.Process.User.AdditionalGIDs = []uint32{0}
	if _, err := Plan(s, Options{ID: "x", Host: host}); err != nil {
		t.Errorf("the process's own group as an additional one: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	out, err := Plan(spec(t), Options{Bundle: "/b", ID: "x", NoPivot: true, PreserveFDs: 2, Host: testHost()})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Spawn.Container
	if out.CgroupPath != "/handfast/x" || out.Rootfs != "/b/rootfs" || c.Root.Path != "/b/rootfs" || !c.Root.NoPivot ||
		c.Process.Umask != nil ||
		out.Spawn.PreserveFDs != 2 || len(c.Devices) != 6 || c.Process.KeepGroups || c.Process.Env != nil {
		t.Errorf("%+v", out)
	}
	s := spec(t)
	s.Process = nil
	if out, err = Plan(s, Options{Bundle: "/b", ID: "x"}); err != nil || out.Spawn.Container.Process.Args != nil {
		t.Errorf("without a process: %+v, %v", out, err)
	}
	s = spec(t, `{"linux": {"cgroupsPath": "a/b"}, "mounts": [{"destination": "/dev/", "source": "/dev", "options": ["rbind"]}, {"destination": "run", "type": "tmpfs"}]}`)
	if out, err = Plan(s, Options{Bundle: "/b", ID: "x"}); err != nil {
		t.Fatal(err)
	}
	if out.CgroupPath != "/a/b" || len(out.Spawn.Container.Devices) != 0 {
		t.Errorf("cgroup %s, devices %v", out.CgroupPath, out.Spawn.Container.Devices)
	}
	if diff := cmp.Diff([]string{`mounts[1].destination: "run" is not absolute and is taken from the container's root`},
		out.Warnings); diff != "" {
		t.Error(diff)
	}
}
