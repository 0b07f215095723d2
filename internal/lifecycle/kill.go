package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/bound"
	"github.com/handfast/handfast/internal/oci/state"
)

// ErrNotRunning says that the container's process has ended. The words are runc's, and container managers look for
// them.
var ErrNotRunning = errors.New("container not running")

// Kill sends a signal to the container's process. SIGKILL ends all processes of the container, including those that
// the first process has left behind when it ended: the kernel does that in a pid namespace of the container's own,
// and elsewhere Kill uses the group. With all, every process of the group gets the signal, and it is no error if
// there is none. SIGKILL also thaws a paused container; any other signal stays pending there until the container is
// resumed. A container that another command is making gets the signal once it has a process.
func (r *Runtime) Kill(id string, sig unix.Signal, all bool) error {
	s, err := r.loadWithProcess(id)
	if err != nil {
		return err
	}
	r.enter(phaseSignal)
	h, err := openProcess(s.PID, s.StartTime)
	alive := err == nil
	if err != nil && !errors.Is(err, errGone) {
		return err
	}
	if !alive && !all && (sig != unix.SIGKILL || !s.SharedPID) {
		return ErrNotRunning
	}
	everyone := all || sig == unix.SIGKILL && (!alive || !isPID1(s.PID))
	if alive {
		defer h.close()
		if !all || sig == unix.SIGKILL || s.CgroupPath == "" {
			if err := h.signal(sig); errors.Is(err, errGone) && !everyone {
				return ErrNotRunning
			} else if err != nil && !errors.Is(err, errGone) {
				return err
			}
		}
	}
	switch {
	case everyone:
		found, err := r.signalGroup(s, sig)
		if err == nil && !found && !alive && !all {
			return ErrNotRunning
		}
		return err
	case sig == unix.SIGKILL:
		return r.unfreeze(s)
	}
	return nil
}

// loadWithProcess reads a container's state, and waits for one that another command is making until it has a process.
// Otherwise a manager that gives up at that moment would be told that nothing runs, and kill the other command when it
// no longer ends the container's process (BuildKit does so).
func (r *Runtime) loadWithProcess(id string) (*state.State, error) {
	ctx, cancel := bound.Within(context.Background(), createPatience)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		s, err := r.load(id)
		if err != nil || !s.Creating || s.PID != 0 {
			return s, err
		}
		facts, err := r.store().Observe(s)
		if err != nil {
			return nil, fmt.Errorf("container %s: %w", id, err)
		}
		if !facts.Locked { // the other command has ended, perhaps since the state was read
			return r.load(id)
		}
		select {
		case <-ctx.Done():
			return s, nil
		case <-time.After(pause):
		}
	}
}

// signalGroup sends a signal to every process of the container's group. found says whether there was one. After
// SIGKILL no process is left.
func (r *Runtime) signalGroup(s *state.State, sig unix.Signal) (found bool, err error) {
	err = r.withGroup(context.Background(), s, func(ctx context.Context, g *cgroupfs.Group) error {
		if sig != unix.SIGKILL {
			found, err = g.Signal(sig)
			return err
		}
		pids, err := g.Procs()
		if found = len(pids) > 0; err != nil || !found {
			return err
		}
		r.enter(phaseEnd)
		return g.Kill(ctx)
	})
	return found, err
}

// isPID1 reports whether the process is the first of its pid namespace, so that all others there end with it
// (pid_namespaces(7)).
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
