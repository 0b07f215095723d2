package test

import (
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestExecNearTheLimitOfTasks: exec needs room for no more tasks than its program has, and none for that one where the
// limit is reached: that is when somebody wants to look.
func TestExecNearTheLimitOfTasks(t *testing.T) {
	r := newRuntime(t)
	for _, limit := range []int{1, 2, 3, 4, 5, 6, 8, 12, 20, 24} {
		id := testenv.ID(t)
		r.ok("run", "--detach", "-b", shell(t, "exec sleep 1000", func(c map[string]any) {
			linux(c)["resources"] = map[string]any{"pids": map[string]any{"limit": limit}}
		}), id)
		for range 3 {
			o := r.do("exec", id, "/bin/cat", "/proc/self/cgroup")
			if o.status != 0 || o.stderr != "" {
				t.Errorf("limit %d: %+v", limit, o)
			}
			// It is in the group in the end, in every hierarchy that is mounted.
			for line := range strings.Lines(o.stdout) {
				if !(strings.HasPrefix(line, "0::") && !hasV2(t)) && !strings.Contains(line, testenv.CgroupParent()) {
					t.Errorf("limit %d: %s", limit, line)
				}
			}
		}
		r.ok("delete", "--force", id)
	}
}
