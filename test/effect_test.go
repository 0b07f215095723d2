package test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// effects returns a runtime for the tests of what limits do, not of the files that hold them. These tests need every
// controller, and a machine without other load.
func effects(t *testing.T) (*runtime, string) {
	t.Helper()
	if !testenv.Virtual() {
		t.Skip("runs in the virtual machine only: make test-vm")
	}
	return newRuntime(t), testenv.ID(t)
}

// TestEffectOfMemory: a process that exceeds the limit is killed, no more memory than that was used, and the group
// reports it.
func TestEffectOfMemory(t *testing.T) {
	r, id := effects(t)
	limit := map[string]any{"memory": map[string]any{"limit": 64 << 20, "swap": 64 << 20}}
	if got := r.do("run", "-b", bundleWithWork(t, id, limit, "hog", "32"), id); got.stdout != "survived\n" ||
		got.status != 0 {
		t.Errorf("32 MiB of 64: %+v", got)
	}
	o := r.do("run", "--keep", "-b", bundleWithWork(t, id, limit, "hog", "128"), id)
	if o.status != 137 || o.stdout != "" {
		t.Errorf("128 MiB of 64: %+v", o)
	}
	contains(t, fileOfVersion(t, id, "memory.oom_control", "memory.events"), "oom_kill 1")
	// The kernel charges a page or two that it needs beyond the limit (mm/memcontrol.c, try_charge_memcg).
	if most := number(t, fileOfVersion(t, id, "memory.max_usage_in_bytes", "memory.peak")); most > 65<<20 {
		t.Errorf("%d bytes were used", most)
	}
	r.ok("delete", id)
}

// fileOfVersion returns the value of the file that this version of control groups has.
func fileOfVersion(t testing.TB, id, v1, v2 string) string {
	t.Helper()
	text, _, _ := limitFile{v1: v1, v2: v2}.read(t, id)
	return text
}

// TestEffectOfPids: a fork bomb stops at the limit. The worker's own threads count too, so the limit leaves room for
// them.
func TestEffectOfPids(t *testing.T) {
	r, id := effects(t)
	limit := map[string]any{"pids": map[string]any{"limit": 40}}
	forked := number(t, r.result(bundleWithWork(t, id, limit, "fork", "200"), id, "forked"))
	if forked < 10 || forked > 39 {
		t.Errorf("%d processes under a limit of 40", forked)
	}
	if forked := number(t, r.result(bundleWithWork(t, id, nil, "fork", "60"), id, "forked")); forked != 60 {
		t.Errorf("%d processes without a limit", forked)
	}
}

// TestEffectOfQuota: with a quota of a fifth of a processor a container gets about that in four seconds, and without
// one all of it.
func TestEffectOfQuota(t *testing.T) {
	r, id := effects(t)
	limit := map[string]any{"cpu": map[string]any{"quota": 20000, "period": 100000}}
	if ms := number(t, r.result(bundleWithWork(t, id, limit, "spin", "4"), id, "spun")); ms < 600 || ms > 1000 {
		t.Errorf("%d ms of 4 s with a quota of a fifth", ms)
	}
	if ms := number(t, r.result(bundleWithWork(t, id, nil, "spin", "4"), id, "spun")); ms < 2400 {
		t.Errorf("%d ms of 4 s without a quota", ms)
	}
}

// TestEffectOfShares: of two containers on the same processor, one gets three times as much as the other.
func TestEffectOfShares(t *testing.T) {
	r, _ := effects(t)
	var pids [2]int
	for i, shares := range []int{1024, 3072} {
		id := testenv.ID(t)
		limit := map[string]any{"cpu": map[string]any{"shares": shares, "cpus": "1"}}
		r.ok("run", "--detach", "-b", bundleWithWork(t, id, limit, "spin", "600"), id)
		defer r.ok("delete", "--force", id)
		pids[i] = int(r.stateOf(id)["pid"].(float64))
	}
	// Only while both run, how much each gets depends on the shares.
	first := [2]int{ticks(t, pids[0]), ticks(t, pids[1])}
	eventually(t, "both spin", func() bool { return ticks(t, pids[0]) > first[0]+10 && ticks(t, pids[1]) > first[1]+10 })
	before := [2]int{ticks(t, pids[0]), ticks(t, pids[1])}
	time.Sleep(4 * time.Second)
	got := [2]int{ticks(t, pids[0]) - before[0], ticks(t, pids[1]) - before[1]}
	if ratio := float64(got[1]) / float64(max(got[0], 1)); ratio < 2 || ratio > 4.5 {
		t.Errorf("%d and %d ticks, %.1f times as much, want 3 times", got[0], got[1], ratio)
	}
}

// ticks is the time that a process has spent on a processor, proc_pid_stat(5).
func ticks(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	// utime and stime, counted from the state, which follows the name in parentheses.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	return number(t, fields[11]) + number(t, fields[12])
}

// TestEffectOfCpuset: a container that is pinned to a processor runs on no other.
func TestEffectOfCpuset(t *testing.T) {
	r, id := effects(t)
	for cpus, want := range map[string]string{"1": "1", "0": "0", "0-1": "0 1"} {
		limit := map[string]any{"cpu": map[string]any{"cpus": cpus}}
		if got := r.result(bundleWithWork(t, id, limit, "where", "500"), id, "ran on"); got != want {
			t.Errorf("cpus %s: ran on %s", cpus, got)
		}
	}
}

// TestEffectOfIO: 4 MiB at 1 MiB per second take about four seconds, and much less without the limit.
func TestEffectOfIO(t *testing.T) {
	r, id := effects(t)
	dir, err := os.MkdirTemp("/var/tmp", "handfast-test-") // on the disk
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	limit := map[string]any{"blockIO": map[string]any{"throttleWriteBpsDevice": []any{
		map[string]any{"major": unix.Major(st.Dev), "minor": unix.Minor(st.Dev), "rate": 1 << 20},
	}}}
	writing := func(resources map[string]any) int {
		bundle := bundleWithWork(t, id, resources, "write", "4", "/data/file")
		edit(t, bundle, func(c map[string]any) { addMount(c, "/data", "bind", dir, "bind") })
		return number(t, r.result(bundle, id, "wrote"))
	}
	if ms := writing(limit); ms < 3000 || ms > 8000 {
		t.Errorf("4 MiB in %d ms at 1 MiB in a second", ms)
	}
	if ms := writing(nil); ms > 2500 {
		t.Errorf("4 MiB in %d ms without a limit", ms)
	}
}

// TestEffectOfHugePages: a container gets no more huge pages than the limit allows.
func TestEffectOfHugePages(t *testing.T) {
	r, id := effects(t)
	limit := map[string]any{"hugepageLimits": []any{map[string]any{"pageSize": "2MB", "limit": 3 * (2 << 20)}}}
	if got := r.result(bundleWithWork(t, id, limit, "pages", "8"), id, "took"); got != "3" {
		t.Errorf("%s huge pages under a limit of 3", got)
	}
	if got := r.result(bundleWithWork(t, id, nil, "pages", "8"), id, "took"); got != "8" {
		t.Errorf("%s huge pages without a limit", got)
	}
}

// TestEffectOfCapSysResource: with that capability a container can have a limit above that of this process, and a lower
// oom_score_adj.
func TestEffectOfCapSysResource(t *testing.T) {
	r, id := effects(t)
	var have unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &have); err != nil {
		t.Fatal(err)
	}
	more := have.Max + 1000
	bundle := shell(t, "cat /proc/self/oom_score_adj; ulimit -Hn", func(c map[string]any) {
		process(c)["oomScoreAdj"] = -500
		process(c)["rlimits"] = []any{map[string]any{"type": "RLIMIT_NOFILE", "soft": 100, "hard": more}}
	})
	if o := r.do("run", "-b", bundle, id); o.stdout != fmt.Sprintf("-500\n%d\n", more) || o.status != 0 {
		t.Errorf("%+v, want -500 and %d", o, more)
	}
}
