package cgroupfs

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// TaskRoom is how many more tasks may begin in the group, by pids.max of its own and of the groups above it, as far as
// the mount shows them; limited is false where none of them has a limit. A group that holds more than its limit has a
// room below zero: only fork(2) is refused by it, and not the joining of a task (cgroup-v2.rst, "PID").
func (g *Group) TaskRoom() (room int64, limited bool, err error) {
	h := g.layout.find("pids")
	if h == nil {
		return 0, false, nil
	}
	m := g.member(h)
	if m == nil {
		return 0, false, nil
	}
	mount, err := openMount(h)
	if err != nil {
		return 0, false, err
	}
	defer mount.close()
	for _, p := range slices.Backward(prefixes(strings.TrimPrefix(m.dir.name, mount.name+"/"))) {
		n, has, err := roomAt(mount, p)
		if err != nil {
			return 0, false, err
		}
		if has && (!limited || n < room) {
			room, limited = n, true
		}
	}
	return room, limited, nil
}

// roomAt is the room of one group alone. A group without the controller has no limit.
func roomAt(mount dir, rel string) (room int64, limited bool, err error) {
	var value [2]int64
	for i, file := range [2]string{"pids.max", "pids.current"} {
		text, err := mount.read(join(rel, file))
		text = strings.TrimSpace(text)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || text == "max" {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		if value[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, false, fmt.Errorf("%s: %w", path.Join(mount.name, rel, file), err)
		}
	}
	return value[0] - value[1], true, nil
}
