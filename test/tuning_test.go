package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// treatment is the scheduling and memory settings of a process, in a form that tests compare.
type treatment struct {
	persona, memory, scheduler, io, processors string
}

func treatmentOf(t testing.TB, pid int) (out treatment) {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(proc, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	out.persona = strings.TrimSpace(read("personality"))
	// The first area has the thread's policy: programs set none for single areas.
	out.memory = strings.Fields(read("numa_maps"))[1]
	for line := range strings.Lines(read("status")) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:\t"); ok {
			out.processors = strings.TrimSpace(list)
		}
	}
	a, err := unix.SchedGetAttr(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	out.scheduler = fmt.Sprintf("policy %d nice %d priority %d", a.Policy, a.Nice, a.Priority)
	if a.Policy == 6 { // SCHED_DEADLINE; for others it is a time slice, since Linux 6.12
		out.scheduler += fmt.Sprintf(" runtime %d deadline %d period %d", a.Runtime, a.Deadline, a.Period)
	}
	io, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, 1, uintptr(pid), 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	out.io = fmt.Sprintf("class %d level %d", io>>13, io&7)
	return out
}

// sleeping starts a container that sleeps, and returns the id of its first process.
func (r *runtime) sleeping(edit func(config map[string]any)) (id string, pid int) {
	r.t.Helper()
	id, _ = r.sleeper(edit)
	return id, int(r.stateOf(id)["pid"].(float64))
}

// joining executes another process that sleeps, and returns its id.
func (r *runtime) joining(id string, args ...string) int {
	r.t.Helper()
	file := filepath.Join(testenv.Dir(r.t), "pid")
	all := append([]string{"exec", "--detach", "--pid-file", file}, args...)
	if all = append(all, id); !strings.Contains(strings.Join(args, " "), "--process") {
		all = append(all, "/bin/sleep", "1000")
	}
	if o := r.do(all...); o != (outcome{}) {
		r.t.Fatalf("%+v", o)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	return number(r.t, string(data))
}

// processFile returns a file for exec --process: a process that sleeps, with these properties.
func processFile(t testing.TB, properties map[string]any) string {
	t.Helper()
	p := map[string]any{"args": []string{"/bin/sleep", "1000"}, "cwd": "/", "user": map[string]any{"uid": 0, "gid": 0}}
	maps.Copy(p, properties)
	data, err := json.Marshal(p)
	file := filepath.Join(testenv.Dir(t), "process.json")
	if err == nil {
		err = os.WriteFile(file, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTreatmentByTheKernel (PR14 to PR16, LS02, LS03) checks personality, memory policy, scheduler and I/O priority of
// a container, with and without a user namespace, and of the processes that join it.
func TestTreatmentByTheKernel(t *testing.T) {
	r := newRuntime(t)
	want := treatment{"00000008", "bind:0", "policy 3 nice 5 priority 0", "class 2 level 3", ""}
	for name, user := range map[string]bool{"without": false, "with": true} {
		id, pid := r.sleeping(func(c map[string]any) {
			linux(c)["personality"] = map[string]any{"domain": "LINUX32"}
			linux(c)["memoryPolicy"] = map[string]any{"mode": "MPOL_BIND", "nodes": "0"}
			process(c)["scheduler"] = map[string]any{"policy": "SCHED_BATCH", "nice": 5}
			process(c)["ioPriority"] = map[string]any{"class": "IOPRIO_CLASS_BE", "priority": 3}
			if user {
				testenv.MapIDs(c, hostIDs, 65536)
				process(c)["user"] = map[string]any{"uid": 1000, "gid": 1000}
			}
		})
		check := func(what string, pid int, want treatment) {
			t.Helper()
			got := treatmentOf(t, pid)
			if got.processors = ""; got != want {
				t.Errorf("%s %s a user namespace: %+v, want %+v", what, name, got, want)
			}
		}
		check("the container", pid, want)
		check("exec", r.joining(id), want)
		// Without properties of its own, the process has the container's.
		check("exec --process", r.joining(id, "--process", processFile(t, nil)), want)
		other := want
		other.scheduler, other.io = "policy 5 nice 0 priority 0", "class 3 level 0"
		check("exec --process with its own", r.joining(id, "--process", processFile(t, map[string]any{
			"scheduler": map[string]any{"policy": "SCHED_IDLE"}, "ioPriority": map[string]any{"class": "IOPRIO_CLASS_IDLE"},
		})), other)
		if got := strings.TrimSpace(r.inside(id, "uname -m")); strings.HasSuffix(got, "64") {
			t.Errorf("the processes see a machine of %s", got)
		}
	}
}

// TestRealtimeAndDeadline: policies that need rights over the host also work for a container in a user namespace, whose
// root does not have them: the runtime sets them from outside.
func TestRealtimeAndDeadline(t *testing.T) {
	r := newRuntime(t)
	for name, user := range map[string]bool{"without": false, "with": true} {
		for want, scheduler := range map[string]map[string]any{
			"policy 1 nice 0 priority 7":  {"policy": "SCHED_FIFO", "priority": 7},
			"policy 2 nice 0 priority 9":  {"policy": "SCHED_RR", "priority": 9, "flags": []string{"SCHED_FLAG_RESET_ON_FORK"}},
			"policy 0 nice -5 priority 0": {"policy": "SCHED_OTHER", "nice": -5},
			"policy 6 nice 0 priority 0 runtime 2000000 deadline 100000000 period 100000000": {
				"policy": "SCHED_DEADLINE", "runtime": 2000000, "deadline": 100000000, "period": 100000000},
		} {
			id, pid := r.sleeping(func(c map[string]any) {
				testenv.SetArgs(c, "/bin/sleep", "1000")
				process(c)["scheduler"] = scheduler
				process(c)["ioPriority"] = map[string]any{"class": "IOPRIO_CLASS_RT", "priority": 1}
				if user {
					testenv.MapIDs(c, hostIDs, 65536)
				}
				realtimeBudget(t, c)
			})
			for what, pid := range map[string]int{"the container": pid, "exec": r.joining(id)} {
				if got := treatmentOf(t, pid); got.scheduler != want || got.io != "class 1 level 1" {
					t.Errorf("%s %s a user namespace: %+v, want %s", what, name, got, want)
				}
			}
			r.ok("delete", "--force", id)
		}
	}
}

// realtimeBudget gives a container the budget that a realtime policy needs in a v1 cpu group, if the kernel has such
// budgets.
func realtimeBudget(t testing.TB, c map[string]any) {
	t.Helper()
	if _, err := os.Stat("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"); err != nil {
		return
	}
	linux(c)["resources"] = map[string]any{"cpu": map[string]any{"realtimeRuntime": 20000, "realtimePeriod": 1000000}}
	delete(linux(c), "cgroupsPath") // in the runtime's own group, which gets what is needed
}

// TestRealtimeBudget (CG13): groups that were created for the container, and the runtime's own, get the budget that the
// groups in them need. For other groups the error says what they have and what to do.
func TestRealtimeBudget(t *testing.T) {
	r := newRuntime(t)
	if _, err := os.Stat("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"); err != nil {
		words := "cpu.rt_runtime_us" // v1, on a kernel without such budgets
		if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
			words = "real-time cpu cannot be expressed on cgroup v2"
		}
		r.fails([]string{words}, "run", "-b", shell(t, "true", func(c map[string]any) {
			linux(c)["resources"] = map[string]any{"cpu": map[string]any{"realtimeRuntime": 20000}}
		}), testenv.ID(t))
		return
	}
	budget := func(pid int) string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cgroup"))
		for line := range strings.Lines(string(data)) {
			part := strings.SplitN(strings.TrimSpace(line), ":", 3)
			if len(part) == 3 && slices.Contains(strings.Split(part[1], ","), "cpu") {
				data, err = os.ReadFile(filepath.Join("/sys/fs/cgroup/cpu", part[2], "cpu.rt_runtime_us"))
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	with := func(runtime int, group string) func(c map[string]any) {
		return func(c map[string]any) {
			linux(c)["resources"] = map[string]any{"cpu": map[string]any{"realtimeRuntime": runtime}}
			if delete(linux(c), "cgroupsPath"); group != "" {
				linux(c)["cgroupsPath"] = group
			}
		}
	}
	for range 2 { // the second one finds the runtime's own group
		_, pid := r.sleeping(with(20000, ""))
		if got := budget(pid); got != "20000\n" {
			t.Errorf("without a cgroupsPath: %q", got)
		}
	}
	parent := testenv.CgroupParent() + "-rt" // which no other test has created
	id, pid := r.sleeping(with(20000, parent+"/a/b/c"))
	if got := budget(pid); got != "20000\n" {
		t.Errorf("three groups deep: %q", got)
	}
	r.ok("update", "--cpu-rt-runtime", "30000", id)
	if got := budget(pid); got != "30000\n" {
		t.Errorf("updated: %q", got)
	}
	for group, words := range map[string][]string{
		parent + "/a/b/d": {parent + "/a/b, has a realtime budget of 30000 us in 1000000", "40000 would be needed",
			"invalid argument"},
		"": {"/sys/fs/cgroup/cpu, has a realtime budget of"},
	} {
		runtime := 10000
		if group == "" {
			runtime = 999999
		}
		r.fails(words, "run", "-b", shell(t, "true", with(runtime, group)), testenv.ID(t))
	}
}

// TestExecCPUAffinity (PR17, PR18): a process that joins runs on the processors of "final", in its own configuration or
// the container's; the container's first process runs on all.
func TestExecCPUAffinity(t *testing.T) {
	r := newRuntime(t)
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	first := strconv.Itoa(firstProcessor())
	_, plain := r.sleeping(nil)
	every := treatmentOf(t, plain).processors
	id, pid := r.sleeping(func(c map[string]any) {
		// The kernel ignores processors that this machine does not have, even beyond 1024.
		process(c)["execCPUAffinity"] = map[string]any{"initial": first, "final": first + ",2000"}
	})
	if got := treatmentOf(t, pid).processors; got != every {
		t.Errorf("the container's first process runs on %s of %s", got, every)
	}
	if got := treatmentOf(t, r.joining(id)).processors; got != first {
		t.Errorf("exec runs on %s, want %s", got, first)
	}
	if got := treatmentOf(t, r.joining(id, "--process", processFile(t, nil))).processors; got != first {
		t.Errorf("exec --process runs on %s, want %s", got, first)
	}
	own := func(affinity map[string]any) string {
		return processFile(t, map[string]any{"execCPUAffinity": affinity})
	}
	if got := treatmentOf(t, r.joining(id, "--process", own(map[string]any{"initial": first}))).processors; got != every {
		t.Errorf("without a final one exec runs on %s, want %s", got, every)
	}
	// a group with so little room that the process joins it last
	crowded, _ := r.sleeping(func(c map[string]any) {
		process(c)["execCPUAffinity"] = map[string]any{"final": first}
		process(c)["scheduler"] = map[string]any{"policy": "SCHED_BATCH"}
		linux(c)["resources"] = map[string]any{"pids": map[string]any{"limit": 2}}
	})
	if got := treatmentOf(t, r.joining(crowded)); got.processors != first ||
		got.scheduler != "policy 3 nice 0 priority 0" {
		t.Errorf("in a crowded group: %+v, want processor %s", got, first)
	}
	for _, c := range []struct {
		affinity map[string]any
		words    []string
	}{
		{map[string]any{"final": "4000"}, []string{"processors", "sched_setaffinity [4000]", "invalid argument", "cpuset"}},
		{map[string]any{"initial": "4000"},
			[]string{"processors [4000] of the thread", "sched_setaffinity: invalid argument"}},
		{map[string]any{"initial": "0-"}, []string{"process.execCPUAffinity.initial", `"0-"`, "0-3,7"}},
	} {
		r.notStarted(c.words, "--process", own(c.affinity), id)
	}
}

// TestTreatmentThatIsRefused: a setting that the host does not allow is an error with what it needs, and nothing is
// left.
func TestTreatmentThatIsRefused(t *testing.T) {
	r := newRuntime(t)
	refused := func(words []string, edit func(c map[string]any)) {
		t.Helper()
		r.fails(words, "run", "-b", shell(t, "true", edit), testenv.ID(t))
	}
	refused([]string{"scheduler SCHED_DEADLINE, runtime 2000000 of 4000000 ns: sched_setattr: operation not permitted",
		"allow it only some of the host's processors"}, func(c map[string]any) {
		process(c)["scheduler"] = map[string]any{
			"policy": "SCHED_DEADLINE", "runtime": 2000000, "deadline": 3000000, "period": 4000000,
		}
		linux(c)["resources"] = map[string]any{"cpu": map[string]any{"cpus": strconv.Itoa(firstProcessor())}}
	})
	if _, err := os.Stat("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"); err == nil {
		refused([]string{"scheduler SCHED_FIFO, priority 1: sched_setattr: operation not permitted", "cpu.rt_runtime_us"},
			func(c map[string]any) {
				process(c)["scheduler"] = map[string]any{"policy": "SCHED_FIFO", "priority": 1}
			})
	}
}

// TestDefaultTreatment: explicit defaults, and properties without an effective value, change nothing.
func TestDefaultTreatment(t *testing.T) {
	r := newRuntime(t)
	_, plain := r.sleeping(nil)
	_, pid := r.sleeping(func(c map[string]any) {
		linux(c)["personality"] = map[string]any{"domain": "LINUX"}
		linux(c)["memoryPolicy"] = map[string]any{"mode": "MPOL_DEFAULT"}
		process(c)["scheduler"] = map[string]any{"policy": "SCHED_OTHER"}
		process(c)["execCPUAffinity"] = map[string]any{}
	})
	if a, b := treatmentOf(t, plain), treatmentOf(t, pid); a != b {
		t.Errorf("%+v without, %+v with the defaults", a, b)
	}
}
