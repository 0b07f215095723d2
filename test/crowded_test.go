package test

import (
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestExecNearTheLimitOfTasks: exec needs room for no more tasks than its program has, and none if the limit is
// reached, because that is when an administrator wants to look inside.
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
			// In the end it is in the group, in every mounted hierarchy.
			for line := range strings.Lines(o.stdout) {
				if !(strings.HasPrefix(line, "0::") && !hasV2(t)) && !strings.Contains(line, testenv.CgroupParent()) {
					t.Errorf("limit %d: %s", limit, line)
				}
			}
		}
		r.ok("delete", "--force", id)
	}
}
