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

// TaskRoom returns how many more tasks can be created in the group under its pids.max and those of the groups above it,
// as far as the mount shows them. limited is false if none of them has a limit. The room is negative in a group that
// holds more tasks than its limit: the limit makes fork(2) fail, but does not keep a task from joining (cgroup-v2.rst,
// "PID").
func (g *Group) TaskRoom() (room int64, limited bool, err error) {
	h := g.layout.controllerHierarchy("pids")
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

// roomAt returns the room under the limit of one group. A group without the controller has no limit.
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
