package cgroupfs

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// OOM says what the kernel's out-of-memory killer has done to a group.
type OOM struct {
	Kills uint64 // processes that it killed: on v1 of the group, on v2 of those below it too
	Limit int64  // the group's own limit of memory in bytes; -1 for none
	file  string // that Kills was read from
}

// String names the limit and the file, for the error of a process that may have been killed for it. It is empty if
// nothing was killed.
func (o OOM) String() string {
	switch {
	case o.Kills == 0:
		return ""
	case o.Limit < 0:
		return fmt.Sprintf("possibly killed because the host was out of memory: %s oom_kill %d", o.file, o.Kills)
	}
	return fmt.Sprintf("possibly killed by the memory limit of %d bytes: %s oom_kill %d", o.Limit, o.file, o.Kills)
}

// OOM reads memory.events (v2) or memory.oom_control (v1, Linux 4.13). Without a memory controller, or if the group is
// gone, it reports that nothing was killed.
func (g *Group) OOM() (OOM, error) {
	h := g.layout.controllerHierarchy("memory")
	if h == nil {
		return OOM{Limit: -1}, nil
	}
	m := g.member(h)
	if m == nil {
		return OOM{Limit: -1}, nil
	}
	file, limit := "memory.oom_control", "memory.limit_in_bytes"
	if h.V2 {
		file, limit = "memory.events", "memory.max"
	}
	o := OOM{Limit: -1, file: file}
	text, err := m.dir.read(file)
	if err != nil {
		return o, ignoreGone(err)
	}
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			if o.Kills, err = strconv.ParseUint(strings.TrimSpace(n), 10, 64); err != nil {
				return o, fmt.Errorf("%s: %w", path.Join(m.dir.name, file), err)
			}
		}
	}
	if text, err = m.dir.read(limit); err != nil {
		return o, ignoreGone(err)
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil && n < unlimited {
		o.Limit = n
	}
	return o, nil
}

// unlimited is a bound from which on a v1 limit means none: the kernel shows the greatest multiple of the page size,
// whatever that is (mm/page_counter.c, PAGE_COUNTER_MAX).
const unlimited = 1<<63 - 1<<16

// OOMKilled reports whether the out-of-memory killer has killed a process of the group.
func (g *Group) OOMKilled() (bool, error) {
	o, err := g.OOM()
	return o.Kills > 0, err
}
