package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// pidsDir returns a group of the test's own in the hierarchy that has the pids controller.
func pidsDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("/sys/fs/cgroup/pids", testenv.CgroupParent(), testenv.ID(t))
	if !isDir("/sys/fs/cgroup/pids") {
		dir = filepath.Join("/sys/fs/cgroup", testenv.CgroupParent(), testenv.ID(t))
		must(t, os.MkdirAll(dir, 0o755))
		for _, above := range []string{"/sys/fs/cgroup", filepath.Dir(dir)} {
			if err := os.WriteFile(above+"/cgroup.subtree_control", []byte("+pids"), 0); err != nil {
				t.Skipf("needs the pids controller: %v", err)
			}
		}
	}
	must(t, os.MkdirAll(dir, 0o755))
	t.Cleanup(func() { eventually(t, "the group is empty", func() bool { return os.Remove(dir) == nil }) })
	return dir
}

// TestOwnTasks: if the command itself can create too few threads, its error says so and names the limit; Go's runtime
// would end it with stack traces. Below five the start of Go's runtime fails.
func TestOwnTasks(t *testing.T) {
	r, dir := newRuntime(t), pidsDir(t)
	bundle := shell(t, "exit 0", nil)
	for limit := 5; limit <= 16; limit++ {
		must(t, os.WriteFile(dir+"/pids.max", []byte(strconv.Itoa(limit)), 0))
		for _, args := range []string{"help", "run -b " + bundle + " " + testenv.ID(t)} {
			cmd := r.command(strings.Fields(args)...)
			script := "echo $$ >" + dir + `/cgroup.procs; exec "$0" "$@"`
			cmd.Args = append([]string{"sh", "-c", script, cmd.Path}, cmd.Args[1:]...)
			cmd.Path = "/bin/sh"
			o := finish(t, cmd)
			if strings.Contains(o.stderr, "goroutine ") {
				t.Errorf("limit %d: %s: %s", limit, args, o.stderr)
			}
			if o.status != 0 {
				r.oneLine(o, []string{dir + "/pids.max", "tasks", "raise the limit"})
			}
			if limit > 12 && o.status != 0 {
				t.Errorf("limit %d: %s is refused: %s", limit, args, o.stderr)
			}
		}
	}
}

// TestOwnDescriptors: the same if the command can open too few files.
func TestOwnDescriptors(t *testing.T) {
	r := newRuntime(t)
	for limit := 3; limit <= 16; limit++ {
		cmd := r.command("help")
		script := fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit)
		cmd.Args = append([]string{"sh", "-c", script, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		o := finish(t, cmd)
		if o.status != 0 {
			r.oneLine(o, []string{"RLIMIT_NOFILE", strconv.Itoa(limit), "ulimit -n"})
		}
		if limit > 12 && o.status != 0 {
			t.Errorf("limit %d is refused: %s", limit, o.stderr)
		}
	}
}
