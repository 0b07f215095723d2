package lifecycle

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotRunning says that the container's process has ended. The words are runc's: container managers look for them.
var ErrNotRunning = errors.New("container not running")

// Kill sends a signal to the container's process. SIGKILL ends all of its processes: the kernel sees to that in a pid namespace of its own, and the group does elsewhere. A paused container is let go
// for that; any other signal waits there until it is resumed.
func (r *Runtime) Kill(id string, sig unix.Signal) error {
	s, err := r.store().Load(id)
	if err != nil {
		return err
	}
	h, err := openProcess(s.PID, s.StartTime)
	if errors.Is(err, errGone) {
		return ErrNotRunning
	}
	if err != nil {
		return err
	}
	defer h.close()
	everyone := sig == unix.SIGKILL && !isPID1(s.PID)
	if err := h.signal(sig); errors.Is(err, errGone) {
		return ErrNotRunning
	} else if err != nil {
		return err
	}
	switch {
	case everyone:
		return killGroup(s)
	case sig == unix.SIGKILL:
		return unfreeze(s)
	}
	return nil
}

// isPID1 reports whether the process is the first of its pid namespace, so that all others there end with it (pid_namespaces(7)).
func isPID1(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false
	}
	_, rest, found := strings.Cut(string(data), "\nNSpid:")
	if !found {
		return false
	}
	line, _, _ := strings.Cut(rest, "\n")
	ids := strings.Fields(line)
	return len(ids) > 1 && ids[len(ids)-1] == "1"
}
