package test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/internal/testenv"
)

// newSystemd returns a runtime whose cgroups systemd creates. It skips the test if systemd is not process 1.
func newSystemd(t testing.TB) *runtime {
	t.Helper()
	comm, err := os.ReadFile("/proc/1/comm")
	if err != nil {
		t.Fatal(err)
	}
	if name := strings.TrimSpace(string(comm)); name != "systemd" {
		t.Skipf("process 1 is %s, not systemd: make test-vm runs this test in a virtual machine where it is", name)
	}
	return newRuntime(t, "--systemd-cgroup")
}

// show returns properties of a unit, as systemctl(1) prints them.
func show(t testing.TB, unit string, properties ...string) map[string]string {
	t.Helper()
	out, err := exec.Command("systemctl", "show", "-p", strings.Join(properties, ","), unit).CombinedOutput()
	if err != nil {
		t.Fatalf("systemctl show %s: %v\n%s", unit, err, out)
	}
	got := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if got[name] != "" { // a list has a line for each entry
			value = got[name] + "\n" + value
		}
		got[name] = value
	}
	return got
}

// checkShow compares properties of a unit.
func checkShow(t testing.TB, unit string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, show(t, unit, slices.Collect(maps.Keys(want))...)); diff != "" {
		t.Errorf("%s:\n%s", unit, diff)
	}
}

func systemctl(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
		t.Fatalf("systemctl %v: %v\n%s", args, err, out)
	}
}

// checkUnloaded checks that systemd does not know the unit any more, and that its group is gone.
func checkUnloaded(t testing.TB, unit, group string) {
	t.Helper()
	eventually(t, unit+" is unloaded and inactive", func() bool {
		got := show(t, unit, "LoadState", "ActiveState")
		// systemd knows every slice by its name.
		return (got["LoadState"] == "not-found" || strings.HasSuffix(unit, ".slice")) && got["ActiveState"] == "inactive"
	})
	if isDir("/sys/fs/cgroup" + group) {
		t.Errorf("the group %s is left", group)
	}
}

// inUnit returns a mutation that sets a unit and limits.
func inUnit(path string, resources map[string]any) func(map[string]any) {
	return func(c map[string]any) {
		linux(c)["cgroupsPath"] = path
		if resources != nil {
			linux(c)["resources"] = resources
		}
	}
}

// files compares files of a v2 group.
func files(t testing.TB, group string, want map[string]string) {
	t.Helper()
	for file, w := range want {
		data, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", group, file))
		if got := strings.TrimSpace(string(data)); err != nil || got != w {
			t.Errorf("%s is %q, %v; want %q", file, got, err, w)
		}
	}
}

var limits = map[string]any{
	"memory": map[string]any{"limit": 64 << 20, "reservation": 32 << 20, "swap": 64 << 20},
	"pids":   map[string]any{"limit": 50},
	"cpu":    map[string]any{"shares": 2048, "quota": 20000, "period": 50000, "cpus": "0"},
}

// TestSystemdScope (SD01, SD02, SD06): a container is in a scope with its limits, in systemd and in the group's files.
// It has the life cycle of any container, and nothing of the scope is left after it.
func TestSystemdScope(t *testing.T) {
	r, id := newSystemd(t), testenv.ID(t)
	unit, group := "hf-"+id+".scope", "/hf.slice/hf-test.slice/hf-"+id+".scope"
	r.ok("create", "-b", shell(t, "exec sleep 1000", inUnit("hf-test.slice:hf:"+id, limits)), id)
	checkShow(t, unit, map[string]string{
		"ActiveState": "active", "Slice": "hf-test.slice", "ControlGroup": group, "Delegate": "yes",
		"DefaultDependencies": "no", "Description": "handfast container " + id, "Transient": "yes",
		"MemoryAccounting": "yes", "CPUAccounting": "yes", "IOAccounting": "yes", "TasksAccounting": "yes",
		"MemoryMax": "67108864", "MemoryLow": "33554432", "MemorySwapMax": "0", "TasksMax": "50", "CPUWeight": "174",
		"CPUQuotaPerSecUSec": "400ms", "CPUQuotaPeriodUSec": "50ms", "AllowedCPUs": "0",
	})
	in := map[string]string{"memory.max": "67108864", "memory.low": "33554432", "pids.max": "50", "cpu.weight": "174",
		"cpu.max": "20000 50000", "cpuset.cpus": "0"}
	files(t, group, in)
	systemctl(t, "daemon-reload")
	files(t, group, in)
	r.ok("start", id)
	if got := r.inside(id, "cat /proc/self/cgroup"); got != "0::"+group+"\n" {
		t.Errorf("exec is in %q", got)
	}
	r.ok("pause", id)
	r.fails([]string{"paused", "resume it first"}, "update", "--pids-limit", "70", id)
	r.ok("resume", id)
	r.ok("kill", id, "KILL")
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)
	checkUnloaded(t, unit, group)
}

// TestSystemdUpdate: systemd gets new limits too, so they are still in force after it has reloaded its units.
func TestSystemdUpdate(t *testing.T) {
	r, id := newSystemd(t), testenv.ID(t)
	unit, group := "hf-"+id+".scope", "/system.slice/hf-"+id+".scope"
	r.ok("run", "-d", "-b", shell(t, "exec sleep 1000", inUnit(":hf:"+id, limits)), id)
	r.ok("update", "--memory", "128m", "--memory-swap", "256m", "--pids-limit", "70", "--cpu-share", "512", "--cpu-quota",
		"30000", id)
	checkShow(t, unit, map[string]string{"MemoryMax": "134217728", "MemorySwapMax": "134217728", "TasksMax": "70",
		"CPUQuotaPerSecUSec": "600ms", "MemoryLow": "33554432", "AllowedCPUs": "0"})
	in := map[string]string{"memory.max": "134217728", "pids.max": "70", "cpu.weight": "59", "cpu.max": "30000 50000",
		"memory.low": "33554432"}
	files(t, group, in)
	systemctl(t, "daemon-reload")
	files(t, group, in)
	r.ok("delete", "--force", id)
	checkUnloaded(t, unit, group)
}

// TestSystemdStop: systemctl stop ends the container.
func TestSystemdStop(t *testing.T) {
	r, id := newSystemd(t), testenv.ID(t)
	unit := "handfast-" + id + ".scope"
	r.ok("run", "-d", "-b", shell(t, "exec sleep 1000", func(c map[string]any) {
		delete(linux(c), "cgroupsPath")
		c["annotations"] = map[string]any{"org.systemd.property.TimeoutStopSec": "1",
			"org.systemd.property.Description": "'as annotated'"}
	}), id)
	checkShow(t, unit, map[string]string{"ActiveState": "active", "TimeoutStopUSec": "1s", "Description": "as annotated",
		"Slice": "system.slice"})
	systemctl(t, "stop", unit)
	r.awaitStatus(id, "stopped")
	r.ok("delete", id)
	checkUnloaded(t, unit, "/system.slice/"+unit)
}

// TestSystemdFailures: however a start fails, systemd keeps nothing of it, and the error says what is wrong.
func TestSystemdFailures(t *testing.T) {
	r := newSystemd(t)
	for what, c := range map[string]struct {
		words  []string
		change func(map[string]any)
	}{
		"program": {[]string{"no-such-program"},
			func(c map[string]any) { process(c)["args"] = []any{"/no-such-program"} }},
		"prestart hook": {[]string{"prestart"}, func(c map[string]any) { setHook(c, "prestart", 0, "/bin/false", "false") }},
		"property": {[]string{"unable to apply cgroup configuration: unable to start unit",
			"StartTransientUnit of hf-", "NoSuchProperty"}, func(c map[string]any) {
			c["annotations"] = map[string]any{"org.systemd.property.NoSuchProperty": "1"}
		}},
		"annotation": {[]string{"org.systemd.property.PIDs"},
			func(c map[string]any) { c["annotations"] = map[string]any{"org.systemd.property.PIDs": "[uint32 1]"} }},
		"path": {[]string{"linux.cgroupsPath", "slice:prefix:name"},
			func(c map[string]any) { linux(c)["cgroupsPath"] = "/a/b" }},
		"slice": {[]string{"linux.cgroupsPath", "empty part"},
			func(c map[string]any) { linux(c)["cgroupsPath"] = "a--b.slice:p:n" }},
	} {
		id := testenv.ID(t)
		bundle := shell(t, "exit 0", func(config map[string]any) {
			linux(config)["cgroupsPath"] = ":hf:" + id
			c.change(config)
		})
		t.Log(what)
		r.fails(c.words, "run", "-b", bundle, id)
		checkUnloaded(t, "hf-"+id+".scope", "/system.slice/hf-"+id+".scope")
	}
	if out, _ := exec.Command("systemctl", "list-units", "--all", "--failed", "--plain", "--no-legend", "hf-*",
		"handfast-*").Output(); len(out) > 0 {
		t.Errorf("failed units are left:\n%s", out)
	}
}

// TestSystemdTaken: an active unit with the same name is not changed.
func TestSystemdTaken(t *testing.T) {
	r, first, second := newSystemd(t), testenv.ID(t), testenv.ID(t)
	r.ok("run", "-d", "-b", shell(t, "exec sleep 1000", inUnit(":hf:"+first, nil)), first)
	r.fails([]string{"linux.cgroupsPath", "hf-" + first + ".scope exists and holds 1 processes"}, "run", "-b",
		shell(t, "exit 0", inUnit(":hf:"+first, nil)), second)
	r.awaitStatus(first, "running")
	r.ok("delete", "--force", first)
}

// TestSystemdDevices (SD03): the scope has the rules as far as systemd can express them, and the container's own are in
// force.
func TestSystemdDevices(t *testing.T) {
	r, id := newSystemd(t), testenv.ID(t)
	r.ok("run", "-d", "-b", shell(t, "exec sleep 1000", inUnit(":hf:"+id,
		map[string]any{"devices": []any{map[string]any{"allow": false, "access": "rwm"}}})), id)
	checkShow(t, "hf-"+id+".scope", map[string]string{"DevicePolicy": "strict"})
	contains(t, show(t, "hf-"+id+".scope", "DeviceAllow")["DeviceAllow"], "/dev/char/1:3 rwm", "char-pts rwm", "char-* m")
	use := func() {
		t.Helper()
		got := r.inside(id, "echo x > /dev/null && echo written; rm -f /dev/log; mknod /dev/log c 1 11 && echo made; cat "+
			"/dev/log 2>&1 || true", "--cap", "CAP_MKNOD")
		contains(t, got, "written", "made", "Operation not permitted")
	}
	use()
	systemctl(t, "daemon-reload")
	use()
	r.ok("delete", "--force", id)
}

// TestSystemdSub (SD09): with the annotation the container's processes, and those of exec, are in a group below the
// scope's.
func TestSystemdSub(t *testing.T) {
	r, id := newSystemd(t), testenv.ID(t)
	group := "/system.slice/hf-" + id + ".scope"
	r.ok("run", "-d", "-b", shell(t, "exec sleep 1000", func(c map[string]any) {
		inUnit(":hf:"+id, limits)(c)
		c["annotations"] = map[string]any{"run.oci.systemd.subgroup": "inner"}
	}), id)
	files(t, group, map[string]string{"cgroup.procs": "", "memory.max": "67108864", "pids.max": "50"})
	if got := r.inside(id, "cat /proc/self/cgroup"); got != "0::"+group+"/inner\n" {
		t.Errorf("exec is in %q", got)
	}
	if data, err := os.ReadFile("/sys/fs/cgroup" + group + "/inner/cgroup.controllers"); err != nil ||
		!strings.Contains(string(data), "memory") {
		t.Errorf("controllers of the group below: %q, %v", data, err)
	}
	r.ok("pause", id)
	r.awaitStatus(id, "paused")
	r.ok("delete", "--force", id)
	checkUnloaded(t, "hf-"+id+".scope", group)
}

// TestSystemdSlice: if the name ends in .slice, the container is in a slice of that name.
func TestSystemdSlice(t *testing.T) {
	r, id := newSystemd(t), testenv.ID(t)
	unit, group := "hfslice-inner.slice", "/hfslice.slice/hfslice-inner.slice"
	r.ok("run", "-d", "-b", shell(t, "exec sleep 1000", inUnit("::"+unit,
		map[string]any{"pids": map[string]any{"limit": 40}})), id)
	checkShow(t, unit, map[string]string{"ActiveState": "active", "ControlGroup": group, "TasksMax": "40"})
	if got := r.inside(id, "cat /proc/self/cgroup"); got != "0::"+group+"\n" {
		t.Errorf("exec is in %q", got)
	}
	r.ok("delete", "--force", id)
	checkUnloaded(t, unit, group)
	systemctl(t, "stop", "hfslice.slice")
}

// TestSystemdSmallMemory sets a memory limit that is too small for the child itself.
func TestSystemdSmallMemory(t *testing.T) {
	r, id := newSystemd(t), testenv.ID(t)
	bundle := shell(t, "exit 7", inUnit(":hf:"+id, map[string]any{"memory": map[string]any{"limit": 1 << 20},
		"pids": map[string]any{"limit": 1}}))
	if o := r.do("run", "-b", bundle, id); o.status != 7 {
		t.Errorf("%+v", o)
	}
	checkUnloaded(t, "hf-"+id+".scope", "/system.slice/hf-"+id+".scope")
}

// withoutBus points commands at a bus that does not exist.
func withoutBus(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent/bus")
	return cmd
}

// TestSystemdPrivate (SD05): without a bus, systemd's private socket is used.
func TestSystemdPrivate(t *testing.T) {
	r, id := newSystemd(t), testenv.ID(t)
	r.wrap = withoutBus
	r.ok("run", "-d", "-b", shell(t, "exec sleep 1000", inUnit(":hf:"+id, limits)), id)
	checkShow(t, "hf-"+id+".scope", map[string]string{"ActiveState": "active", "TasksMax": "50"})
	r.ok("update", "--pids-limit", "70", id)
	checkShow(t, "hf-"+id+".scope", map[string]string{"TasksMax": "70"})
	r.ok("delete", "--force", id)
	checkUnloaded(t, "hf-"+id+".scope", "/system.slice/hf-"+id+".scope")
}

// TestNobodyAnswers: without systemd, a container that needs it is an error before anything is created, and the error
// names the sockets that were tried.
func TestNobodyAnswers(t *testing.T) {
	if _, err := os.Stat("/run/systemd/private"); err == nil {
		t.Skip("this host has a systemd: TestSystemdPrivate finds it")
	}
	r, id := newRuntime(t, "--systemd-cgroup"), testenv.ID(t)
	r.wrap = withoutBus
	r.fails([]string{"--systemd-cgroup", "/nonexistent/bus", "/run/systemd/private", "no such file or directory"}, "run",
		"-b", shell(t, "exit 0", nil), id)
}
