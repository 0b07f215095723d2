package cgroupdriver

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/handfast/handfast/cgroupfs"
)

// AddSettled moves a process into a group after it has started up and waits for its configuration, so that the
// memory that it needed to start up is charged elsewhere (see SmallMemory).
func AddSettled(ctx context.Context, g *cgroupfs.Group, pid int) error {
	awaitSettled(ctx, pid)
	return g.Add(pid)
}

// awaitSettled returns when a process sleeps and touches no new memory, but after a second at the latest: this is a
// better moment to move the process, but not the only possible one.
func awaitSettled(ctx context.Context, pid int) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	path, before := "/proc/"+strconv.Itoa(pid)+"/stat", ""
	for {
		data, err := os.ReadFile(path)
		if err != nil {
			return
		}
		faults, asleep := parseFaults(string(data))
		if asleep && faults == before {
			return
		}
		if before = faults; !asleep {
			before = ""
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// parseFaults extracts from proc_pid_stat(5) the count of minor faults and whether the process sleeps. The name in
// parentheses may contain any character.
func parseFaults(stat string) (faults string, asleep bool) {
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(f) < 8 {
		return "", false
	}
	return f[7], f[0] == "S"
}
