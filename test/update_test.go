package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// limitFile is the file of a limit and its content in either version; without a name that version has none.
type limitFile struct{ v1, is, v2, or string }

// read finds the file in the hierarchy that has the container's group.
func (l limitFile) read(t testing.TB, id string) (got, want, file string) {
	t.Helper()
	for _, g := range groupsNamed(t, testenv.CgroupParent()+"/"+id) {
		for file, want := range map[string]string{l.v1: l.is, l.v2: l.or} {
			if data, err := os.ReadFile(filepath.Join(g, file)); err == nil && file != "" {
				return strings.TrimSpace(string(data)), want, file
			}
		}
	}
	if l.v1 != "" && l.v2 != "" {
		t.Fatalf("no group of %s has %s or %s", id, l.v1, l.v2)
	}
	return "", "", ""
}

func values(t testing.TB, id string, all ...limitFile) {
	t.Helper()
	for _, l := range all {
		if got, want, file := l.read(t, id); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
}

// inOwnGroup returns a mutation that sets the group that limitFile looks for.
func inOwnGroup(id string, resources map[string]any) func(map[string]any) {
	return func(c map[string]any) {
		linux(c)["cgroupsPath"] = testenv.CgroupParent() + "/" + id
		if resources != nil {
			linux(c)["resources"] = resources
		}
	}
}

// TestUpdate (UP01, UP02, UP03, UP05): options and a document on standard input change a created, a running and a
// paused container, up and down, and the other limits stay.
func TestUpdate(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "sleep 1000",
		inOwnGroup(id, map[string]any{"memory": map[string]any{"limit": 64 << 20, "swap": 64 << 20},
			"pids": map[string]any{"limit": 50}})), id)
	r.ok("update", "--memory", "128m", "--memory-swap", "128MiB", "--cpu-share", "512", id)
	pids, shares := limitFile{"pids.max", "50", "pids.max", "50"}, limitFile{"cpu.shares", "512", "cpu.weight", "59"}
	values(t, id, limitFile{"memory.limit_in_bytes", "134217728", "memory.max", "134217728"},
		limitFile{"memory.memsw.limit_in_bytes", "134217728", "memory.swap.max", "0"}, shares, pids)

	r.ok("start", id)
	r.ok("update", id, "--memory=32m", "--memory-swap=48m", "--cpu-quota", "20000", "--cpu-period", "50000", "--cpu-burst",
		"1000", "--pids-limit", "60", "--cpuset-cpus", "0", "--kernel-memory", "1")
	pids = limitFile{"pids.max", "60", "pids.max", "60"}
	values(t, id, limitFile{"memory.limit_in_bytes", "33554432", "memory.max", "33554432"},
		limitFile{"memory.memsw.limit_in_bytes", "50331648", "memory.swap.max", "16777216"}, shares, pids,
		limitFile{"cpu.cfs_quota_us", "20000", "cpu.max", "20000 50000"}, limitFile{"cpu.cfs_period_us", "50000", "", ""},
		limitFile{"cpu.cfs_burst_us", "1000", "cpu.max.burst", "1000"},
		limitFile{"cpuset.cpus", "0", "cpuset.cpus", "0"})

	r.ok("pause", id)
	update := r.command("update", "--resources=-", id)
	update.Stdin = strings.NewReader(`{"cpu": {"idle": 1, "quota": -1, "burst": 0}, "memory": {"limit": -1}}`)
	if o := finish(t, update); o != (outcome{}) {
		t.Errorf("%+v", o)
	}
	values(t, id, limitFile{"cpu.idle", "1", "cpu.idle", "1"}, limitFile{"cpu.cfs_quota_us", "-1", "cpu.max", "max 50000"},
		limitFile{"", "", "memory.max", "max"}, limitFile{"", "", "memory.swap.max", "max"}, pids)
	update = r.command("update", "-r", "-", id)
	update.Stdin = strings.NewReader(`{"cpu": {"idle": 0}}`)
	if o := finish(t, update); o != (outcome{}) {
		t.Errorf("%+v", o)
	}
	values(t, id, limitFile{"cpu.idle", "0", "cpu.idle", "0"}, shares)
	r.ok("resume", id)
	r.ok("delete", "--force", id)
}

// TestUpdateOfIdle: idle goes before shares that are asked for with it, with runc's words, and shares alone end it.
func TestUpdateOfIdle(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "exit 0", inOwnGroup(id, nil)), id)
	defer r.ok("delete", "--force", id)
	o := r.do("update", "--cpu-share", "512", "--cpu-idle", "1", id)
	if o.status != 0 || o.stdout != "" {
		t.Errorf("%+v", o)
	}
	contains(t, o.stderr, "level=warning", "unable to apply both cpu.shares and cpu.idle, ignoring cpu.shares")
	idle := limitFile{"cpu.idle", "1", "cpu.idle", "1"}
	values(t, id, idle)
	r.ok("update", "--cpu-period", "50000", id)
	values(t, id, idle)
	r.ok("update", "--cpu-share", "256", id)
	values(t, id, limitFile{"cpu.idle", "0", "cpu.idle", "0"}, limitFile{"cpu.shares", "256", "cpu.weight", "35"})
}

// TestUpdateOfOldLimits (CG07, CG08): swappiness and the out-of-memory killer can be changed and changed back if the
// memory controller is v1's; otherwise both are errors that name them.
func TestUpdateOfOldLimits(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "exit 0", inOwnGroup(id, nil)), id)
	on, off := jsonFile(t, map[string]any{"memory": map[string]any{"disableOOMKiller": true, "swappiness": 7}}),
		jsonFile(t, map[string]any{"memory": map[string]any{"disableOOMKiller": false}})
	if _, _, file := (limitFile{v1: "memory.swappiness"}).read(t, id); file == "" {
		r.fails([]string{id, "disableOOMKiller cannot be expressed on cgroup"}, "update", "-r", on, id)
		r.fails([]string{id, "swappiness cannot be expressed on cgroup"}, "update", "-r",
			jsonFile(t, map[string]any{"memory": map[string]any{"swappiness": 7}}), id)
		r.ok("update", "-r", off, id)
	} else {
		r.ok("update", "-r", on, id)
		values(t, id, limitFile{v1: "memory.swappiness", is: "7"})
		text, _, _ := limitFile{v1: "memory.oom_control"}.read(t, id)
		contains(t, text, "oom_kill_disable 1")
		r.ok("update", "-r", off, id)
		text, _, _ = limitFile{v1: "memory.oom_control"}.read(t, id)
		contains(t, text, "oom_kill_disable 0")
	}
	r.ok("delete", id)
}

// TestUpdateThatFails: an update that the kernel refuses, or that is invalid, leaves no change, and the next update
// starts from the limits before it.
func TestUpdateThatFails(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("run", "--detach", "-b", shell(t, "sleep 1000",
		inOwnGroup(id, map[string]any{"memory": map[string]any{"limit": 64 << 20, "swap": 64 << 20}})), id)
	before := []limitFile{
		{v1: "memory.limit_in_bytes", v2: "memory.max"}, {v1: "memory.memsw.limit_in_bytes", v2: "memory.swap.max"},
		{v1: "cpu.shares", v2: "cpu.weight"}, {v1: "cpuset.mems", v2: "cpuset.mems"}, {v1: "pids.max", v2: "pids.max"},
	}
	for i := range before {
		before[i].is, _, _ = before[i].read(t, id)
		before[i].or = before[i].is
	}
	r.fails([]string{"cannot update container " + id, "cpuset.mems", "1023", "the limits are unchanged"},
		"update", "--memory", "128m", "--memory-swap", "128m", "--cpu-share", "7", "--cpuset-mems", "1023", "--pids-limit",
		"7", id)
	values(t, id, before...)
	r.fails([]string{id, "memory and swap together", "67108864 is below memory alone of 134217728"}, "update", "--memory",
		"128m", id)
	r.fails([]string{id, "linux.resources.memory.swappiness: 300"}, "update", "-r",
		jsonFile(t, map[string]any{"memory": map[string]any{"swappiness": 300}}), id)
	r.fails([]string{"--resources", ":1:11: memory: want an object, got string"}, "update", "-r",
		jsonFile(t, map[string]any{"memory": "x"}), id)
	values(t, id, before...)
	r.ok("update", "--memory-swap", "96m", id)
	if o := r.do("update", id); o.status != 0 || !strings.Contains(o.stderr, "no limit was given") {
		t.Errorf("%+v", o)
	}
	values(t, id, limitFile{"memory.limit_in_bytes", "67108864", "memory.max", "67108864"},
		limitFile{"memory.memsw.limit_in_bytes", "100663296", "memory.swap.max", "33554432"})
	r.ok("kill", id, "KILL")
	r.awaitStatus(id, "stopped")
	r.fails([]string{"cannot update container " + id, "container not running: it is stopped"}, "update", "--pids-limit",
		"9", id)
	r.ok("delete", id)
	r.fails([]string{"container does not exist"}, "update", "--pids-limit", "9", id)
}

func jsonFile(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(testenv.Dir(t), "resources.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// probing prints in a loop whether a device can be opened for reading, and for writing.
const probing = `while :; do a=no; b=no; ( : < /dev/log ) 2>/dev/null && a=yes; ( : >> /dev/log ) 2>/dev/null && b=yes; echo "$a $b" > /tmp/new; mv /tmp/new /tmp/answer; sleep 0.01; done`

// TestUpdateOfDevices (DV08, DV09): the rules of a running container change immediately, by v1's lists or v2's program,
// and an update without rules keeps them.
func TestUpdateOfDevices(t *testing.T) {
	views(t, func(t *testing.T, r *runtime) {
		id := testenv.ID(t)
		rules := func(access string) map[string]any {
			return map[string]any{"devices": []any{map[string]any{"allow": false, "access": "rwm"},
				map[string]any{"allow": true, "type": "c", "major": 1, "minor": 11, "access": access}}}
		}
		bundle := shell(t, probing, func(c map[string]any) {
			inOwnGroup(id, rules("r"))(c)
			// Of the devices that exist everywhere, the kernel's log is the one that no container gets by default.
			linux(c)["devices"] = []any{map[string]any{"path": "/dev/log", "type": "c", "major": 1, "minor": 11,
				"fileMode": 0o666}}
			sets := process(c)["capabilities"].(map[string]any)
			for _, set := range []string{"bounding", "effective", "permitted"} {
				sets[set] = append(sets[set].([]any), "CAP_SYSLOG") // to read it
			}
		})
		answer := func(want string) {
			t.Helper()
			eventually(t, "the answer "+want, func() bool {
				data, err := os.ReadFile(filepath.Join(rootOf(t, bundle), "tmp/answer"))
				return err == nil && strings.TrimSpace(string(data)) == want
			})
		}
		r.ok("run", "--detach", "-b", bundle, id)
		answer("yes no")
		r.ok("update", "-r", jsonFile(t, rules("w")), id)
		answer("no yes")
		r.ok("update", "-r", jsonFile(t, map[string]any{"devices": []any{}}), id)
		r.ok("update", "-r", jsonFile(t, rules("w")), id)
		answer("no yes")
		r.ok("update", "-r", jsonFile(t, rules("r")), id)
		answer("yes no")
		r.ok("delete", "--force", id)
	})
}

// TestUpdateOnV2 (UP06, CG07, CG21): a limit that only v1 has is an error that names it, and so is a missing
// controller, and nothing changes.
func TestUpdateOnV2(t *testing.T) {
	testenv.Tool(t, "unshare", "util-linux")
	r, id := newRuntime(t), testenv.ID(t)
	r.wrap = inV2
	r.ok("run", "--detach", "-b", shell(t, "sleep 1000", inOwnGroup(id, nil)), id)
	r.fails([]string{id, "swappiness cannot be expressed on cgroup v2"}, "update", "-r",
		jsonFile(t, map[string]any{"memory": map[string]any{"swappiness": 3}}), id)
	r.fails([]string{id, "real-time cpu cannot be expressed on cgroup v2"}, "update", "--cpu-rt-runtime", "1000", id)
	r.fails([]string{id, "nonsense.max", "nonsense is not enabled here"}, "update", "-r",
		jsonFile(t, map[string]any{"unified": map[string]any{"nonsense.max": "1"}}), id)
	r.ok("delete", "--force", id)
}

// blockDevice returns the number of some block device of this host.
func blockDevice(t testing.TB) (major, minor int) {
	t.Helper()
	all, err := filepath.Glob("/sys/block/*/dev")
	if err != nil || len(all) == 0 {
		t.Skip("this host has no block device")
	}
	data, err := os.ReadFile(all[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(data), "%d:%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major, minor
}

// TestUpdateOfDevicesAndPages (CG17, CG18, UP06): limits of one block device and of huge pages, with the version in
// which this host has the controllers; a hybrid host often has them in different ones.
func TestUpdateOfDevicesAndPages(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	if _, err := os.Stat("/sys/kernel/mm/hugepages/hugepages-2048kB"); err != nil {
		t.Skip("this machine has no huge pages of 2 MiB")
	}
	major, minor := blockDevice(t)
	limits := func(rate, pages int) map[string]any {
		return map[string]any{
			"hugepageLimits": []any{map[string]any{"pageSize": "2MB", "limit": pages}},
			"blockIO": map[string]any{"throttleReadBpsDevice": []any{map[string]any{"major": major, "minor": minor,
				"rate": rate}}},
		}
	}
	check := func(rate, pages string) {
		t.Helper()
		for _, file := range [][2]string{{"hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max"},
			{"hugetlb.2MB.rsvd.limit_in_bytes", "hugetlb.2MB.rsvd.max"}} {
			values(t, id, limitFile{file[0], pages, file[1], pages})
		}
		got, _, _ := limitFile{v1: "blkio.throttle.read_bps_device", v2: "io.max"}.read(t, id)
		if rate == "" && got != "" || !strings.Contains(got, rate) {
			t.Errorf("the device's limit is %q, want %q", got, rate)
		}
	}
	r.ok("run", "--detach", "-b", shell(t, "sleep 1000", inOwnGroup(id, limits(1048576, 4<<20))), id)
	check("1048576", "4194304")
	r.ok("update", "-r", jsonFile(t, limits(2097152, 8<<20)), id)
	check("2097152", "8388608")
	r.ok("update", "-r", jsonFile(t, limits(0, 8<<20)), id)
	check("", "8388608")
	r.fails([]string{id, "huge page size", "../2MB"}, "update", "-r", jsonFile(t,
		map[string]any{"hugepageLimits": []any{map[string]any{"pageSize": "../2MB"}}}), id)
	r.ok("delete", "--force", id)
}

// TestUpdateByEffect: a limit of tasks stops the next fork, and one of memory kills a process that exceeds it.
func TestUpdateByEffect(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		limit  []string
		want   string
	}{
		"pids": {"( : )", []string{"--pids-limit", "0"}, "can't fork"},
		"memory": {"dd if=/dev/zero of=/dev/null bs=96M count=1 2>/dev/null; echo status $?",
			[]string{"--memory", "48m", "--memory-swap", "48m"}, "status 137"},
	} {
		t.Run(name, func(t *testing.T) {
			r, id := newRuntime(t), testenv.ID(t)
			bundle := shell(t, "exec 2>&1; while [ ! -e /tmp/go ]; do :; done; "+c.script+"; echo over",
				func(config map[string]any) {
					inOwnGroup(id, nil)(config)
					config["ociVersion"] = "1.3.0" // from this version on a limit of zero tasks means zero
				})
			cmd := r.command("run", "-b", bundle, id)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			start(t, cmd)
			r.awaitRunning(id)
			r.ok(append(append([]string{"update"}, c.limit...), id)...)
			if err := os.WriteFile(filepath.Join(rootOf(t, bundle), "tmp/go"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			newLines(out).want(t, c.want)
			_ = cmd.Wait()
		})
	}
}

// awaitRunning waits for a container that another command creates.
func (r *runtime) awaitRunning(id string) {
	r.t.Helper()
	eventually(r.t, id+" is running", func() bool { return strings.Contains(r.do("state", id).stdout, `"running"`) })
}

// TestIntelRdt (CG33, UP04): on a host without resctrl a container that needs a class is an error, and nothing of it is
// left; a container without a class cannot change it.
func TestIntelRdt(t *testing.T) {
	data, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), " resctrl ") {
		t.Skip("resctrl is mounted on this host")
	}
	r, id := newRuntime(t), testenv.ID(t)
	r.fails([]string{"linux.intelRdt: no resctrl file system is mounted on this host"}, "run", "-b",
		shell(t, "exit 0", func(c map[string]any) {
			inOwnGroup(id, nil)(c)
			linux(c)["intelRdt"] = map[string]any{"memBwSchema": "MB:0=50"}
		}), id)
	if left := groupsNamed(t, testenv.CgroupParent()+"/"+id); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	r.ok("create", "-b", shell(t, "exit 0", nil), id)
	r.fails([]string{id, "no class of cache and memory bandwidth"}, "update", "--mem-bw-schema", "MB:0=50", id)
	r.fails([]string{id, "memBwSchema", "does not begin with"}, "update", "--mem-bw-schema", "L3:0=f", id)
	r.ok("delete", id)
}

// TestUpdateWithoutLimits: an update without limits changes nothing and succeeds, as with runc, and says so.
func TestUpdateWithoutLimits(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "exit 0", nil), id)
	for _, args := range [][]string{{id}, {"--kernel-memory", "5", id}} {
		o := r.do(append([]string{"update"}, args...)...)
		if o.status != 0 || o.stdout != "" || strings.Count(o.stderr, "\n") != 1 ||
			!strings.Contains(o.stderr, "level=warning") || !strings.Contains(o.stderr, "no limit was given") {
			t.Errorf("update %v: %+v", args, o)
		}
	}
	r.ok("delete", "--force", id)
}
