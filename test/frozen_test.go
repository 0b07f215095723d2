package test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestFrozenElsewhere: a process that was moved to a frozen group of v1 cannot be killed. delete names the group at
// once instead of waiting in vain, and succeeds after the group is thawed.
func TestFrozenElsewhere(t *testing.T) {
	const freezer = "/sys/fs/cgroup/freezer"
	if !isDir(freezer) {
		t.Skip("needs the freezer of cgroup v1: on v2 SIGKILL ends a frozen process")
	}
	for name, moved := range map[string]func(pid string) string{
		"the first process": func(pid string) string { return pid },
		"another one":       func(pid string) string { return child(t, pid) },
	} {
		t.Run(name, func(t *testing.T) {
			r, id := newRuntime(t), testenv.ID(t)
			shared := func(c map[string]any) { removeNamespace(c, "pid") }
			r.ok("run", "--detach", "-b", shell(t, "sleep 1000 & wait", shared), id)
			other := filepath.Join(freezer, testenv.CgroupParent(), testenv.ID(t))
			must(t, os.MkdirAll(other, 0o755))
			pid := moved(strconv.Itoa(int(r.stateOf(id)["pid"].(float64))))
			must(t, os.WriteFile(filepath.Join(other, "cgroup.procs"), []byte(pid), 0))
			must(t, os.WriteFile(filepath.Join(other, "freezer.state"), []byte("FROZEN"), 0))
			r.fails([]string{"process " + pid, other, "frozen", "THAWED"}, "delete", "--force", id)
			must(t, os.WriteFile(filepath.Join(other, "freezer.state"), []byte("THAWED"), 0))
			r.ok("delete", "--force", id)
			eventually(t, "the other group is empty", func() bool { return os.Remove(other) == nil })
		})
	}
}

// child returns the first child of a process.
func child(t testing.TB, pid string) (found string) {
	t.Helper()
	eventually(t, "it has a child", func() bool {
		data, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
		for _, b := range data {
			if b == ' ' {
				break
			}
			found += string(b)
		}
		return err == nil && found != ""
	})
	return found
}
