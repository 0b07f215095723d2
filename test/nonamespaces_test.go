package test

import (
	"fmt"
	"os"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestWithoutNamespaces: what linux.namespaces does not list is the runtime's own, where nothing in the configuration
// would change it for the host (runtime-spec config-linux.md, "Namespaces").
func TestWithoutNamespaces(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "exec sleep 1000", func(c map[string]any) {
		delete(c, "mounts")
		delete(c, "hostname")
		for _, property := range []string{"namespaces", "maskedPaths", "readonlyPaths"} {
			delete(linux(c), property)
		}
	})
	r.ok("create", "--bundle", bundle, id)
	pid := int(r.stateOf(id)["pid"].(float64))
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		must(t, err)
		// Of this thread: the process's first one may be that of a test which has left it in a namespace of its own.
		if ours, err := os.Readlink("/proc/thread-self/ns/" + kind); err != nil || ours != theirs {
			t.Errorf("%s: %s, and ours is %s (%v)", kind, theirs, ours, err)
		}
	}
	r.ok("delete", "--force", id)
}
