package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci/state"
)

// deleteDamaged removes a container whose state cannot be read. It relies on what else is known: the state before
// its last change, or else the process that listens at the start gate and the group that a container of this id has
// by default. If nothing is known it still removes the state, which is of no use any more, and the error says what
// may be left.
func (r *Runtime) deleteDamaged(id string) error {
	dir, err := r.lock(id, true)
	if errors.Is(err, state.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	if s, err := dir.Load(); err == nil { // repaired meanwhile
		return r.destroy(dir, s)
	}
	gate := dir.Path(gateName)
	if s := dir.Spare(); s != nil {
		if s.PID == 0 {
			s.PID, s.StartTime = listener(gate)
		}
		return r.destroy(dir, s)
	}
	s := &state.State{ID: id}
	s.PID, s.StartTime = listener(gate)
	group, err := r.defaultGroup(id)
	if err != nil {
		return err
	}
	if s.PID == 0 && group == "" {
		if err := dir.Remove(); err != nil {
			return err
		}
		return fmt.Errorf("container %s: its state was damaged, and so was the copy beside it: both are removed, "+
			"but nothing tells of its process and its control group, which may be left "+
			"(nobody listens at %s, and there is no cgroup /handfast/%s)", id, gate, id)
	}
	theirs := []*cgroupfs.Intent(nil)
	if group == "" {
		theirs, err = groupsOf(s.PID)
	}
	s.CgroupPath = group
	if err == nil {
		err = r.destroy(dir, s)
	}
	if err == nil && len(theirs) > 0 {
		err = r.removeIfEmpty(theirs)
	}
	return err
}

// listener returns the process that waits at a start gate, and when it started. It returns zeros if there is none.
// To a client that connects to a Unix socket, the kernel reports the process that last called listen(2) on the
// socket (SO_PEERCRED, unix(7)), which is the one that waits there.
func listener(gate string) (pid int, started uint64) {
	dir, err := unix.Open(filepath.Dir(gate), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0
	}
	defer unix.Close(dir)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, 0
	}
	defer unix.Close(fd)
	// A socket address has room for 107 bytes; the path of a root directory may be longer.
	if unix.Connect(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(gate))}) != nil {
		return 0, 0
	}
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || cred.Pid <= 0 || int(cred.Pid) == os.Getpid() {
		return 0, 0
	}
	started, alive, err := state.ProcessStart(int(cred.Pid))
	if err != nil || !alive {
		return 0, 0
	}
	return int(cred.Pid), started
}

// defaultGroup returns the path of the group that a container without linux.cgroupsPath has, or "" if there is no
// such group.
func (r *Runtime) defaultGroup(id string) (string, error) {
	layout, err := r.host()
	if err != nil {
		return "", err
	}
	path := "/handfast/" + id
	g, err := cgroupfs.Load(layout, cgroupfs.Saved{Path: path})
	if err != nil {
		return "", err
	}
	defer g.Close()
	if len(g.Dirs()) == 0 {
		return "", nil
	}
	return path, nil
}

// groupsOf returns the groups that a process is in. They may not belong to the container, so they are removed only
// if they are empty.
func groupsOf(pid int) (all []*cgroupfs.Intent, err error) {
	if pid == 0 {
		return nil, nil
	}
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) == 3 && f[2] != "/" {
			all = append(all, &cgroupfs.Intent{Path: f[2], Missing: map[string]int{f[1]: 1}})
		}
	}
	return all, err
}

// leavePatience bounds how long removeIfEmpty waits for processes that have just ended to leave the groups.
const leavePatience = 200 * time.Millisecond

// removeIfEmpty removes the groups that have no processes. A process that has just ended stays in its group for a
// moment.
func (r *Runtime) removeIfEmpty(groups []*cgroupfs.Intent) error {
	layout, err := r.host()
	for end := time.Now().Add(leavePatience); err == nil && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, in := range groups {
			err = Join(err, in.Undo(layout))
		}
	}
	return err
}
