package cgroupfs

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Stuck returns an error if a process that was killed cannot end because v1's freezer holds it. The error names the
// frozen group, which is the process's own or one above it. A process that is gone is not stuck, nor is one that v2 has
// frozen, because SIGKILL reaches it.
func (l *Layout) Stuck(pid int) error {
	h := l.controllerHierarchy("freezer")
	if h == nil || h.V2 || !slices.Contains(h.Controllers, "freezer") {
		return nil
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil //nolint:nilerr // it is gone
	}
	groups, err := parseOwn(string(text))
	if err != nil {
		return err
	}
	group := strings.TrimPrefix(groups[h.Name], "/")
	if group == "" {
		return nil // the root is never frozen
	}
	m := member{h: h}
	var found bool
	if m.dir, found, err = openGroup(h, group); err != nil || !found {
		return ignoreGone(err)
	}
	defer m.dir.close()
	if s, err := m.freezeState(); err != nil || s == thawed {
		return ignoreGone(err)
	}
	where := m.dir.name
	if self, err := m.dir.read("freezer.self_freezing"); err != nil || strings.TrimSpace(self) != "1" {
		if above := m.frozenAbove(); above != "" {
			where = above
		}
	}
	return fmt.Errorf("process %d was killed and cannot end: it is in the cgroup %s, which is frozen "+
		"(thaw it: echo THAWED >%s/freezer.state): %w", pid, where, where, unix.EBUSY)
}
