package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestCgroupIsThereForHooks: before the first hook the limits are set and the process is in its group.
func TestCgroupIsThereForHooks(t *testing.T) {
	r, id, dir := newRuntime(t), testenv.ID(t), testenv.Dir(t)
	bundle := shell(t, "exit 0", func(c map[string]any) {
		setHook(c, "prestart", 0, "/bin/sh", "sh", "-c",
			`pid=$(sed 's/.*"pid": *\([0-9]*\).*/\1/'); cat /proc/$pid/cgroup > `+dir+"/cgroup")
		linux(c)["resources"] = map[string]any{"pids": map[string]any{"limit": 64}}
	})
	if o := r.do("run", "-b", bundle, id); o != (outcome{}) {
		t.Errorf("%+v", o)
	}
	data, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	if err != nil || !strings.Contains(string(data), testenv.CgroupParent()+"/") {
		t.Errorf("%q, %v", data, err)
	}
}

// groupsNamed returns the control groups of the host, in any hierarchy, whose path ends in name.
func groupsNamed(t testing.TB, name string) []string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		point, kind, _ := strings.Cut(line, " - ")
		if f := strings.Fields(point); strings.HasPrefix(kind, "cgroup") && len(f) > 4 {
			if path := filepath.Join(f[4], name); isDir(path) {
				found = append(found, path)
			}
		}
	}
	return found
}

// hasV2 reports whether this host has mounted a v2 hierarchy. Every process is in one, at "0::/", even if it is not
// mounted.
func hasV2(t testing.TB) bool {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(data), " - cgroup2 ")
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// TestCgroupWithoutAPath: the group is /handfast/ID in every hierarchy, has the limits, and is removed with the
// container.
func TestCgroupWithoutAPath(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "exit 0", func(c map[string]any) {
		delete(linux(c), "cgroupsPath")
		linux(c)["resources"] = map[string]any{"memory": map[string]any{"limit": 64 << 20},
			"pids": map[string]any{"limit": 77}}
	}), id)
	groups := groupsNamed(t, "handfast/"+id)
	if len(groups) == 0 {
		t.Fatal("there is no group")
	}
	limits := map[string]string{"memory.limit_in_bytes": "67108864", "memory.max": "67108864", "pids.max": "77"}
	seen := 0
	for _, g := range groups {
		for file, want := range limits {
			if data, err := os.ReadFile(filepath.Join(g, file)); err == nil && strings.TrimSpace(string(data)) == want {
				seen++
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d limits are set in %v, want 2", seen, groups)
	}
	r.ok("delete", id)
	if left := groupsNamed(t, "handfast/"+id); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// background is a script that starts two processes, writes their pids to a file, and continues.
const background = "sleep 1000 & echo $! > /tmp/pids.new; sleep 1000 & echo $! >> /tmp/pids.new; mv /tmp/pids.new " +
	"/tmp/pids; "

// backgroundPIDs waits for those processes and returns their pids. If the test fails, it ends them itself.
func backgroundPIDs(t testing.TB, bundle string) []int {
	t.Helper()
	path, data := filepath.Join(rootOf(t, bundle), "tmp/pids"), []byte(nil)
	eventually(t, "the background processes", func() (there bool) {
		var err error
		data, err = os.ReadFile(path)
		return err == nil
	})
	var pids []int
	for f := range strings.FieldsSeq(string(data)) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	t.Cleanup(func() {
		for _, pid := range pids {
			if isSleep(pid) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	return pids
}

func isSleep(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && string(line) == "sleep\x001000\x00"
}

func awaitEnd(t testing.TB, pids []int) {
	t.Helper()
	eventually(t, "every process of the container has ended", func() bool { return !slices.ContainsFunc(pids, isSleep) })
}

// TestKillWithoutAPIDNamespace: SIGKILL ends every process of the container even without a pid namespace, and leaves
// none to delete.
func TestKillWithoutAPIDNamespace(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, background+"wait", func(c map[string]any) { removeNamespace(c, "pid") })
	r.ok("run", "--detach", "-b", bundle, id)
	pids := backgroundPIDs(t, bundle)
	r.ok("kill", id, "KILL")
	r.awaitStatus(id, "stopped")
	awaitEnd(t, pids)
	r.ok("delete", id)
}

// TestDeleteEndsWhatAStoppedContainerLeft: without a pid namespace, processes can outlive the first one. delete kills
// them, with and without force, because the group could not be removed otherwise, and managers delete a stopped
// container without force.
func TestDeleteEndsWhatAStoppedContainerLeft(t *testing.T) {
	for _, flags := range [][]string{nil, {"--force"}} {
		r, id := newRuntime(t), testenv.ID(t)
		bundle := shell(t, background+"exit 0", func(c map[string]any) { removeNamespace(c, "pid") })
		r.ok("run", "--detach", "-b", bundle, id)
		pids := backgroundPIDs(t, bundle)
		r.awaitStatus(id, "stopped")
		r.ok(append(append([]string{"delete"}, flags...), id)...)
		awaitEnd(t, pids)
	}
}

// TestRunEndsWhatTheContainerLeft: run in the foreground does the same, and reaps them too.
func TestRunEndsWhatTheContainerLeft(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, background+"exit 4", func(c map[string]any) { removeNamespace(c, "pid") })
	if o := r.do("run", "-b", bundle, id); o != (outcome{status: 4}) {
		t.Errorf("%+v", o)
	}
	awaitEnd(t, backgroundPIDs(t, bundle))
}

// TestGroupOfSomebodyElse: a group that already contains processes is not used.
func TestGroupOfSomebodyElse(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	same := func(c map[string]any) { linux(c)["cgroupsPath"] = testenv.CgroupParent() + "/" + id }
	r.ok("run", "--detach", "-b", shell(t, "sleep 1000", same), id)
	r.fails([]string{testenv.CgroupParent() + "/" + id}, "run", "-b", shell(t, "exit 0", same), testenv.ID(t))
	r.ok("delete", "--force", id)
}
